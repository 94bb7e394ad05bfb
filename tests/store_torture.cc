// Torture of the store: processes killed at random, full disks, read-only folders, damaged bytes. What a process was told
// is committed must be there afterwards, what it left open must be counted once, and nothing may bring a process down.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "store/store.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr unsigned k_seed = 20240914;
constexpr std::int64_t k_start = 1'700'000'000;

StoreConfig config_in(const std::string& folder) {
  StoreConfig config;
  config.folder = folder;
  config.busy_timeout = std::chrono::seconds(30);
  return config;
}

TrialKey key_of(const std::string& name) {
  return {"solver", name, name, "device", "library"};
}
FindRecord find_of(const std::string& name) {
  return {name, "device", "library", "solver", "", 1.0, 0, 0};
}

// Longer than a page of the file, and another for each name.
KernelInfo kernel_of(const std::string& name) {
  return {name, "kernel", "architecture", 0, 0, 1.0, 0, 0};
}
std::string code_of(const std::string& name, std::size_t size = 6000) {
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string>()(name)));
  std::string code(size, '\0');
  for (char& byte : code) byte = static_cast<char>(random());
  return code;
}

bool keeps_in_memory(const Store& store) {
  const auto notes = store.notes();
  return std::any_of(notes.begin(), notes.end(),
                     [](const std::string& note) { return note.find("memory") != std::string::npos; });
}

// Runs `work` in a child and returns its exit status, or minus the signal that ended it.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// --- Killing ---

// What a worker tells the parent, after the store has told it. One write, far below PIPE_BUF: whole or not at all.
struct Report {
  enum Kind : std::uint32_t { begun, found, passed, wrong, cancelled, degraded };
  Kind kind;
  std::uint32_t worker;
  std::uint32_t life;
  std::uint32_t trial;

  std::string name() const { return std::to_string(worker) + "." + std::to_string(life) + "." + std::to_string(trial); }
};

// Works until it is killed.
int work(const StoreConfig& config, std::uint32_t worker, std::uint32_t life, int pipe) {
  const auto store = Store::open(config);
  for (std::uint32_t trial = 0;; ++trial) {
    Report report{Report::begun, worker, life, trial};
    const auto tell = [&](Report::Kind kind) {
      report.kind = keeps_in_memory(*store) ? Report::degraded : kind;
      return ::write(pipe, &report, sizeof report) == sizeof report && report.kind != Report::degraded;
    };
    const TrialKey key = key_of(report.name());
    const std::int64_t intent = store->begin_intent(key);
    if (intent == 0) tell(Report::degraded);
    if (!tell(Report::begun)) return 1;
    if (trial % 4 == 0) store->put_kernel(kernel_of(report.name()), code_of(report.name()));
    store->put_kernel(kernel_of("shared"), code_of("shared"));
    store->put_find(find_of(report.name()));
    if (!tell(Report::found)) return 1;
    if (trial % 3 == 0) {
      store->close_intent(intent, {key, Verdict::passed, 0, 0, 0}, 0, "");
      tell(Report::passed);
    } else if (trial % 3 == 1) {
      store->close_intent(intent, {key, Verdict::wrong_result, 1, 0, 0}, 0, "wrong");
      tell(Report::wrong);
    } else {
      store->cancel_intent(intent);
      tell(Report::cancelled);
    }
  }
}

// What became of one trial: as the workers were told, and as the store has it.
struct Fate {
  std::array<bool, 6> told{};
  std::uint32_t trial = 0;
  int finds = 0;
  int kernels = 0;
  std::vector<Verdict> verdicts;
  std::vector<Incident> incidents;
};

class Killing : public testing::Test {
 protected:
  static constexpr std::uint32_t k_workers = 8;

  Killing() {
    EXPECT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0);
    ::fcntl(pipe_[1], F_SETPIPE_SZ, 1 << 20);
    ::fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
  }
  ~Killing() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }

  virtual StoreConfig config_of(std::uint32_t /*worker*/) const { return config_in(folder_.file("store")); }

  void start(std::uint32_t worker) {
    const std::uint32_t life = lives_[worker]++;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work(config_of(worker), worker, life, pipe_[1]));
    children_[worker] = child;
  }

  void drain() {
    Report report{};
    while (::read(pipe_[0], &report, sizeof report) == sizeof report) {
      ASSERT_LE(report.kind, Report::degraded);
      Fate& fate = fates_[report.name()];
      fate.told[report.kind] = true;
      fate.trial = report.trial;
    }
  }

  void torture(int kills) {
    std::mt19937 random(k_seed);
    std::printf("seed %u, %d kills\n", k_seed, kills);
    for (std::uint32_t worker = 0; worker < k_workers; ++worker) start(worker);
    for (int kill = 0; kill < kills; ++kill) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 100));
      drain();
      const std::uint32_t worker = random() % k_workers;
      ::kill(children_[worker], SIGKILL);
      // Now and then the dead one stays a zombie while its successor opens the store.
      const bool reap_first = random() % 2 == 0;
      const pid_t dead = children_[worker];
      if (reap_first) ::waitpid(dead, nullptr, 0);
      start(worker);
      if (!reap_first) ::waitpid(dead, nullptr, 0);
    }
    for (const pid_t child : children_) ::kill(child, SIGKILL);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
    drain();
  }

  // Opens the store of `worker`'s host, which counts the last dead, and adds what it holds.
  void collect(std::uint32_t worker) {
    const auto store = Store::open(config_of(worker));
    const auto findings = store->verify();
    ASSERT_TRUE(findings);
    for (const std::string& finding : *findings) ADD_FAILURE() << finding;
    const auto contents = store->contents();
    ASSERT_TRUE(contents) << contents.error().message;
    EXPECT_TRUE(contents->intents.empty()) << contents->intents.size() << " intents were not counted";
    for (const auto& record : contents->finds) ++fates_[record.problem].finds;
    for (const auto& kernel : contents->kernels) {
      EXPECT_EQ(store->find_kernel(kernel.key), code_of(kernel.key)) << "half a kernel";
      if (kernel.key != "shared") ++fates_[kernel.key].kernels;
    }
    for (const auto& record : contents->verdicts) fates_[record.key.problem].verdicts.push_back(record.verdict);
    for (const auto& incident : contents->incidents) fates_[incident.key.problem].incidents.push_back(incident);
  }

  void judge() const {
    int trials = 0;
    int crashes = 0;
    for (const auto& [name, fate] : fates_) {
      SCOPED_TRACE("trial " + name);
      judge_one(fate);
      trials += fate.told[Report::begun] ? 1 : 0;
      for (const Incident& incident : fate.incidents) crashes += incident.verdict == Verdict::crashed ? 1 : 0;
    }
    std::printf("%d trials begun, %d of them ended by a kill\n", trials, crashes);
    EXPECT_GT(trials, 100);
    EXPECT_GT(crashes, 0);
  }

  static void judge_one(const Fate& fate) {
    EXPECT_FALSE(fate.told[Report::degraded]) << "a worker could not write";
    if (fate.told[Report::found]) {
      EXPECT_EQ(fate.finds, 1) << "a find is lost";
      EXPECT_EQ(fate.kernels, fate.trial % 4 == 0 ? 1 : 0) << "a kernel is lost";
    }
    const bool passed = fate.verdicts == std::vector{Verdict::passed} && fate.incidents.empty();
    const bool wrong = fate.verdicts == std::vector{Verdict::wrong_result} && fate.incidents.size() == 1 &&
                       fate.incidents[0].verdict == Verdict::wrong_result && fate.incidents[0].strikes == 2;
    const bool crashed = fate.verdicts.empty() && fate.incidents.size() == 1 &&
                         fate.incidents[0].verdict == Verdict::crashed && fate.incidents[0].strikes == 1;
    const bool nothing = fate.verdicts.empty() && fate.incidents.empty();
    if (fate.told[Report::passed]) {
      EXPECT_TRUE(passed);
    } else if (fate.told[Report::wrong]) {
      EXPECT_TRUE(wrong);
    } else if (fate.told[Report::cancelled]) {
      EXPECT_TRUE(nothing);
    } else if (fate.told[Report::begun]) {
      // Killed before it could tell: either the last step was committed or the trial counts as crashed, once.
      const std::array<bool, 3> committed{passed, wrong, nothing};
      EXPECT_TRUE(committed[fate.trial % 3] || crashed);
    } else {
      EXPECT_TRUE(nothing || crashed);
    }
  }

  TestFolder folder_;
  std::array<int, 2> pipe_{};
  std::array<pid_t, k_workers> children_{};
  std::array<std::uint32_t, k_workers> lives_{};
  std::map<std::string, Fate> fates_;
};

TEST_F(Killing, LosesNothingAndCountsOnce) {
  torture(200);
  collect(0);
  judge();
}

class KillingOnTwoHosts : public Killing {
 protected:
  StoreConfig config_of(std::uint32_t worker) const override {
    StoreConfig config = Killing::config_of(worker);
    config.assume_network_filesystem = true;
    config.host = worker % 2 == 0 ? "even" : "odd";
    return config;
  }
};

TEST_F(KillingOnTwoHosts, LosesNothingAndCountsOnceWithoutWal) {
  torture(60);
  collect(0);
  collect(1);
  judge();
}

// --- Full disks ---

// Fills the ledger until it can take no more. All that was recorded must hold in this process; once there is room,
// all of it must be in the file. Returns an exit status.
int fill_up(const std::string& folder, const std::function<void()>& make_room) {
  std::int64_t time = k_start;
  StoreConfig config = config_in(folder);
  config.now = [&] { return time; };
  auto store = Store::open(config);
  int recorded = 0;
  for (int after = 0; after < 20; ++recorded) {
    if (recorded > 20'000) return 2;  // it never filled up
    store->add_incident(key_of("full"), Verdict::failed, 1, std::to_string(recorded) + std::string(2000, 'r'));
    store->put_find(find_of("find" + std::to_string(recorded)));
    if (keeps_in_memory(*store)) ++after;
  }
  if (store->begin_intent(key_of("full")) != 0) return 3;
  const auto held = store->contents();
  if (!held || held->incidents.size() != static_cast<std::size_t>(recorded)) return 4;
  for (int i = 0; i < recorded; ++i) {
    if (store->find_records("find" + std::to_string(i), "device").size() != 1) return 5;
  }
  store->put_kernel(kernel_of("full"), code_of("full", 500'000));
  if (store->find_kernel("full")) return 10;
  make_room();
  time += 60;
  store->add_incident(key_of("full"), Verdict::failed, 1, "after");
  store->put_find(find_of("after"));
  store->put_kernel(kernel_of("after"), code_of("after"));
  if (store->find_kernel("after") != code_of("after")) return 11;
  if (keeps_in_memory(*store)) return 6;
  store = Store::open(config);
  const auto contents = store->contents();
  if (!contents || !store->verify()->empty()) return 7;
  if (contents->incidents.size() != static_cast<std::size_t>(recorded) + 1) return 8;
  if (contents->finds.size() != static_cast<std::size_t>(recorded) + 1) return 9;
  return 0;
}

TEST(FullDisk, LimitOnTheFileSize) {
  const TestFolder folder;
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit tight{rlim_t{200} * 1024, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    return fill_up(folder.file("store"), [&] { ::setrlimit(RLIMIT_FSIZE, &limit); });
  });
  EXPECT_EQ(status, 0);
}

constexpr int k_cannot_mount = 77;

// A small file system of our own, in a mount namespace that ends with the process.
bool mount_small(const std::string& folder, const char* options) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  fs::create_directory(folder);
  return ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID, options) == 0;
}

TEST(FullDisk, SmallFileSystem) {
  const TestFolder folder;
  const std::string store = folder.file("store");
  const int status = in_child([&] {
    if (!mount_small(store, "size=400k,mode=0700")) return k_cannot_mount;
    return fill_up(store,
                   [&] { ::mount("tmpfs", store.c_str(), "tmpfs", MS_NOSUID | MS_REMOUNT, "size=64m,mode=0700"); });
  });
  if (status == k_cannot_mount) GTEST_SKIP() << "NOT TESTED: no right to mount a file system";
  EXPECT_EQ(status, 0);
}

TEST(FullDisk, FullFromTheStart) {
  const TestFolder folder;
  const std::string path = folder.file("store");
  const int status = in_child([&] {
    if (!mount_small(path, "size=64k,mode=0700")) return k_cannot_mount;
    static_cast<void>(write_file_atomically(path + "/ballast", std::string(64 * 1024 - 4096, 'x')));
    static_cast<void>(write_file_atomically(path + "/ballast2", std::string(4096, 'x')));
    const auto store = Store::open(config_in(path));
    store->add_incident(key_of("a"), Verdict::crashed, 2, "");
    store->put_find(find_of("a"));
    if (!keeps_in_memory(*store)) return 2;
    return store->incidents(key_of("a")).size() == 1 && store->find_records("a", "device").size() == 1 ? 0 : 3;
  });
  if (status == k_cannot_mount) GTEST_SKIP() << "NOT TESTED: no right to mount a file system";
  EXPECT_EQ(status, 0);
}

// --- Folders that can only be read ---

int write_some(const std::string& folder) {
  const auto store = Store::open(config_in(folder));
  store->close_intent(store->begin_intent(key_of("a")), {key_of("a"), Verdict::passed, 0, 0, 0}, 0, "");
  store->put_find(find_of("a"));
  store->put_kernel(kernel_of("a"), code_of("a"));
  return keeps_in_memory(*store) ? 1 : 0;
}

// What was written is read, what is new holds in this process.
int use_read_only(const std::string& folder) {
  const auto store = Store::open(config_in(folder));
  if (!store->passed_before(key_of("a"))) return 2;
  if (store->find_records("a", "device").size() != 1) return 3;
  if (store->begin_intent(key_of("b")) != 0) return 4;
  store->add_incident(key_of("b"), Verdict::crashed, 2, "");
  store->put_find(find_of("b"));
  if (store->incidents(key_of("b")).size() != 1) return 5;
  if (store->find_records("b", "device").size() != 1) return 6;
  if (store->find_kernel("a") != code_of("a")) return 8;
  store->put_kernel(kernel_of("b"), code_of("b"));
  if (store->find_kernel("b")) return 9;
  return keeps_in_memory(*store) ? 0 : 7;
}

TEST(ReadOnly, FileSystem) {
  for (const bool crashed : {false, true}) {
    const TestFolder folder;
    const std::string path = folder.file("store");
    const int status = in_child([&] {
      if (!mount_small(path, "size=4m,mode=0700")) return k_cannot_mount;
      // With `crashed`, the writer leaves its write-ahead log behind.
      const int written = in_child([&] {
        const auto store = Store::open(config_in(path));
        const int failed = write_some(path);
        if (crashed) ::_exit(failed);
        return failed;
      });
      if (written != 0) return written;
      ::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_REMOUNT | MS_RDONLY, "size=4m,mode=0700");
      return use_read_only(path);
    });
    if (status == k_cannot_mount) GTEST_SKIP() << "NOT TESTED: no right to mount a file system";
    EXPECT_EQ(status, 0) << (crashed ? "after a crash" : "");
  }
}

TEST(ReadOnly, FolderWithoutWritePermission) {
  const TestFolder folder;
  const std::string path = folder.file("store");
  fs::permissions(folder.path(), fs::perms::all);
  const int status = in_child([&] {
    // Permissions do not bind root.
    constexpr uid_t k_nobody = 65534;
    if (::geteuid() == 0 && ::setuid(k_nobody) != 0) return k_cannot_mount;
    if (const int written = in_child([&] { return write_some(path); }); written != 0) return written;
    ::chmod(path.c_str(), 0500);
    const int used = in_child([&] { return use_read_only(path); });
    ::chmod(path.c_str(), 0700);
    return used;
  });
  if (status == k_cannot_mount) GTEST_SKIP() << "NOT TESTED: no right to become another user";
  EXPECT_EQ(status, 0);
}

// --- Damage ---

// All calls; nothing is known about their answers, except that they come.
void use_all(const StoreConfig& config) {
  const auto store = Store::open(config);
  for (int i = 0; i < 10; ++i) {
    const std::string name = std::to_string(i * 20);
    store->find_records(name, "device");
    store->passed_before(key_of(name));
    store->incidents(key_of(name));
    store->close_intent(store->begin_intent(key_of(name)), {key_of(name), Verdict::failed, 0, 0, 0}, 0, "again");
    store->put_find(find_of(name));
    if (const auto code = store->find_kernel(name)) {
      EXPECT_EQ(*code, code_of(name)) << "damaged code";
    }
    store->put_kernel(kernel_of(name), code_of(name));
  }
  store->incidents_of_solver("solver", "device", "library");
  static_cast<void>(store->contents());
  static_cast<void>(store->export_lines(Kernels::included));
  EXPECT_TRUE(store->verify());
  static_cast<void>(store->prune(std::chrono::hours(1)));
  static_cast<void>(store->forget("20"));
  EXPECT_GE(store->notes().size(), 2U);
}

void damage(const std::string& path, std::mt19937& random) {
  auto content = read_file(path, 1 << 26).value_or("");
  if (content.empty()) return;
  if (random() % 8 == 0) content.resize(random() % content.size());
  const std::size_t edits = content.empty() ? 0 : 1 + random() % 20;
  for (std::size_t i = 0; i < edits; ++i) {
    const std::size_t at = random() % content.size();
    const std::size_t length = std::min<std::size_t>(1 + random() % 64, content.size() - at);
    for (std::size_t k = 0; k < length; ++k) content[at + k] = static_cast<char>(random());
  }
  ASSERT_TRUE(write_file_atomically(path, content));
}

TEST(Damage, BytesOverwrittenAtRandom) {
  const TestFolder folder;
  // As a kill leaves it: with write-ahead logs that still hold half of the rows.
  in_child([&] {
    const auto store = Store::open(config_in(folder.file("sound")));
    for (int i = 0; i < 200; ++i) {
      const std::string name = std::to_string(i);
      store->put_find(find_of(name));
      if (i % 10 == 0) store->put_kernel(kernel_of(name), code_of(name));
      store->close_intent(0, {key_of(name), Verdict::failed, 0, 0, 0}, 0, std::string(100, 'r'));
    }
    return 0;
  });
  std::printf("seed %u\n", k_seed);
  std::mt19937 random(k_seed);
  const std::string path = folder.file("store");
  for (int round = 0; round < 100; ++round) {
    fs::remove_all(path);
    fs::copy(folder.file("sound"), path);
    fs::permissions(path, fs::perms::owner_all);
    for (const char* name : {"/cache.db", "/ledger.db", "/cache.db-wal", "/ledger.db-wal"}) {
      if (random() % 2 == 0) damage(path + name, random);
    }
    SCOPED_TRACE("round " + std::to_string(round));
    ASSERT_EQ(in_child([&] {
                use_all(config_in(path));
                use_all(config_in(path));
                return testing::Test::HasFailure() ? 1 : 0;
              }),
              0);
  }
}

}  // namespace
}  // namespace convoy
