// The files of a machine or an image, as `convoy install` reads and changes them. Every change is one step that has happened or has
// not: a file is written under another name first (stage), then takes its place (publish). No path is ever followed through a
// link, neither at its end nor on the way, and no folder that everyone may write is written into.
//
// An interface, so that tests can fail or end the process at each step.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace convoy {

struct FileState {
  std::string content;
  unsigned mode = 0644;
  // Unset for files of ours: they belong to who writes them, and are as old as they are.
  std::optional<std::uint32_t> owner, group;
  std::optional<std::int64_t> modified_ns;  // since 1970

  // What a reader of the file can tell: its age and owner are not compared.
  bool same_as(const FileState& other) const { return content == other.content && mode == other.mode; }
};

// Paths are absolute, as somebody inside the tree would say them, without "." and "..".
class InstallTree {
 public:
  virtual ~InstallTree() = default;

  // nullopt: there is nothing. An Error: a link, no regular file, over a mebibyte, or not to be read.
  virtual Result<std::optional<FileState>> read(const std::string& path) = 0;
  virtual Result<bool> has_folder(const std::string& path) = 0;

  // Writes what is to stand at `path` beside it, down to the disk. What an interrupted run has left there is replaced.
  virtual Result<void> stage(const std::string& path, const FileState& file) = 0;
  virtual Result<void> publish(const std::string& path) = 0;
  // Removes what stage() wrote, if it is there.
  virtual Result<void> discard(const std::string& path) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> make_folder(const std::string& path, unsigned mode) = 0;
  // A folder that is not empty, or not there, and what somebody has put in its place, stays as it is.
  virtual Result<void> remove_folder(const std::string& path) = 0;

  // Keeps others out until the descriptor goes; the lock is on the folder itself, so that nothing is left behind. An Error: there
  // is no such folder, or somebody else is at work.
  virtual Result<Descriptor> lock(const std::string& folder) = 0;

  // stage() and publish().
  Result<void> write(const std::string& path, const FileState& file);
};

// The tree below `root`, which is "" for this machine or an absolute path.
class RealTree : public InstallTree {
 public:
  static Result<RealTree> open(const std::string& root);

  Result<std::optional<FileState>> read(const std::string& path) override;
  Result<bool> has_folder(const std::string& path) override;
  Result<void> stage(const std::string& path, const FileState& file) override;
  Result<void> publish(const std::string& path) override;
  Result<void> discard(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_folder(const std::string& path, unsigned mode) override;
  Result<void> remove_folder(const std::string& path) override;
  Result<Descriptor> lock(const std::string& folder) override;

 private:
  explicit RealTree(Descriptor root) : root_(std::move(root)) {}
  // An invalid descriptor: there is no such folder.
  Result<Descriptor> open_folder(const std::string& path) const;
  // The same, for writing into it.
  Result<Descriptor> open_parent(const std::string& path) const;

  Descriptor root_;
};

// "/etc" of "/etc/passwd", "" of "/etc".
std::string folder_of(const std::string& path);

}  // namespace convoy
