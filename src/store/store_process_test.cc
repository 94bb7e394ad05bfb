// The store among processes: those that end in the middle of a trial, those that fork.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "store/process_identity.h"
#include "store/store_fixture_test.h"

// GCC says so with macros, clang with features.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONVOY_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONVOY_TEST_SANITIZED
#endif
#endif

namespace convoy {
namespace {

class StoreProcesses : public StoreTest {
 protected:
  // Runs `work` in a forked child; its result is the exit status.
  static pid_t start(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    return child;
  }
  static int wait(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // A child that ends without a verdict, killed in the middle of its trial.
  pid_t leave_intent(const TrialKey& trial) {
    return start([&] {
      auto store = open();
      if (store->begin_intent(trial) == 0) return 1;
      return ::raise(SIGKILL);
    });
  }
};

TEST_F(StoreProcesses, AnIntentOfADeadProcessBecomesOneIncident) {
  EXPECT_EQ(wait(leave_intent(key())), -SIGKILL);
  for (int i = 0; i < 3; ++i) {
    auto store = open();
    const auto incidents = store->incidents(key());
    ASSERT_EQ(incidents.size(), 1U);
    EXPECT_EQ(incidents[0].verdict, Verdict::crashed);
    EXPECT_EQ(incidents[0].strikes, 1);
    EXPECT_EQ(incidents[0].reason, "process ended while it was running (no verdict)");
    EXPECT_TRUE(store->contents()->intents.empty());
  }
}

TEST_F(StoreProcesses, AZombieIsDeadAndALivingProcessIsNot) {
  auto living = open();
  EXPECT_GT(living->begin_intent(key("living")), 0);
  const pid_t zombie = leave_intent(key("zombie"));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT), 0);
  auto store = open();
  EXPECT_EQ(store->incidents(key("zombie")).size(), 1U);
  EXPECT_TRUE(store->incidents(key("living")).empty());
  EXPECT_EQ(store->contents()->intents.size(), 1U);
  wait(zombie);
}

TEST_F(StoreProcesses, ManyThatOpenAtOnceCountItOnce) {
  { auto store = open(); }
  for (int i = 0; i < 5; ++i) wait(leave_intent(key("solver" + std::to_string(i))));
  // All children wait for the pipe's end to close, then open at once.
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(start([&] {
      ::close(gate[1]);
      char byte = 0;
      static_cast<void>(!::read(gate[0], &byte, 1));
      return open()->contents()->incidents.size() == 5 ? 0 : 1;
    }));
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (const pid_t child : children) EXPECT_EQ(wait(child), 0);
  EXPECT_EQ(open()->contents()->incidents.size(), 5U);
}

TEST_F(StoreProcesses, RebootsAndContainersAreToldApart) {
  const ProcessIdentity self = this_process("");
  EXPECT_GT(self.started, 0);
  EXPECT_FALSE(self.boot.empty());
  EXPECT_FALSE(self.pid_namespace.empty());
  const auto now = k_start_of_test_time;
  IntentRow row{{1, key(), self.pid, self.host, now}, self.started, self.pid_namespace, self.boot};
  EXPECT_FALSE(why_abandoned(row, self, now + 1'000'000)) << "ours and alive, however long it takes";
  row.process_started += 1;
  EXPECT_TRUE(why_abandoned(row, self, now)) << "the number was used again";
  row.process_started = self.started;
  row.boot = "another";
  EXPECT_EQ(why_abandoned(row, self, now), "machine restarted while it was running");
  row.intent.host = "elsewhere";
  EXPECT_FALSE(why_abandoned(row, self, now + 24 * 3600));
  EXPECT_TRUE(why_abandoned(row, self, now + 24 * 3600 + 1));
  row.boot = self.boot;
  row.pid_namespace = "pid:[1]";
  row.intent.pid = INT32_MAX;
  EXPECT_FALSE(why_abandoned(row, self, now)) << "cannot be seen from here";
  EXPECT_TRUE(why_abandoned(row, self, now + 24 * 3600 + 1));
  EXPECT_TRUE(why_abandoned(row, self, now - 24 * 3600 - 1)) << "the clock was set back";
}

TEST_F(StoreProcesses, ParentAndChildGoOnAfterAFork) {
  auto store = open();
  const auto intent = store->begin_intent(key("parent"));
  const pid_t child = start([&] {
    for (int i = 0; i < 30; ++i) {
      const TrialKey trial = key("child", std::to_string(i + 1));
      const auto id = store->begin_intent(trial);
      if (id == 0) return 1;
      store->put_find(find("child" + std::to_string(i), 1.0));
      store->close_intent(id, verdict(Verdict::passed, trial), 0, "");
      if (!store->passed_before(trial)) return 2;
    }
    if (store->begin_intent(key("child", "0")) == 0) return 3;
    return 0;  // with an open intent
  });
  for (int i = 0; i < 30; ++i) store->put_find(find("parent" + std::to_string(i), 1.0));
  store->close_intent(intent, verdict(Verdict::passed, key("parent")), 0, "");
  EXPECT_EQ(wait(child), 0);
  // The parent ends first or last: nothing of the other is lost.
  store.reset();
  store = open();
  const auto contents = store->contents();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->finds.size(), 60U);
  EXPECT_EQ(contents->verdicts.size(), 31U);
  ASSERT_EQ(contents->incidents.size(), 1U) << "the child's intent is judged by the child's process";
  EXPECT_EQ(contents->incidents[0].key.problem, "fwd:n0c64");
  EXPECT_TRUE(store->verify()->empty());
}

TEST_F(StoreProcesses, TheChildsLogSurvivesTheParentsEnd) {
  // SQLite deletes the write-ahead log with the last connection. The parent must know that the child has one too.
  auto store = open();
  store->put_find(find("before", 1.0));
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const pid_t child = start([&] {
    ::close(gate[1]);
    store->put_find(find("child first", 1.0));
    char byte = 0;
    static_cast<void>(!::read(gate[0], &byte, 1));
    store->put_find(find("child last", 1.0));
    return store->begin_intent(key()) > 0 ? 0 : 1;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  store.reset();
  ::close(gate[0]);
  ::close(gate[1]);
  EXPECT_EQ(wait(child), 0);
  store = open();
  EXPECT_EQ(store->contents()->finds.size(), 3U);
  EXPECT_EQ(store->incidents(key()).size(), 1U);
}

TEST_F(StoreProcesses, AForkFromABusyThreadIsSafe) {
#if defined(CONVOY_TEST_SANITIZED)
  GTEST_SKIP() << "a sanitizer's own allocator may stay locked in the child";
#endif
  StoreConfig patient = config();
  patient.busy_timeout = std::chrono::seconds(20);  // the busy thread leaves the file alone for moments only
  auto store = Store::open(patient);
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    for (int i = 0; !stop; ++i) store->put_find(find("busy" + std::to_string(i % 10), i));
  });
  for (int i = 0; i < 10; ++i) {
    const pid_t child = start([&] {
      store->put_find(find("child" + std::to_string(i), 1.0));
      for (const auto& note : store->notes()) {
        if (note.find("memory") != std::string::npos) return ::write(2, note.data(), note.size()) > 0 ? 1 : 2;
      }
      return 0;
    });
    EXPECT_EQ(wait(child), 0);
  }
  stop = true;
  busy.join();
  EXPECT_EQ(store->contents()->finds.size(), 20U);
  EXPECT_TRUE(store->verify()->empty());
}

TEST_F(StoreProcesses, AProcessClonedBehindForksBackKeepsToItsMemory) {
  auto store = open();
  store->put_find(find("parent", 1.0));
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) {
    const bool no_intent = store->begin_intent(key()) == 0;
    store->put_find(find("child", 1.0));
    const auto found = store->find_records("fwd:n32c64", "gfx906/6.2");
    ::_exit(no_intent && found.size() == 1 && found[0].solver == "child" ? 0 : 1);
  }
  EXPECT_EQ(wait(child), 0);
  EXPECT_EQ(store->contents()->finds.size(), 1U);
  EXPECT_TRUE(store->verify()->empty());
}

}  // namespace
}  // namespace convoy
