// For tests: a small machine in a folder, everything that can be seen of it as text, and a tree whose steps fail.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/test_folder.h"
#include "install/transaction.h"

namespace convoy {

// Path -> kind, mode, content, and the time of files where asked for.
using Snapshot = std::map<std::string, std::string>;

inline Snapshot snapshot_of(const std::string& root, bool times) {
  Snapshot result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    struct stat status {};
    ::lstat(entry.path().c_str(), &status);
    std::string text = std::to_string(status.st_mode);
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      text.append(":").append(std::istreambuf_iterator<char>(file), {});
      if (times) text += fmt::format("@{}.{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    result.emplace(entry.path().string().substr(root.size()), std::move(text));
  }
  return result;
}

// The paths that differ; a comparison that fails should not print whole machines.
inline std::vector<std::string> differences(const Snapshot& one, const Snapshot& other) {
  std::vector<std::string> paths;
  for (const auto& [path, text] : one) {
    const auto found = other.find(path);
    if (found == other.end())
      paths.push_back(path + " is too much");
    else if (found->second != text)
      paths.push_back(path + " differs");
  }
  for (const auto& [path, text] : other) {
    if (!one.contains(path)) paths.push_back(path + " is missing");
  }
  return paths;
}

// A real tree that counts the steps that change something. The step that was asked for fails; with `dies`, so do all after it, as
// for a process that was killed, and a file that is being staged is left half written.
class FaultTree : public InstallTree {
 public:
  FaultTree(RealTree& real, int failing_step, bool dies) : real_(real), failing_step_(failing_step), dies_(dies) {}

  Result<std::optional<FileState>> read(const std::string& path) override { return real_.read(path); }
  Result<bool> has_folder(const std::string& path) override { return real_.has_folder(path); }
  Result<Descriptor> lock(const std::string& folder) override { return real_.lock(folder); }
  Result<void> stage(const std::string& path, const FileState& file) override {
    if (!is_failing()) return real_.stage(path, file);
    FileState half = file;
    half.content.resize(half.content.size() / 2);
    const bool first = step_ == failing_step_ + 1;
    if (dies_ && first) (void)real_.stage(path, half);
    return failure();
  }
  Result<void> publish(const std::string& path) override { return is_failing() ? failure() : real_.publish(path); }
  Result<void> discard(const std::string& path) override { return is_failing() ? failure() : real_.discard(path); }
  Result<void> remove(const std::string& path) override { return is_failing() ? failure() : real_.remove(path); }
  Result<void> make_folder(const std::string& path, unsigned mode) override {
    return is_failing() ? failure() : real_.make_folder(path, mode);
  }
  Result<void> remove_folder(const std::string& path) override {
    return is_failing() ? failure() : real_.remove_folder(path);
  }

  bool has_failed() const { return step_ > failing_step_; }

 private:
  bool is_failing() {
    const int step = step_++;
    return dies_ ? step >= failing_step_ : step == failing_step_;
  }
  static Result<void> failure() { return fail(ErrorCode::io, "the disk is full"); }

  RealTree& real_;
  int failing_step_;
  bool dies_;
  int step_ = 0;
};

// Files are flushed hundreds of times, which in memory costs nothing.
inline std::filesystem::path fast_folder() {
  std::error_code error;
  const bool there = std::filesystem::is_directory("/dev/shm", error) && ::access("/dev/shm", W_OK) == 0;
  return there ? "/dev/shm" : std::filesystem::temp_directory_path();
}

// A system with files of others: one that is replaced, one that gets a block and has no newline at its end.
class TestInstallation {
 public:
  TestInstallation() {
    for (const char* name : {"etc/profile.d", "etc/zsh", "var/lib"})
      std::filesystem::create_directories(folder_.file(name));
    folder_.write("etc/profile.d/convoy.sh", "echo mine\n");
    folder_.write("etc/zsh/zprofile", "echo zsh");
    folder_.write("etc/profile.d/other.sh", "echo other\n");
    // The same for every machine, as it stands in manifests.
    const timespec old[2] = {{0, UTIME_OMIT}, {1'582'934'400, 123}};
    for (const char* name : {"etc/profile.d/convoy.sh", "etc/zsh/zprofile"}) {
      ::utimensat(AT_FDCWD, folder_.file(name).c_str(), old, 0);
    }
    std::filesystem::permissions(folder_.file("etc/zsh/zprofile"), std::filesystem::perms(0600));
  }

  static std::vector<PlannedFile> plan(const std::string& strategy = "", std::vector<std::string> units = {"comfyui"}) {
    const InstallOptions options{"/usr/bin/convoy", strategy, "/usr/lib/libconvoy_miopen.so", {}, std::move(units)};
    return plan_install({}, options, {false, true, false, false});
  }
  static InstallLabel label(const std::string& strategy = "", const std::string& version = "1.0.0") {
    return {version, "/usr/bin/convoy", strategy};
  }

  RealTree& tree() { return tree_; }
  const TestFolder& folder() const { return folder_; }
  const InstallPlaces& places() const { return places_; }
  Snapshot with_times() const { return snapshot_of(folder_.path(), true); }
  Snapshot without_times() const { return snapshot_of(folder_.path(), false); }

 private:
  TestFolder folder_{fast_folder()};
  RealTree tree_ = *RealTree::open(folder_.path());
  InstallPlaces places_;
};

}  // namespace convoy
