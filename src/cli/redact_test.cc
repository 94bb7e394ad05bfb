// What tells whose machine it is goes, in whatever it stands; what only looks like it stays.
#include "cli/redact.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace convoy {
namespace {

Redactor alices() {
  return Redactor({{"Alice", "alice", "root", ""},
                   {"workbench.lab.example", "localhost"},
                   {"/data/people/alice/", "/"},
                   {"0123456789abcdef0123456789abcdef"}});
}

TEST(Redact, TakesOut) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"/home/bob/.cache/miopen", "~/.cache/miopen"},
      {"MIOPEN_USER_DB_PATH=/home/bob", "MIOPEN_USER_DB_PATH=~"},
      {"/opt:/home/bob:/usr", "/opt:~:/usr"},
      {"'/Users/Carol Ann'", "'~ Ann'"},
      {"/root/x and /root", "~/x and ~"},
      {"/data/people/alice/models", "~/models"},
      {"/srv/alice/models", "/srv/[user]/models"},
      {"/srv/alice_models and ALICE's", "/srv/[user]_models and [user]'s"},
      {"on Workbench, workbench.lab.example:5", "on [host], [host]:5"},
      {"bob@elsewhere.net wrote", "[user]@[host] wrote"},
      {"GPU-0a1b2c3d4e5f6071", "GPU-[id]"},
      {"ROCR_VISIBLE_DEVICES=gpu-12345678-1234-1234", "ROCR_VISIBLE_DEVICES=GPU-[id]"},
      {"id 123e4567-e89b-12d3-a456-426614174000.", "id [id]."},
      {"unique_id 0x0a1b2c3d4e5f6071", "unique_id [id]"},
      {"unique_id 9876543210987654321", "unique_id [id]"},
      {"machine 0123456789abcdef0123456789abcdef", "machine [id]"},
      {"at 00:1a:2B:3c:4d:5e,", "at [id],"},
      {"Serial Number: PCB052101-0063 end", "serial: [id] end"},
      {"serial=42", "serial: [id]"},
      {"/mnt/c/Users/carol/rocm", "/mnt/c/Users/[user]/rocm"},
      {"C:\\Users\\Carol Ann\\lib, c:\\\\users\\\\carol", "C:\\Users\\[user]\\lib, c:\\\\users\\\\[user]"},
      {"/mnt/home/bob/x (/home/bob)", "/mnt/home/[user]/x (~)"},
      {"/media/bob/disk and /run/media/bob", "/media/[user]/disk and /run/media/[user]"},
      {"alice2 modelsOfAlice alice-Models ALICE_X", "[user]2 modelsOf[user] [user]-Models [user]_X"},
      {"other.lab.example, workbench.elsewhere.org.", "other.[host], [host]."},
      {"mount 192.168.7.12:/x, (10.0.0.255)", "mount [address]:/x, ([address])"},
      {"fe80::21a:2bff:fe3c:4d5e%eth0 2001:db8::1 2001:db8:0:0:0:0:0:1", "[address]%eth0 [address] [address]"},
  };
  const Redactor redact = alices();
  for (const auto& [text, want] : cases) {
    EXPECT_EQ(redact(text), want);
    EXPECT_EQ(redact(want), want) << "twice";
  }
}

TEST(Redact, Leaves) {
  const Redactor redact = alices();
  for (const std::string text :
       {"",
        "malice, alices",
        "/homes/x",
        "/rooted",
        "/dev/kfd is root:render 0660",
        "localhost",
        "fwd:f32:nhwc:n1c4h5w1:k4r3s3:pad1x1:stride1x1:dil1x1:g4:xs20x1x4x2147483648",
        "./bin/MIOpenDriver conv -n 1 -c 4 -H 10 -W 10 -k 4 -y 3 -x 3 -p 1 -q 1 -F 1",
        "0000:03:00.0 1002:731f gfx1010",
        "https://github.com/ROCm/MIOpen/blob/0123456789abcdef0123456789abcdef01234567/a.cpp#L1",
        "onednn:hang@hw>42",
        "8589934592 bytes",
        "a serial run",
        "5.2.21153-0",
        "GPU-1",
        "1.2.3.4.5 and 1.2.3.400 and 6.2.0.1-66",
        "std::end a::b dead::beef 0000:03:00.0",
        "/home",
        "/home/",
        "/mnt/users",
        "alicent"}) {
    EXPECT_EQ(redact(text), text);
  }
}

// A user may be called like anything: the words that reports are made of stay, so that its problems can be repeated.
TEST(Redact, NamesThatAreWordsOfReports) {
  const Redactor redact({{"gpu", "conv", "c", "nx"}, {"rocm", "vm.example.org"}, {}, {}});
  for (const std::string text :
       {"gpu.none: no GPU", "MIOpenDriver conv -n 1 -c 4", "fwd:f32:nchw:n1c4h5w1:k4r3s3", "/opt/rocm"})
    EXPECT_EQ(redact(text), text);
  EXPECT_EQ(redact("nx, nx1, vm.example.org, vm"), "[user], nx1, [host], vm");
}

TEST(Redact, NamesBeyondAscii) {
  const Redactor redact({{"j\xc3\xb6rg"}, {}, {"/data/J\xc3\xb6rg"}, {}});
  EXPECT_EQ(redact("/srv/j\xc3\xb6rg/x, /srv/j??rg/x"), "/srv/[user]/x, /srv/[user]/x");
  EXPECT_EQ(redact("/data/J\xc3\xb6rg/x, /data/J??rg/x"), "~/x, ~/x");
}

TEST(Redact, LongAndOddTexts) {
  const Redactor redact = alices();
  const std::string many(1 << 20, 'a');
  EXPECT_EQ(redact(many), "[id]");
  for (const char c : {'@', '/', '\\', ':', '.', '['})
    EXPECT_EQ(redact(std::string(1 << 16, c)), std::string(1 << 16, c));
  EXPECT_EQ(redact(std::string("\0alice\xff", 7)), std::string("\0[user]\xff", 8));
}

}  // namespace
}  // namespace convoy
