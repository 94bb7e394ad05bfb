// Owners and permissions of a file, its journals and its folders. Links count as distrusted: what is checked must be what
// SQLite opens.
#include "store/trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

namespace convoy {
namespace {

enum class Folder { may_be_sticky, as_a_file };
enum class Absence { distrusted, fine };

// A sticky folder like /tmp: others may add names, but not take away those of their betters.
std::string why_distrusted(const std::string& path, CodeOwner owner, Folder folder, Absence absence) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && absence == Absence::fine) return {};
    return fmt::format("{}: {}", path, std::strerror(errno));
  }
  if (S_ISLNK(status.st_mode)) return path + " is a link";
  const bool owned = status.st_uid == 0 || (owner == CodeOwner::user_or_root && status.st_uid == ::geteuid());
  if (!owned) return fmt::format("{} belongs to user {}", path, status.st_uid);
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(sticky && folder == Folder::may_be_sticky)) {
    return fmt::format("{} may be written by others (cure: chmod go-w)", path);
  }
  return {};
}

}  // namespace

std::string why_code_distrusted(const std::string& path, CodeOwner owner) {
  if (auto why = why_distrusted(path, owner, Folder::as_a_file, Absence::distrusted); !why.empty()) return why;
  // SQLite takes what stands in them for the file's own content. They come and go while other processes write.
  for (const char* journal : {"-wal", "-journal"}) {
    auto why = why_distrusted(path + journal, owner, Folder::as_a_file, Absence::fine);
    if (!why.empty()) return why;
  }
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (auto why = why_distrusted(folder, owner, Folder::as_a_file, Absence::distrusted); !why.empty()) return why;
  // The user's own folder was examined when the store was opened; above it stand the user's own choices.
  while (owner == CodeOwner::root_alone && folder.has_relative_path()) {
    folder = folder.parent_path();
    auto why = why_distrusted(folder, owner, Folder::may_be_sticky, Absence::distrusted);
    if (!why.empty()) return why;
  }
  return {};
}

}  // namespace convoy
