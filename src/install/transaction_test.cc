// Interrupted or failed at each single step: every file is as it was or as it shall be, and the next run finishes or undoes it.
#include "install/transaction.h"

#include <climits>
#include <functional>

#include <gtest/gtest.h>

#include "install/test_installation.h"

namespace convoy {
namespace {

const std::vector<std::string> k_none;

using Outcome = Result<std::vector<FileChange>>;

// What brings a fresh machine to where the run under test begins, and that run.
struct Scenario {
  const char* name;
  std::function<void(TestInstallation&)> before;
  std::function<Outcome(InstallTree&, const InstallPlaces&)> run;
};

Outcome install_first(InstallTree& tree, const InstallPlaces& places) {
  return install(tree, places, TestInstallation::plan(), TestInstallation::label());
}

// Another text in nearly every file, one file less, one more.
Outcome upgrade(InstallTree& tree, const InstallPlaces& places) {
  return install(tree, places, TestInstallation::plan("gemm", {"jupyter"}), TestInstallation::label("gemm", "2.0.0"));
}

void is_installed(TestInstallation& machine) {
  ASSERT_TRUE(install_first(machine.tree(), machine.places()));
}

std::vector<Scenario> scenarios() {
  return {{"install", [](TestInstallation&) {}, install_first},
          {"upgrade", is_installed, upgrade},
          {"uninstall", is_installed, uninstall}};
}

// Files of the state come and go; all others are in the former or in the new state, or temporaries beside them.
void expect_former_or_new(const Snapshot& now, const Snapshot& former, const Snapshot& next) {
  const auto in = [](const Snapshot& snapshot, const std::string& path) {
    const auto found = snapshot.find(path);
    return found == snapshot.end() ? std::string("absent") : found->second;
  };
  Snapshot all = now;
  all.insert(former.begin(), former.end());
  all.insert(next.begin(), next.end());
  for (const auto& [path, unused] : all) {
    if (path.starts_with("/var/lib/convoy") || path.ends_with(".convoy-new")) continue;
    const std::string here = in(now, path);
    EXPECT_TRUE(here == in(former, path) || here == in(next, path)) << path << ": " << here;
  }
}

Snapshot result_of(const Scenario& scenario) {
  TestInstallation machine;
  scenario.before(machine);
  EXPECT_TRUE(scenario.run(machine.tree(), machine.places()));
  return machine.without_times();
}

TEST(InstallTransaction, DyingAtAnyStepLeavesWhatTheNextRunFinishesOrUndoes) {
  for (const Scenario& scenario : scenarios()) {
    const Snapshot next = result_of(scenario);
    int step = 0;
    for (bool died = true; died; ++step) {
      for (const bool undo : {false, true}) {
        TestInstallation machine;
        const Snapshot original = machine.with_times();
        scenario.before(machine);
        const Snapshot former = machine.without_times();
        FaultTree tree(machine.tree(), step, true);
        const auto outcome = scenario.run(tree, machine.places());
        died = tree.has_failed();
        EXPECT_NE(died, outcome.has_value());
        SCOPED_TRACE(std::string(scenario.name) + " died at step " + std::to_string(step));
        expect_former_or_new(machine.without_times(), former, next);
        if (undo) {
          const auto undone = uninstall(machine.tree(), machine.places());
          ASSERT_TRUE(undone) << undone.error().message;
          EXPECT_EQ(differences(machine.with_times(), original), k_none);
        } else {
          const auto finished = scenario.run(machine.tree(), machine.places());
          ASSERT_TRUE(finished) << finished.error().message;
          EXPECT_EQ(differences(machine.without_times(), next), k_none);
        }
        if (testing::Test::HasFailure()) return;
      }
    }
    EXPECT_GT(step, 20) << "the steps were not counted";
  }
}

TEST(InstallTransaction, AFailureAtAnyStepIsUndoneAtOnceOrFinishedByTheNextRun) {
  for (const Scenario& scenario : scenarios()) {
    const Snapshot next = result_of(scenario);
    int undone = 0, step = 0;
    for (bool failed = true; failed; ++step) {
      TestInstallation machine;
      scenario.before(machine);
      const Snapshot former = machine.with_times(), former_without_times = machine.without_times();
      FaultTree tree(machine.tree(), step, false);
      const auto outcome = scenario.run(tree, machine.places());
      failed = tree.has_failed();
      SCOPED_TRACE(std::string(scenario.name) + " failed at step " + std::to_string(step));
      expect_former_or_new(machine.without_times(), former_without_times, next);
      if (!outcome && outcome.error().message.find("everything is as it was") != std::string::npos) {
        ++undone;
        Snapshot now = machine.with_times();
        // Written again, with the same text.
        if (now.contains("/var/lib/convoy/install.json")) {
          now["/var/lib/convoy/install.json"] = former.at("/var/lib/convoy/install.json");
        }
        EXPECT_EQ(differences(now, former), k_none);
      }
      if (!outcome) {
        EXPECT_NE(outcome.error().message.find("the disk is full"), std::string::npos);
      }
      const auto finished = scenario.run(machine.tree(), machine.places());
      ASSERT_TRUE(finished) << finished.error().message;
      EXPECT_EQ(differences(machine.without_times(), next), k_none);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(undone, 10) << scenario.name;
  }
}

// So much fits on the disk, in blocks, and no more.
class FullTree : public FaultTree {
 public:
  FullTree(TestInstallation& machine, std::size_t capacity)
      : FaultTree(machine.tree(), INT_MAX, false), machine_(machine), capacity_(capacity) {}

  Result<void> stage(const std::string& path, const FileState& file) override {
    std::size_t used = 0;
    for (const auto& [unused, text] : machine_.without_times()) used += in_blocks(text.size());
    const std::size_t room = capacity_ > used ? capacity_ - used : 0;
    if (in_blocks(file.content.size()) <= room) return FaultTree::stage(path, file);
    FileState part = file;
    part.content.resize(room);
    (void)FaultTree::stage(path, part);
    return fail(ErrorCode::io, "the disk is full");
  }

  static constexpr std::size_t k_block = 500;

 private:
  static std::size_t in_blocks(std::size_t size) { return (size + k_block - 1) / k_block * k_block; }

  TestInstallation& machine_;
  std::size_t capacity_;
};

TEST(InstallTransaction, AFullDiskIsNoReasonNotToUndo) {
  std::size_t undone = 0;
  for (std::size_t capacity = 0; capacity < 100'000; capacity += FullTree::k_block) {
    TestInstallation machine;
    const Snapshot former = machine.with_times();
    FullTree tree(machine, capacity);
    const auto outcome = install_first(tree, machine.places());
    if (outcome) break;
    EXPECT_TRUE(outcome.error().message.starts_with("the disk is full; everything is as it was") ||
                outcome.error().message.starts_with("all files are in place"))
        << outcome.error().message;
    if (!outcome.error().message.starts_with("the disk is full")) continue;
    ++undone;
    EXPECT_EQ(differences(machine.with_times(), former), k_none) << capacity;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(undone, 20U);
}

// One file that nothing can replace, as with `chattr +i`.
class StubbornTree : public FaultTree {
 public:
  StubbornTree(RealTree& real, std::string path) : FaultTree(real, INT_MAX, false), path_(std::move(path)) {}

  Result<void> publish(const std::string& path) override {
    return path == path_ ? fail(ErrorCode::io, "not permitted") : FaultTree::publish(path);
  }

 private:
  std::string path_;
};

TEST(InstallTransaction, AFileThatCannotBeReplacedIsNoReasonNotToUndo) {
  for (const PlannedFile& file : TestInstallation::plan()) {
    TestInstallation machine;
    const Snapshot former = machine.with_times();
    StubbornTree tree(machine.tree(), file.path);
    const auto outcome = install_first(tree, machine.places());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message, "not permitted; everything is as it was");
    EXPECT_EQ(differences(machine.with_times(), former), k_none) << file.path;
  }
}

TEST(InstallTransaction, WhatSomebodyHasPutInTheWaySinceDoesNotStopTheRest) {
  for (const bool link : {false, true}) {
    TestInstallation machine;
    is_installed(machine);
    const std::string folder = machine.folder().file("etc/systemd");
    std::filesystem::rename(folder, folder + "-moved");
    if (link) {
      std::filesystem::create_symlink("systemd-moved", folder);
    } else {
      machine.folder().write("etc/systemd", "a file\n");
    }
    std::filesystem::remove_all(machine.folder().file("var/lib/convoy/backup"));
    for (int i = 0; i < 2; ++i) {
      const auto done = uninstall(machine.tree(), machine.places());
      ASSERT_TRUE(done) << done.error().message;
      for (const FileChange& change : *done) {
        const bool others = change.path.starts_with("/etc/systemd/") || change.path == "/etc/profile.d/convoy.sh";
        EXPECT_EQ(change.kind == FileChange::Kind::left_alone, others) << change.path;
      }
    }
    EXPECT_FALSE(std::filesystem::exists(machine.folder().file("etc/udev")));
    // Once the way is free, the rest goes.
    std::filesystem::remove(folder);
    std::filesystem::rename(folder + "-moved", folder);
    std::filesystem::remove(machine.folder().file("etc/profile.d/convoy.sh"));
    ASSERT_TRUE(uninstall(machine.tree(), machine.places()));
    EXPECT_FALSE(std::filesystem::exists(folder));
    EXPECT_FALSE(std::filesystem::exists(machine.folder().file("var/lib/convoy")));
  }
}

TEST(InstallTransaction, ManyChangesOfMindDoNotMakeTheListTooLongToBeRead) {
  TestInstallation machine;
  const Snapshot before = machine.with_times();
  for (int round = 0; round < 10; ++round) {
    std::vector<std::string> units;
    for (int i = 0; i < 40; ++i) units.push_back(fmt::format("unit{}-{}", round, i));
    const auto done =
        install(machine.tree(), machine.places(), TestInstallation::plan("", units), TestInstallation::label());
    ASSERT_TRUE(done) << done.error().message;
  }
  ASSERT_TRUE(uninstall(machine.tree(), machine.places()));
  EXPECT_EQ(differences(machine.with_times(), before), k_none);
}

TEST(InstallTransaction, TheSecondTimeTouchesNothing) {
  TestInstallation machine;
  is_installed(machine);
  const Snapshot before = machine.with_times();
  FaultTree tree(machine.tree(), 0, true);
  const auto again = install_first(tree, machine.places());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(tree.has_failed());
  for (const FileChange& change : *again) EXPECT_EQ(change.kind, FileChange::Kind::none) << change.path;
  EXPECT_EQ(differences(machine.with_times(), before), k_none);
}

}  // namespace
}  // namespace convoy
