// Child processes, played by /bin/sh: conversation, silence, floods, deaths, and what must not outlive them.
#include "base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/test_folder.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ReadStatus = Subprocess::ReadStatus;

std::unique_ptr<Subprocess> shell(const std::string& script, std::vector<std::string> environment = {}) {
  auto started = Subprocess::start({{"/bin/sh", "-c", script}, std::move(environment)});
  EXPECT_TRUE(started) << started.error().message;
  return *std::move(started);
}

steady_clock::time_point in_ms(int milliseconds_from_now) {
  return steady_clock::now() + milliseconds(milliseconds_from_now);
}

std::string read_or_fail(Subprocess& child) {
  std::string line;
  EXPECT_EQ(child.read_line(line, in_ms(5000)), ReadStatus::line);
  return line;
}

// Zombies count as gone: whoever inherits an orphan reaps it in its own time.
bool is_alive(int pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  return status && status->find(") Z ") == std::string::npos && status->find(") X ") == std::string::npos;
}

bool is_gone_soon(int pid) {
  for (int i = 0; i < 300 && is_alive(pid); ++i) std::this_thread::sleep_for(milliseconds(10));
  return !is_alive(pid);
}

TEST(Subprocess, AnswersLineByLine) {
  const auto child = shell("while read -r line; do echo \"got $line\"; done");
  for (const char* line : {"one", "", "two words"}) {
    ASSERT_TRUE(child->write_line(line));
    EXPECT_EQ(read_or_fail(*child), std::string("got ") + line);
  }
}

TEST(Subprocess, WhatCannotBeStarted) {
  const auto missing = Subprocess::start({{"/no/such/program"}, {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot start /no/such/program: No such file or directory");
  EXPECT_FALSE(Subprocess::start({{"sh"}, {}})) << "PATH is not searched";
  EXPECT_FALSE(Subprocess::start({{}, {}}));
}

TEST(Subprocess, EnvironmentIsOursWithReplacements) {
  ::setenv("CONVOY_TEST_KEPT", "kept", 1);
  ::setenv("CONVOY_TEST_REPLACED", "former", 1);
  const auto child = shell("echo $CONVOY_TEST_KEPT $CONVOY_TEST_REPLACED $CONVOY_TEST_NEW; env | grep -c CONVOY_TEST",
                           {"CONVOY_TEST_REPLACED=now", "CONVOY_TEST_NEW=new"});
  ::unsetenv("CONVOY_TEST_KEPT");
  ::unsetenv("CONVOY_TEST_REPLACED");
  EXPECT_EQ(read_or_fail(*child), "kept now new");
  EXPECT_EQ(read_or_fail(*child), "3");
}

TEST(Subprocess, ExitStatusAndSignal) {
  const auto status = shell("exit 3")->wait_for_exit(milliseconds(5000));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, 3);
  EXPECT_EQ(status->signal, 0);
  const auto killed = shell("kill -SEGV $$")->wait_for_exit(milliseconds(5000));
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->signal, SIGSEGV);
  const auto hung = shell("sleep 100");
  EXPECT_FALSE(hung->wait_for_exit(milliseconds(20)));
  const auto reaped = hung->kill_and_reap(milliseconds(5000));
  ASSERT_TRUE(reaped);
  EXPECT_EQ(reaped->signal, SIGKILL);
  EXPECT_EQ(hung->kill_and_reap(milliseconds(0))->signal, SIGKILL) << "asking again is harmless";
}

TEST(Subprocess, DeadlinesHold) {
  const auto child = shell("sleep 0.2; echo late; sleep 100");
  std::string line;
  const auto begin = steady_clock::now();
  EXPECT_EQ(child->read_line(line, in_ms(50)), ReadStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(50));
  EXPECT_EQ(child->read_line(line, steady_clock::now()), ReadStatus::timeout);
  EXPECT_EQ(child->read_line(line, steady_clock::time_point::max()), ReadStatus::line);
  EXPECT_EQ(line, "late");
}

TEST(Subprocess, HalfALineIsNotALine) {
  const auto child = shell("echo whole; printf half");
  EXPECT_EQ(read_or_fail(*child), "whole");
  std::string line;
  EXPECT_EQ(child->read_line(line, in_ms(5000)), ReadStatus::closed);
  EXPECT_EQ(child->read_line(line, in_ms(5000)), ReadStatus::closed);
}

TEST(Subprocess, EndlessLineIsClosed) {
  const auto child = shell("cat /dev/zero");
  std::string line;
  EXPECT_EQ(child->read_line(line, in_ms(9000)), ReadStatus::closed);
}

TEST(Subprocess, LongLinesBothWays) {
  const auto child = shell("read -r line; echo ready; cat");
  ASSERT_TRUE(child->write_line("go"));
  EXPECT_EQ(read_or_fail(*child), "ready");
  const std::string longest(100'000, 'x');
  ASSERT_TRUE(child->write_line(longest));
  EXPECT_EQ(read_or_fail(*child), longest);
}

TEST(Subprocess, AFloodOnStderrNeitherBlocksNorHidesTheLine) {
  const auto child = shell("head -c 1000000 /dev/zero | tr '\\0' e >&2; printf 'the end' >&2; echo done");
  EXPECT_EQ(read_or_fail(*child), "done");
  ASSERT_TRUE(child->wait_for_exit(milliseconds(5000)));
  const std::string tail = child->error_tail();
  EXPECT_EQ(tail.size(), 4096U);
  EXPECT_TRUE(tail.ends_with("eeethe end")) << tail.substr(tail.size() - 20);
}

TEST(Subprocess, WaitingDrainsTheOutputs) {
  const auto child = shell("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit 4");
  const auto exit = child->wait_for_exit(milliseconds(5000));
  ASSERT_TRUE(exit) << "blocked on a full pipe";
  EXPECT_EQ(exit->status, 4);
}

TEST(Subprocess, WritingToTheDeadIsAnErrorNotASignal) {
  const auto child = shell("exit 0");
  ASSERT_TRUE(child->wait_for_exit(milliseconds(5000)));
  bool failed = false;
  for (int i = 0; i < 10 && !failed; ++i) failed = !child->write_line("anybody there?");
  EXPECT_TRUE(failed);
}

TEST(Subprocess, GrandchildrenEndWithTheGroup) {
  for (const bool exits_by_itself : {false, true}) {
    const auto child = shell("sleep 100 & echo $!; read -r line; exit 0");
    const int grandchild = std::stoi(read_or_fail(*child));
    EXPECT_TRUE(is_alive(grandchild));
    if (exits_by_itself) {
      ASSERT_TRUE(child->write_line("go"));
      ASSERT_TRUE(child->wait_for_exit(milliseconds(5000)));
    } else {
      ASSERT_TRUE(child->kill_and_reap(milliseconds(5000)));
    }
    EXPECT_TRUE(is_gone_soon(grandchild)) << "exits by itself: " << exits_by_itself;
  }
}

TEST(Subprocess, TheDestructorKills) {
  int pid = 0;
  {
    const auto child = shell("trap '' TERM INT HUP; echo ready; sleep 100");
    EXPECT_EQ(read_or_fail(*child), "ready");
    pid = child->pid();
    EXPECT_TRUE(is_alive(pid));
  }
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(pid))) << "not reaped";
}

TEST(Subprocess, InheritsNoDescriptorAndNoSignalHandling) {
  const int leaked = ::fcntl(STDERR_FILENO, F_DUPFD, 100);  // without O_CLOEXEC, as host programs do
  auto* const former = ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked{};
  sigset_t former_mask{};
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &former_mask);
  const auto child = shell("test -e /proc/$$/fd/" + std::to_string(leaked) +
                           " && echo leaked || echo clean; exec grep -E 'Sig(Blk|Ign)' /proc/self/status");
  ::pthread_sigmask(SIG_SETMASK, &former_mask, nullptr);
  ::signal(SIGPIPE, former);
  ::close(leaked);
  EXPECT_EQ(read_or_fail(*child), "clean");
  EXPECT_EQ(read_or_fail(*child), "SigBlk:\t0000000000000000");
  const std::string ignored = read_or_fail(*child).substr(8);
  constexpr std::uint64_t k_libc_internal = 0x180000000;  // 32 and 33, glibc's own
  EXPECT_EQ(std::stoull(ignored, nullptr, 16) & ~k_libc_internal, 0U) << ignored;
}

TEST(Subprocess, AHostWithoutStandardDescriptors) {
  const pid_t host = ::fork();
  if (host == 0) {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    const auto child = Subprocess::start({{"/bin/sh", "-c", "read -r line; echo \"got $line\""}, {}});
    if (::write(STDOUT_FILENO, "print", 5) == 5 || ::write(STDIN_FILENO, "print", 5) == 5) ::_exit(2);
    std::string line;
    const bool good = child && (*child)->write_line("it") && (*child)->read_line(line, in_ms(5000)) == ReadStatus::line;
    ::_exit(good && line == "got it" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(host, &status, 0), host);
  EXPECT_EQ(status, 0);
}

TEST(Subprocess, AHostThatIgnoresItsChildren) {
  auto* const former = ::signal(SIGCHLD, SIG_IGN);
  const auto child = shell("exit 3");
  const auto exit = child->wait_for_exit(milliseconds(5000));
  ::signal(SIGCHLD, former);
  ASSERT_TRUE(exit);
  EXPECT_TRUE(exit->unknown);
}

TEST(Subprocess, AForkedProcessLeavesTheChildAlone) {
  auto child = shell("while read -r line; do echo \"got $line\"; done");
  const pid_t forked = ::fork();
  if (forked == 0) {
    std::string line;
    const bool refused = !child->write_line("from the fork") && !child->kill_and_reap(milliseconds(100));
    child.reset();
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(forked, &status, 0), forked);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(child->write_line("on"));
  EXPECT_EQ(read_or_fail(*child), "got on");
}

// grandparent (this test) -> parent -> child that hangs without reading; the parent dies.
TEST(DieWithParent, EndsTheGroupEvenWhileHung) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setpgid(0, 0);
      die_with_parent();
      const pid_t grandchild = ::fork();
      if (grandchild != 0) {
        const std::array<pid_t, 2> family{::getpid(), grandchild};
        if (::write(pipe[1], family.data(), sizeof family) != sizeof family) ::_exit(1);
      }
      while (true) ::pause();
    }
    while (true) ::pause();
  }
  std::array<pid_t, 2> family{};
  ASSERT_EQ(::read(pipe[0], family.data(), sizeof family), static_cast<ssize_t>(sizeof family));
  EXPECT_TRUE(is_alive(family[0]) && is_alive(family[1]));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(is_gone_soon(family[0]));
  EXPECT_TRUE(is_gone_soon(family[1]));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace convoy
