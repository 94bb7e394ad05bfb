// The watchdog speaks once, in time, and never after its guard is gone.
#include "guard/watchdog.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace convoy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

template <typename Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(5));
  return condition();
}

TEST(Watchdog, SpeaksOnceWhileTheWorkHangs) {
  Watchdog watchdog;
  std::atomic<int> calls{0};
  const auto begin = steady_clock::now();
  std::atomic<std::int64_t> after_ms{0};
  const auto guard = watchdog.arm(milliseconds(50), [&] {
    after_ms = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin).count();
    ++calls;
  });
  EXPECT_TRUE(comes_true([&] { return calls == 1; }));
  EXPECT_GE(after_ms, 50);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(calls, 1);
}

TEST(Watchdog, KeepsQuietAboutWorkThatEndsInTime) {
  Watchdog watchdog;
  std::atomic<int> calls{0};
  for (int i = 0; i < 100; ++i) const auto guard = watchdog.arm(milliseconds(50), [&] { ++calls; });
  std::this_thread::sleep_for(milliseconds(120));
  EXPECT_EQ(calls, 0);
}

TEST(Watchdog, TheNearestDeadlineComesFirstWhateverTheOrder) {
  Watchdog watchdog;
  std::atomic<int> next{0};
  std::atomic<int> slow{-1};
  std::atomic<int> fast{-1};
  const auto never = watchdog.arm(milliseconds::max(), [&] { ADD_FAILURE(); });
  const auto late = watchdog.arm(milliseconds(80), [&] { slow = next++; });
  const auto early = watchdog.arm(milliseconds(20), [&] { fast = next++; });
  const auto past = watchdog.arm(milliseconds(-5), [&] {});
  EXPECT_TRUE(comes_true([&] { return slow >= 0; }));
  EXPECT_EQ(fast, 0);
  EXPECT_EQ(slow, 1);
}

TEST(Watchdog, TheGuardWaitsForARunningCallback) {
  Watchdog watchdog;
  std::promise<void> entered;
  std::atomic<bool> left{false};
  {
    const auto guard = watchdog.arm(milliseconds(0), [&] {
      entered.set_value();
      std::this_thread::sleep_for(milliseconds(100));
      left = true;
    });
    entered.get_future().wait();
  }
  EXPECT_TRUE(left);
}

TEST(Watchdog, TheCallbackMayDropItsOwnGuardAndMayThrow) {
  Watchdog watchdog;
  std::optional<Watchdog::Guard> guard;
  std::promise<void> armed;
  std::atomic<int> calls{0};
  guard.emplace(watchdog.arm(milliseconds(0), [&] {
    armed.get_future().wait();
    guard.reset();
    ++calls;
    throw std::runtime_error("from a callback");
  }));
  armed.set_value();
  EXPECT_TRUE(comes_true([&] { return calls == 1; }));
  const auto again = watchdog.arm(milliseconds(0), [&] { ++calls; });
  EXPECT_TRUE(comes_true([&] { return calls == 2; })) << "the thread is gone";
}

TEST(Watchdog, AMovedGuardGuardsOnce) {
  Watchdog watchdog;
  std::atomic<int> calls{0};
  std::vector<Watchdog::Guard> guards;
  for (int i = 0; i < 20; ++i) guards.push_back(watchdog.arm(milliseconds(30), [&] { ++calls; }));
  EXPECT_TRUE(comes_true([&] { return calls == 20; })) << "a move has disarmed some: " << calls;
}

TEST(Watchdog, ManyThreadsArmAndDisarm) {
  Watchdog watchdog;
  std::atomic<int> after_the_end{0};
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 8; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 200; ++i) {
        std::atomic<bool> ended{false};
        {
          const auto guard = watchdog.arm(milliseconds(random() % 3), [&] { after_the_end += ended ? 1 : 0; });
          std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        }
        ended = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(after_the_end, 0);
}

TEST(Watchdog, ItsThreadHandlesNoSignalOfTheHost) {
  static std::atomic<pthread_t> handled_on;
  handled_on = pthread_t{};
  struct sigaction action {};
  struct sigaction former {};
  action.sa_handler = [](int) { handled_on = ::pthread_self(); };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &former), 0);
  {
    Watchdog watchdog;
    const auto guard = watchdog.arm(milliseconds::max(), [] {});
    // Blocked here: were the watchdog's thread to accept it, it would be the one to run the handler.
    sigset_t mask{};
    sigset_t former_mask{};
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &mask, &former_mask);
    ::kill(::getpid(), SIGUSR1);
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(handled_on.load(), pthread_t{});
    ::pthread_sigmask(SIG_SETMASK, &former_mask, nullptr);
    EXPECT_EQ(handled_on.load(), ::pthread_self());
  }
  ::sigaction(SIGUSR1, &former, nullptr);
}

TEST(Watchdog, WorksInAForkedProcess) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizers' allocators may be locked for ever in a process forked from one with threads";
#endif
  Watchdog watchdog;
  auto inherited = std::make_optional(watchdog.arm(milliseconds(200), [] { ADD_FAILURE() << "in the wrong process"; }));
  const pid_t forked = ::fork();
  if (forked == 0) {
    std::atomic<int> calls{0};
    const auto guard = watchdog.arm(milliseconds(10), [&] { ++calls; });
    inherited.reset();
    ::_exit(comes_true([&] { return calls == 1; }) ? 0 : 1);
  }
  inherited.reset();
  int status = 0;
  ASSERT_EQ(::waitpid(forked, &status, 0), forked);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace convoy
