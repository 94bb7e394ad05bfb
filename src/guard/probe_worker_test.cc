// Trials in a child process. Children that misbehave are played by /bin/sh; serve_probe runs in a process
// forked from the test.
#include "guard/probe_worker.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/test_folder.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
constexpr milliseconds k_ample{8000};

// A child that does `body` for each request; the request is in $request.
SubprocessCommand child_that(const std::string& body) {
  return {{"/bin/sh", "-c", "echo ready; while read -r try request; do " + body + "; done"}, {}};
}

bool is_gone_soon(int pid) {
  for (int i = 0; i < 300; ++i) {
    const auto status = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    if (!status || status->find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(ProbeWorker, OneChildServesManyRequests) {
  ProbeWorker worker(child_that("echo phase run; echo verdict passed got $request"));
  for (const char* request : {"a", "b c", "d"}) {
    const ProbeResult result = worker.try_one(request, k_ample);
    EXPECT_EQ(result.verdict, Verdict::passed);
    EXPECT_EQ(result.detail, std::string("got ") + request);
    EXPECT_EQ(result.phase, "run");
    EXPECT_EQ(result.reason(), "passed");
    EXPECT_FALSE(result.given_up);
  }
  EXPECT_EQ(worker.starts(), 1);
}

TEST(ProbeWorker, EveryVerdictComesThrough) {
  ProbeWorker worker(child_that("echo verdict $request"));
  const std::vector<std::pair<std::string, std::string>> answers{{"wrong_result off by 3", "wrong result: off by 3"},
                                                                 {"failed status 7", "failed: status 7"},
                                                                 {"failed", "failed"},
                                                                 {"refused no device", "refused: no device"}};
  for (const auto& [answer, reason] : answers) {
    EXPECT_EQ(worker.try_one(answer, k_ample).reason(), reason);
  }
}

TEST(ProbeWorker, AHangIsTimedOutAndTheWholeGroupDies) {
  const TestFolder folder;
  ProbeWorker worker(child_that(fmt::format("echo phase run; sleep 100 & echo $! > {0}; wait", folder.file("pid"))));
  const auto begin = steady_clock::now();
  const ProbeResult result = worker.try_one("x", milliseconds(300));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(3000));
  EXPECT_EQ(result.verdict, Verdict::timed_out);
  EXPECT_GE(result.milliseconds, 300);
  EXPECT_EQ(result.phase, "run");
  EXPECT_TRUE(result.reason().starts_with("timed out after 3")) << result.reason();
  EXPECT_TRUE(result.reason().ends_with(" ms in phase run")) << result.reason();
  EXPECT_TRUE(is_gone_soon(std::stoi(read_file(folder.file("pid"), 100).value())));
}

TEST(ProbeWorker, DeathsAreTold) {
  ProbeWorker worker(child_that("echo phase plan; echo 'last words' >&2; eval \"$request\""));
  const ProbeResult crash = worker.try_one("kill -SEGV $$", k_ample);
  EXPECT_EQ(crash.verdict, Verdict::crashed);
  EXPECT_EQ(crash.signal, SIGSEGV);
  EXPECT_EQ(crash.reason(), "killed by SIGSEGV in phase plan");
  EXPECT_EQ(crash.last_output, "last words\n");
  const ProbeResult exit = worker.try_one("exit 3", k_ample);
  EXPECT_EQ(exit.verdict, Verdict::crashed);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_EQ(exit.exit_status, 3);
  EXPECT_EQ(exit.reason(), "exited with status 3 in phase plan");
  const ProbeResult mute = worker.try_one("exec >&-; sleep 100", k_ample);
  EXPECT_EQ(mute.verdict, Verdict::crashed);
  EXPECT_EQ(mute.reason(), "closed its output and lived on in phase plan");
  EXPECT_EQ(worker.try_one("echo verdict passed", k_ample).verdict, Verdict::passed);
  EXPECT_EQ(worker.starts(), 4);
}

TEST(ProbeWorker, ChatterIsKeptApartFromTheProtocol) {
  ProbeWorker worker(
      child_that("echo MIOpen: Warning; echo verdict maybe; echo verdicts; echo phase run; printf 'a\\033[31mb\\n'; "
                 "echo verdict passed fine"));
  const ProbeResult result = worker.try_one("x", k_ample);
  EXPECT_EQ(result.verdict, Verdict::passed);
  EXPECT_EQ(result.last_output, "MIOpen: Warning\nverdict maybe\nverdicts\na\x1b[31mb\n");
}

TEST(ProbeWorker, WhatTheChildSaysIsMadePrintable) {
  ProbeWorker worker(child_that("printf 'phase \\033[31mrun\\n'; printf 'verdict failed \\007bell\\n'"));
  const ProbeResult result = worker.try_one("x", k_ample);
  EXPECT_EQ(result.phase, " [31mrun");
  EXPECT_EQ(result.detail, " bell");
}

TEST(ProbeWorker, HugeOutput) {
  ProbeWorker flood(
      child_that("echo phase run; head -c 1000000 /dev/zero | tr '\\0' '\\n' ; head -c 300000 /dev/zero | "
                 "tr '\\0' e >&2; echo verdict passed"));
  const ProbeResult passed = flood.try_one("x", k_ample);
  EXPECT_EQ(passed.verdict, Verdict::passed);
  EXPECT_LE(passed.last_output.size(), 8192U);
  ProbeWorker endless(child_that("echo phase run; yes"));
  EXPECT_EQ(endless.try_one("x", milliseconds(200)).verdict, Verdict::timed_out);
  ProbeWorker one_line(child_that("echo phase run; cat /dev/zero"));
  EXPECT_EQ(one_line.try_one("x", k_ample).reason(), "closed its output and lived on in phase run");
}

TEST(ProbeWorker, AChildThatDiesBetweenRequestsIsReplaced) {
  ProbeWorker worker(child_that("echo phase run; echo verdict passed $$; kill -9 $$"));
  const ProbeResult first = worker.try_one("x", k_ample);
  EXPECT_EQ(first.verdict, Verdict::passed);
  EXPECT_EQ(worker.try_one("x", k_ample).verdict, Verdict::passed) << "at once: its death may not be visible yet";
  ASSERT_TRUE(is_gone_soon(std::stoi(first.detail)));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(worker.try_one("x", k_ample).verdict, Verdict::passed);
  EXPECT_EQ(worker.starts(), 3);
}

TEST(ProbeWorker, AChildThatNeverSaysAWordIsTriedTwice) {
  ProbeWorker worker(child_that("kill -ABRT $$"));
  EXPECT_EQ(worker.try_one("x", k_ample).reason(), "killed by SIGABRT");
  EXPECT_EQ(worker.starts(), 2);
}

TEST(ProbeWorker, LateWordsDoNotAnswerTheNextRequest) {
  ProbeWorker worker(child_that("echo verdict passed $request; echo verdict failed $request"));
  EXPECT_EQ(worker.try_one("first", k_ample).reason(), "passed");
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(worker.try_one("second", k_ample).detail, "second");
  EXPECT_EQ(worker.starts(), 1);
}

TEST(ProbeWorker, AStartThatFailsAccusesNobody) {
  ProbeWorker missing({{"/no/such/probe"}, {}});
  EXPECT_EQ(missing.try_one("x", k_ample).reason(),
            "refused: no child could be started: cannot start /no/such/probe: No such file or directory");
  EXPECT_EQ(missing.starts(), 0);
  ProbeWorker broken({{"/bin/sh", "-c", "echo 'no GPU' >&2; exit 1"}, {}});
  const ProbeResult result = broken.try_one("x", k_ample);
  EXPECT_EQ(result.reason(),
            "refused: no child could be started: exited with status 1 before it was ready (it said: no GPU)");
  EXPECT_EQ(result.last_output, "no GPU\n");
  ProbeWorker slow({{"/bin/sleep", "100"}, {}}, milliseconds(100));
  EXPECT_EQ(slow.try_one("x", k_ample).reason(), "refused: no child could be started: not ready within 100 ms");
}

TEST(ProbeWorker, ARequestIsOneLine) {
  ProbeWorker worker(child_that("echo verdict passed"));
  EXPECT_EQ(worker.try_one("a\ntry b", k_ample).reason(), "refused: a request is one line");
  EXPECT_EQ(worker.starts(), 0);
}

TEST(ProbeWorker, ThreadsTakeTurns) {
  ProbeWorker worker(child_that("echo phase $request; sleep 0.01; echo verdict passed $request"));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&worker, thread] {
      for (int i = 0; i < 5; ++i) {
        const std::string request = fmt::format("{}-{}", thread, i);
        const ProbeResult result = worker.try_one(request, k_ample);
        EXPECT_EQ(result.verdict, Verdict::passed);
        EXPECT_EQ(result.detail, request);
        EXPECT_EQ(result.phase, request);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(worker.starts(), 1);
}

TEST(ProbeWorker, AForkedProcessGetsItsOwnChild) {
  ProbeWorker worker(child_that("echo verdict passed $$"));
  const std::string ours = worker.try_one("x", k_ample).detail;
  const pid_t forked = ::fork();
  if (forked == 0) {
    const ProbeResult result = worker.try_one("x", k_ample);
    ::_exit(result.verdict == Verdict::passed && result.detail != ours && worker.starts() == 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(forked, &status, 0), forked);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(worker.try_one("x", k_ample).detail, ours) << "our child has died with the forked process";
  EXPECT_EQ(worker.starts(), 1);
}

// What handlers do when told so.
std::string scripted_handler(std::string_view request, void (*phase)(std::string_view)) {
  phase("plan");
  if (request == "noise") {
    std::puts("verdict passed says a library");
    std::fflush(stdout);
    char byte = 0;
    return fmt::format("failed read {} bytes of stdin", ::read(STDIN_FILENO, &byte, 1));
  }
  if (request == "abort") ::raise(SIGABRT);
  if (request == "throw") throw std::runtime_error("two\nlines");
  if (request == "core") {
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    return fmt::format("passed {}", limit.rlim_cur <= 1);
  }
  return fmt::format("passed got {}", request);
}

// serve_probe in a process of its own, its standard descriptors in our hands.
class ServedProbe {
 public:
  ServedProbe() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel_.data()), 0);
    EXPECT_EQ(::pipe(errors_.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(channel_[1], STDIN_FILENO);
      ::dup2(channel_[1], STDOUT_FILENO);
      ::dup2(errors_[1], STDERR_FILENO);
      for (const int fd : {channel_[0], channel_[1], errors_[0], errors_[1]}) ::close(fd);
      ::_exit(serve_probe(scripted_handler, "version 1"));
    }
    ::close(channel_[1]);
    ::close(errors_[1]);
  }
  ~ServedProbe() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    ::close(channel_[0]);
    ::close(errors_[0]);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::write(channel_[0], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string line() {
    std::string result;
    char byte = 0;
    while (::read(channel_[0], &byte, 1) == 1 && byte != '\n') result += byte;
    return result;
  }
  std::string lines(int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += line() + "\n";
    return result;
  }
  std::string error_line() {
    std::string result;
    char byte = 0;
    while (::read(errors_[0], &byte, 1) == 1 && byte != '\n') result += byte;
    return result;
  }
  // Closes its stdin and returns what wait() says.
  int finish() {
    ::shutdown(channel_[0], SHUT_WR);
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  std::array<int, 2> channel_{};
  std::array<int, 2> errors_{};
  pid_t pid_ = -1;
};

TEST(ServeProbe, SpeaksTheProtocolUntilTheEndOfItsInput) {
  ServedProbe probe;
  EXPECT_EQ(probe.line(), "ready version 1");
  probe.send("try one\ntry t");
  EXPECT_EQ(probe.line(), "phase received");
  EXPECT_EQ(probe.line(), "phase plan");
  EXPECT_EQ(probe.line(), "verdict passed got one");
  probe.send("wo\nnonsense\n");
  EXPECT_EQ(probe.lines(3), "phase received\nphase plan\nverdict passed got two\n");
  EXPECT_EQ(probe.line(), "verdict refused the request does not begin with \"try\"");
  EXPECT_EQ(probe.finish(), 0);
}

TEST(ServeProbe, KeepsLibrariesOutOfTheProtocol) {
  ServedProbe probe;
  probe.send("try noise\n");
  EXPECT_EQ(probe.lines(3), "ready version 1\nphase received\nphase plan\n");
  EXPECT_EQ(probe.line(), "verdict failed read 0 bytes of stdin");
  EXPECT_EQ(probe.error_line(), "verdict passed says a library");
}

TEST(ServeProbe, ExceptionsAreVerdictsOfOneLine) {
  ServedProbe probe;
  probe.send("try throw\ntry core\n");
  EXPECT_EQ(probe.lines(3), "ready version 1\nphase received\nphase plan\n");
  EXPECT_EQ(probe.line(), "verdict failed exception: two lines");
  EXPECT_EQ(probe.lines(2), "phase received\nphase plan\n");
  EXPECT_EQ(probe.line(), "verdict passed true") << "core files are not switched off";
}

// Not a test: the program of the child in the tests below, started with a filter that selects it.
TEST(ServeProbe, DISABLED_Program) {
  ::_exit(serve_probe(scripted_handler, "as a program"));
}

SubprocessCommand this_program_as_probe() {
  return {{"/proc/self/exe", "--gtest_also_run_disabled_tests", "--gtest_filter=ServeProbe.DISABLED_Program"}, {}};
}

TEST(ProbeWorker, WorksWithServeProbe) {
  ProbeWorker worker(this_program_as_probe());
  EXPECT_EQ(worker.try_one("one", k_ample).detail, "got one");
  EXPECT_EQ(worker.try_one("abort", k_ample).reason(), "killed by SIGABRT in phase plan");
  const ProbeResult noisy = worker.try_one("noise", k_ample);
  EXPECT_EQ(noisy.reason(), "failed: read 0 bytes of stdin");
  EXPECT_TRUE(noisy.last_output.ends_with("verdict passed says a library\n")) << noisy.last_output;
  EXPECT_EQ(worker.starts(), 2);
}

// With PR_SET_PDEATHSIG the child would die with the thread, and the next suspect would be accused of it.
TEST(ProbeWorker, TheChildOutlivesTheThreadThatStartedIt) {
  ProbeWorker worker(this_program_as_probe());
  std::thread([&] { EXPECT_EQ(worker.try_one("one", k_ample).verdict, Verdict::passed); }).join();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(worker.try_one("two", k_ample).verdict, Verdict::passed);
  EXPECT_EQ(worker.starts(), 1);
}

}  // namespace
}  // namespace convoy
