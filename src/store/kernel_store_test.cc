// Compiled programs in cache.db: kept bit for bit, bounded, and never believed from where others could have written.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "store/base64.h"
#include "store/kernel_pack.h"
#include "store/store_fixture_test.h"
#include "store/trust.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr unsigned k_seed = 20250131;
constexpr std::int64_t k_day = 24 * 3600;

// Nothing that zstd could shrink.
std::string noise(std::size_t size, unsigned seed = k_seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

KernelInfo info(const std::string& key) {
  KernelInfo kernel;
  kernel.key = key;
  kernel.name = "igemm";
  kernel.architecture = "gfx906:sramecc+:xnack-";
  kernel.compile_ms = 812.5;
  return kernel;
}

class KernelStore : public StoreTest {
 protected:
  std::string database() const { return path("cache.db"); }
  void fill() { open()->put_kernel(info("k"), binary_); }
  static std::size_t count(Store& store) { return store.contents()->kernels.size(); }
  static std::string notes(const Store& store) {
    std::string text;
    for (const auto& line : store.notes()) text += line + "\n";
    return text;
  }

  const std::string binary_ = noise(5000) + std::string(5000, '\0');
};

TEST_F(KernelStore, SurvivesTheProcess) {
  fill();
  time_ += 60;
  auto store = open();
  EXPECT_EQ(store->find_kernel("k"), binary_);
  EXPECT_FALSE(store->find_kernel("K"));
  const auto contents = store->contents();
  ASSERT_EQ(contents->kernels.size(), 1U);
  const KernelInfo& kernel = contents->kernels[0];
  EXPECT_EQ(kernel.name, "igemm");
  EXPECT_EQ(kernel.architecture, "gfx906:sramecc+:xnack-");
  EXPECT_EQ(kernel.compile_ms, 812.5);
  EXPECT_EQ(kernel.bytes, 10'000U);
  EXPECT_LT(kernel.stored_bytes, 6000U) << "half of it is zeros";
  EXPECT_EQ(kernel.created, k_start_of_test_time);
  store->put_kernel(info("k"), "another");
  EXPECT_EQ(store->find_kernel("k"), "another");
  EXPECT_EQ(count(*store), 1U);
  EXPECT_EQ(*store->forget("kernels"), 1);
  EXPECT_FALSE(store->find_kernel("k"));
}

TEST_F(KernelStore, WhatNoRowMayHoldIsNotKept) {
  auto store = open();
  store->put_kernel(info("empty"), "");
  store->put_kernel(info(""), binary_);
  store->put_kernel(info("a\nb"), binary_);
  store->put_kernel(info("long"), std::string((std::size_t{64} << 20) + 1, 'x'));
  store->put_kernel(info("wide"), noise(std::size_t{16} << 20));
  EXPECT_EQ(count(*store), 0U);
  EXPECT_TRUE(store->verify()->empty());
}

TEST_F(KernelStore, WhatIsDamagedIsCompiledAgain) {
  const auto bomb = pack(info("k"), std::string(std::size_t{32} << 20, '\0'));
  ASSERT_TRUE(bomb);
  ASSERT_LT(bomb->code.frame.size(), 10'000U);
  std::string hex;
  for (const char byte : bomb->code.frame) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  const std::vector<std::string> damages = {
      "checksum = '0000000000000000'",
      "checksum = ''",
      "code = substr(code, 1, length(code) - 1)",
      "code = substr(code, 1, length(code) - 1), stored_bytes = stored_bytes - 1",
      "code = CAST(substr(code, 1, 100) || x'ff' || substr(code, 102) AS BLOB)",
      "code = x''",
      "code = x'', stored_bytes = 0",
      "code = zeroblob(5000), stored_bytes = 5000",
      "code = zeroblob(17000000), stored_bytes = 17000000",
      "code = x'" + hex + "', stored_bytes = " + std::to_string(bomb->code.frame.size()),
      "bytes = bytes - 1",
      "bytes = 0",
      "bytes = -1",
      "bytes = 9000000000000000000",
      "stored_bytes = stored_bytes + 1",
      "stored_bytes = -1",
      "compile_ms = -1",
      "last_used = -1",
      "name = ''",
  };
  for (const std::string& damage : damages) {
    SCOPED_TRACE(damage.substr(0, 100));
    fill();
    ASSERT_EQ(open()->find_kernel("k"), binary_);
    meddle(database(), "UPDATE kernel SET " + damage);
    auto store = open();
    EXPECT_FALSE(store->verify()->empty()) << "verify tells";
    EXPECT_FALSE(store->find_kernel("k"));
    EXPECT_EQ(store->contents()->kernels.size(), 0U) << "the row is removed";
    EXPECT_TRUE(store->verify()->empty());
    store->put_kernel(info("k"), binary_);
    EXPECT_EQ(store->find_kernel("k"), binary_);
  }
}

TEST_F(KernelStore, TheLeastRecentlyUsedGoFirst) {
  StoreConfig small = config();
  small.kernel_limit = 10'500;
  auto store = Store::open(small);
  for (int i = 0; i < 10; ++i) {
    time_ += 2 * k_day;
    store->put_kernel(info("k" + std::to_string(i)), noise(1000));
  }
  EXPECT_EQ(count(*store), 10U);
  time_ += 2 * k_day;
  EXPECT_TRUE(store->find_kernel("k0"));
  store->put_kernel(info("new"), noise(1000));
  EXPECT_TRUE(store->find_kernel("new"));
  EXPECT_TRUE(store->find_kernel("k0")) << "used a moment ago";
  EXPECT_FALSE(store->find_kernel("k1"));
  EXPECT_FALSE(store->find_kernel("k2")) << "a tenth is made free, so that not every put must look";
  EXPECT_TRUE(store->find_kernel("k9"));
  const std::size_t before = count(*store);
  store->put_kernel(info("huge"), noise(11'000));
  EXPECT_FALSE(store->find_kernel("huge"));
  EXPECT_EQ(count(*store), before) << "what does not fit drives nothing out";
  store.reset();
  small.kernel_limit = 0;
  EXPECT_TRUE(Store::open(small)->prune(std::chrono::hours(24 * 365)));
  EXPECT_EQ(count(*open()), 0U) << "a smaller limit holds from the next pruning on";
}

TEST_F(KernelStore, AUseIsWrittenOnceADay) {
  fill();
  const auto last_used = [&] { return open()->contents()->kernels.at(0).last_used; };
  time_ += k_day - 1;
  open()->find_kernel("k");
  EXPECT_EQ(last_used(), k_start_of_test_time);
  time_ += 1;
  {
    auto store = open();
    store->find_kernel("k");
    EXPECT_EQ(last_used(), k_start_of_test_time) << "not at once";
  }
  EXPECT_EQ(last_used(), time_);
  time_ -= 10 * k_day;  // a clock that went wrong and was set right
  open()->find_kernel("k");
  EXPECT_EQ(last_used(), time_);
  time_ += 5 * k_day;
  EXPECT_EQ(open()->prune(std::chrono::hours(6 * 24))->kernels, 0);
  EXPECT_EQ(open()->prune(std::chrono::hours(4 * 24))->kernels, 1);
}

TEST_F(KernelStore, WithoutAFileNothingIsKept) {
  StoreConfig memory = config();
  memory.folder.clear();
  auto store = Store::open(memory);
  store->put_kernel(info("k"), binary_);
  EXPECT_FALSE(store->find_kernel("k"));
  EXPECT_EQ(count(*store), 0U);
}

TEST_F(KernelStore, MachineCodeMovesOnlyWhenAskedFor) {
  fill();
  auto store = open();
  store->put_find(find("igemm", 1.0));
  const std::string decisions = *store->export_lines(Kernels::left_out);
  EXPECT_EQ(decisions.find("kernel"), std::string::npos);
  const std::string all = *store->export_lines(Kernels::included);
  EXPECT_TRUE(all.starts_with(decisions));

  StoreConfig elsewhere = config();
  elsewhere.folder = folder_.file("elsewhere");
  auto other = Store::open(elsewhere);
  auto counts = other->import_lines(all, "all.jsonl", Kernels::left_out);
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->finds, 1);
  EXPECT_EQ(counts->kernels, 0);
  EXPECT_EQ(counts->kernels_left_out, 1);
  EXPECT_FALSE(other->find_kernel("k"));
  counts = other->import_lines(all, "all.jsonl", Kernels::included);
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->kernels, 1);
  EXPECT_EQ(counts->already_there, 1);
  EXPECT_EQ(other->find_kernel("k"), binary_);
  EXPECT_EQ(*other->export_lines(Kernels::included), all);

  std::string forged = all;
  const std::size_t digit = forged.find("\"checksum\":\"") + 12;
  forged[digit] = forged[digit] == '0' ? '1' : '0';
  const auto refused = other->import_lines(forged, "forged.jsonl", Kernels::included);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("forged.jsonl:3: field \"code\" the checksum"), std::string::npos)
      << refused.error().message;
}

TEST_F(KernelStore, AFileThatOthersMayWriteCarriesNoCode) {
  fill();
  for (const char* name : {"cache.db", "cache.db-wal"}) {
    auto store = open();
    store->put_find(find("igemm", 1.0));  // so that there is a journal
    ASSERT_EQ(::chmod(path(name).c_str(), 0666), 0) << name;
    EXPECT_FALSE(store->find_kernel("k")) << name;
    EXPECT_NE(notes(*store).find("kernels: not used"), std::string::npos) << notes(*store);
    store->put_kernel(info("new"), binary_);
    EXPECT_EQ(store->find_records("fwd:n32c64", "gfx906/6.2").size(), 1U) << "decisions are read all the same";
    EXPECT_EQ(store->export_lines(Kernels::included)->find("\"kernel\""), std::string::npos);
    ASSERT_EQ(::chmod(path(name).c_str(), 0644), 0);
    EXPECT_EQ(store->find_kernel("k"), binary_);
    EXPECT_FALSE(store->find_kernel("new"));
  }
}

TEST_F(KernelStore, AFileOfAnotherUserCarriesNoCode) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: only root can give files away";
  fill();
  ASSERT_EQ(::chown(database().c_str(), 12345, 12345), 0);
  EXPECT_FALSE(open()->find_kernel("k"));
}

TEST_F(KernelStore, OfSystemLayersOnlyRootsCarryCode) {
  fill();
  ASSERT_EQ(::rename(folder_.file("cache").c_str(), folder_.file("system").c_str()), 0);
  ASSERT_EQ(::chmod(folder_.file("system").c_str(), 0755), 0);
  const std::string file = folder_.file("system/cache.db");
  const auto found = [&](const std::string& folder) {
    StoreConfig layered = config();
    layered.system_folders = {folder};
    return Store::open(layered)->find_kernel("k").has_value();
  };
  if (::geteuid() != 0) {
    EXPECT_FALSE(found(folder_.file("system"))) << "it belongs to a mere user";
    GTEST_SKIP() << "NOT TESTED: what belongs to root is believed";
  }
  EXPECT_TRUE(found(folder_.file("system")));
  fs::create_directory_symlink(folder_.file("system"), folder_.file("link"));
  EXPECT_FALSE(found(folder_.file("link"))) << "who owns the link chooses the folder";
  ASSERT_EQ(::chmod(folder_.file("system").c_str(), 01777), 0);
  EXPECT_FALSE(found(folder_.file("system"))) << "others may put a journal there";
  ASSERT_EQ(::chmod(folder_.file("system").c_str(), 0755), 0);
  ASSERT_EQ(::chown(folder_.file("system").c_str(), 12345, 12345), 0);
  EXPECT_FALSE(found(folder_.file("system")));
  ASSERT_EQ(::chown(folder_.file("system").c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(file.c_str(), 12345, 12345), 0);
  EXPECT_FALSE(found(folder_.file("system")));
  ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(folder_.path().c_str(), 12345, 12345), 0);
  EXPECT_FALSE(found(folder_.file("system"))) << "the owner of the folder above can put another in its place";
  ASSERT_EQ(::chown(folder_.path().c_str(), 0, 0), 0);
  EXPECT_TRUE(found(folder_.file("system")));
}

TEST_F(KernelStore, ProcessesThatPutTheSameKeyDoNotDisturbEachOther) {
  std::vector<pid_t> children;
  for (int process = 0; process < 2; ++process) {
    const pid_t child = ::fork();
    if (child == 0) {
      StoreConfig patient = config();
      patient.busy_timeout = std::chrono::seconds(20);
      auto store = Store::open(patient);
      for (int i = 0; i < 50; ++i) {
        store->put_kernel(info("k"), binary_);
        if (store->find_kernel("k") != binary_) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  auto store = open();
  EXPECT_EQ(store->find_kernel("k"), binary_);
  EXPECT_EQ(count(*store), 1U);
  EXPECT_TRUE(store->verify()->empty());
}

TEST(Base64, IsWhatTheStandardSays) {
  // RFC 4648, section 10.
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  for (std::size_t size = 0; size < 50; ++size) EXPECT_EQ(from_base64(to_base64(noise(size))), noise(size));
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Z===", "Zm 9v", "Zm9v\n", "Zm9\xff"}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace convoy
