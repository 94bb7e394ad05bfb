// What users do to files between an installation and the next run, and what becomes of it.
#include "install/changes.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "install/block.h"
#include "install/test_installation.h"

namespace convoy {
namespace {

const std::vector<std::string> k_none;

namespace fs = std::filesystem;
using Kind = FileChange::Kind;

class InstallChanges : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(install_again()); }

  Result<std::vector<FileChange>> install_again(const std::string& strategy = "") {
    return install(machine_.tree(), machine_.places(), TestInstallation::plan(strategy),
                   TestInstallation::label(strategy));
  }
  Result<std::vector<FileChange>> uninstall_all() { return uninstall(machine_.tree(), machine_.places()); }

  std::string text(const std::string& name) {
    return read_file(machine_.folder().file(name), 1 << 20).value_or("(none)");
  }
  void append(const std::string& name, const std::string& more) { machine_.folder().write(name, text(name) + more); }

  static std::vector<std::string> left_alone(const std::vector<FileChange>& changes) {
    std::vector<std::string> paths;
    for (const FileChange& change : changes) {
      if (change.kind == Kind::left_alone) paths.push_back(change.path);
    }
    return paths;
  }
  InstalledState state(const std::string& path) {
    const auto manifest = *read_manifest(machine_.tree(), machine_.places());
    const auto entry = std::ranges::find(manifest->files, path, &ManifestEntry::path);
    return entry == manifest->files.end() ? InstalledState::unreadable : state_of(machine_.tree(), *entry);
  }

  TestInstallation machine_;
  const Snapshot original_ = TestInstallation().without_times();
};

TEST_F(InstallChanges, AChangedFileIsKeptByUpgradesAndUninstallations) {
  append("etc/udev/rules.d/60-convoy.rules", "# mine\n");
  EXPECT_EQ(state("/etc/udev/rules.d/60-convoy.rules"), InstalledState::changed);
  const std::string mine = text("etc/udev/rules.d/60-convoy.rules");
  const auto upgraded = install_again("gemm");
  ASSERT_TRUE(upgraded);
  EXPECT_EQ(left_alone(*upgraded), std::vector<std::string>{"/etc/udev/rules.d/60-convoy.rules"});
  const auto gone = uninstall_all();
  ASSERT_TRUE(gone);
  EXPECT_EQ(left_alone(*gone), std::vector<std::string>{"/etc/udev/rules.d/60-convoy.rules"});
  EXPECT_EQ(text("etc/udev/rules.d/60-convoy.rules"), mine);
  // The list still knows it, so that once it is gone all is gone.
  fs::remove(machine_.folder().file("etc/udev/rules.d/60-convoy.rules"));
  ASSERT_TRUE(uninstall_all());
  EXPECT_EQ(differences(machine_.without_times(), original_), k_none);
}

TEST_F(InstallChanges, AChangedModeIsAChange) {
  fs::permissions(machine_.folder().file("etc/profile.d/convoy.sh"), fs::perms(0444));
  EXPECT_EQ(state("/etc/profile.d/convoy.sh"), InstalledState::changed);
  EXPECT_EQ(left_alone(*uninstall_all()), std::vector<std::string>{"/etc/profile.d/convoy.sh"});
}

TEST_F(InstallChanges, WhatIsWrittenRoundABlockStays) {
  append("etc/zsh/zprofile", "echo later\n");
  EXPECT_EQ(state("/etc/zsh/zprofile"), InstalledState::as_written);
  const auto upgraded = install_again("gemm");
  ASSERT_TRUE(upgraded && left_alone(*upgraded).empty());
  EXPECT_NE(text("etc/zsh/zprofile").find("--strategy gemm"), std::string::npos);
  EXPECT_TRUE(text("etc/zsh/zprofile").ends_with("echo later\n"));
  const auto gone = uninstall_all();
  ASSERT_TRUE(gone && left_alone(*gone).empty());
  EXPECT_EQ(text("etc/zsh/zprofile"), "echo zsh\necho later\n");
}

TEST_F(InstallChanges, AChangedBlockIsLeftAlone) {
  std::string changed = text("etc/zsh/zprofile");
  changed.insert(changed.find("if "), "echo inside\n");
  machine_.folder().write("etc/zsh/zprofile", changed);
  EXPECT_EQ(state("/etc/zsh/zprofile"), InstalledState::changed);
  EXPECT_EQ(left_alone(*install_again("gemm")), std::vector<std::string>{"/etc/zsh/zprofile"});
  EXPECT_EQ(left_alone(*uninstall_all()), std::vector<std::string>{"/etc/zsh/zprofile"});
  EXPECT_EQ(text("etc/zsh/zprofile"), changed);
}

TEST_F(InstallChanges, WhatTheUserRemovedComesBackByInstallAndIsNoObstacleToUninstall) {
  machine_.folder().write("etc/zsh/zprofile", "echo new\n");
  fs::remove(machine_.folder().file("etc/convoy/container-entrypoint"));
  EXPECT_EQ(state("/etc/zsh/zprofile"), InstalledState::missing);
  EXPECT_EQ(state("/etc/convoy/container-entrypoint"), InstalledState::missing);
  ASSERT_TRUE(install_again());
  EXPECT_EQ(state("/etc/zsh/zprofile"), InstalledState::as_written);
  EXPECT_EQ(state("/etc/convoy/container-entrypoint"), InstalledState::as_written);
  ASSERT_TRUE(uninstall_all());
  EXPECT_EQ(text("etc/zsh/zprofile"), "echo new\n");
}

TEST_F(InstallChanges, AFormerFileComesBackThoughOursIsGone) {
  fs::remove(machine_.folder().file("etc/profile.d/convoy.sh"));
  ASSERT_TRUE(uninstall_all());
  EXPECT_EQ(text("etc/profile.d/convoy.sh"), "echo mine\n");
}

TEST_F(InstallChanges, ADamagedBackupRestoresNothing) {
  for (const auto& entry : fs::directory_iterator(machine_.folder().file("var/lib/convoy/backup"))) {
    std::ofstream(entry.path()) << "echo evil\n";
  }
  EXPECT_EQ(left_alone(*uninstall_all()), std::vector<std::string>{"/etc/profile.d/convoy.sh"});
  EXPECT_EQ(text("etc/profile.d/convoy.sh").find("evil"), std::string::npos);
}

TEST_F(InstallChanges, AForeignBlockIsNotTakenOver) {
  TestInstallation other;
  other.folder().write("etc/zsh/zprofile", as_block("echo foreign\n"));
  const Snapshot before = other.without_times();
  const auto done = install(other.tree(), other.places(), TestInstallation::plan(), TestInstallation::label());
  EXPECT_EQ(left_alone(*done), std::vector<std::string>{"/etc/zsh/zprofile"});
  ASSERT_TRUE(uninstall(other.tree(), other.places()));
  EXPECT_EQ(differences(other.without_times(), before), k_none);
}

TEST_F(InstallChanges, ALinkInTheWayIsLeftAloneAndNamed) {
  TestInstallation other;
  const TestFolder outside;
  fs::remove(other.folder().file("etc/profile.d/convoy.sh"));
  fs::create_symlink(outside.file("target"), other.folder().file("etc/profile.d/convoy.sh"));
  const Snapshot before = other.without_times();
  const auto done = install(other.tree(), other.places(), TestInstallation::plan(), TestInstallation::label());
  EXPECT_EQ(left_alone(*done), std::vector<std::string>{"/etc/profile.d/convoy.sh"});
  EXPECT_EQ(outside.entries(), 0);
  ASSERT_TRUE(uninstall(other.tree(), other.places()));
  EXPECT_EQ(differences(other.without_times(), before), k_none);
}

TEST_F(InstallChanges, WhatIsNoLongerPlannedGetsItsFormerState) {
  const auto fewer = TestInstallation::plan("", {});
  ASSERT_TRUE(install(machine_.tree(), machine_.places(), fewer, TestInstallation::label()));
  EXPECT_FALSE(fs::exists(machine_.folder().file("etc/systemd/system/comfyui.service.d")));
  EXPECT_TRUE(fs::exists(machine_.folder().file("etc/systemd/system/convoy-environment.service")));
}

}  // namespace
}  // namespace convoy
