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

// `sticky_is_fine`: in a folder like /tmp others may add names, but not take away those of their betters.
std::string why_distrusted(const std::string& path, CodeOwner owner, bool sticky_is_fine) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  if (S_ISLNK(status.st_mode)) return path + " is a link";
  const bool owned = status.st_uid == 0 || (owner == CodeOwner::user_or_root && status.st_uid == ::geteuid());
  if (!owned) return fmt::format("{} belongs to user {}", path, status.st_uid);
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(sticky && sticky_is_fine)) {
    return fmt::format("{} may be written by others (cure: chmod go-w)", path);
  }
  return {};
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

std::string why_code_distrusted(const std::string& path, CodeOwner owner) {
  if (auto why = why_distrusted(path, owner, false); !why.empty()) return why;
  // SQLite takes what stands in them for the file's own content.
  for (const char* journal : {"-wal", "-journal"}) {
    if (!exists(path + journal)) continue;
    if (auto why = why_distrusted(path + journal, owner, false); !why.empty()) return why;
  }
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (auto why = why_distrusted(folder, owner, false); !why.empty()) return why;
  // The user's own folder was examined when the store was opened; above it stand the user's own choices.
  while (owner == CodeOwner::root_alone && folder.has_relative_path()) {
    folder = folder.parent_path();
    if (auto why = why_distrusted(folder, owner, true); !why.empty()) return why;
  }
  return {};
}

}  // namespace convoy
