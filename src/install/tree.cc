// Implementation of tree.h: openat() from component to component, so that nobody can put a link in the way meanwhile.
#include "install/tree.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::size_t k_file_limit = std::size_t{1} << 20;
constexpr std::int64_t k_second = 1'000'000'000;
constexpr unsigned k_mode_bits = 07777;

tl::unexpected<Error> io_failure(const std::string& path, std::string_view what) {
  return fail(ErrorCode::io, fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno)));
}

tl::unexpected<Error> link_failure(const std::string& path) {
  return fail(ErrorCode::io, fmt::format("{} is a symbolic link, which is not followed", path));
}

std::string name_of_file(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// Hidden, and with an ending that none of the folders' readers takes for one of theirs.
std::string staged_name(const std::string& path) {
  return fmt::format(".{}.convoy-new", name_of_file(path));
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string content;
  std::array<char, 16384> chunk{};
  while (true) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_failure(path, "read");
    if (count == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(count));
    if (content.size() > k_file_limit) {
      return fail(ErrorCode::io, fmt::format("{}: over {} bytes: that is no file of settings", path, k_file_limit));
    }
  }
}

Result<void> write_all(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_failure(path, "write");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> give_attributes(int fd, const std::string& path, const FileState& file) {
  constexpr auto k_keep = static_cast<std::uint32_t>(-1);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return io_failure(path, "inspect");
  const std::uint32_t owner = file.owner.value_or(k_keep), group = file.group.value_or(k_keep);
  const bool same = (owner == k_keep || owner == status.st_uid) && (group == k_keep || group == status.st_gid);
  if (!same && ::fchown(fd, owner, group) != 0) return io_failure(path, "set the owner of");
  // After the owner: a change of owner takes some bits away.
  if (::fchmod(fd, file.mode & k_mode_bits) != 0) return io_failure(path, "set the mode of");
  if (file.modified_ns) {
    std::int64_t seconds = *file.modified_ns / k_second, rest = *file.modified_ns % k_second;
    if (rest < 0) --seconds, rest += k_second;
    const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(seconds), static_cast<long>(rest)}};
    if (::futimens(fd, times) != 0) return io_failure(path, "set the time of");
  }
  return {};
}

// True: there is nothing (any more). A file system that is read-only says so even of what is not there, so that this is asked first.
bool unlink_if_there(const Descriptor& folder, const std::string& name, int flags) {
  struct stat status {};
  if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return true;
  return ::unlinkat(folder.get(), name.c_str(), flags) == 0 || errno == ENOENT;
}

// Some file systems cannot flush a folder and say so.
Result<void> flush_folder(const Descriptor& folder, const std::string& path) {
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return io_failure(path, "flush the folder of");
  return {};
}

}  // namespace

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}

Result<void> InstallTree::write(const std::string& path, const FileState& file) {
  CONVOY_CHECK(stage(path, file));
  return publish(path);
}

Result<RealTree> RealTree::open(const std::string& root) {
  Descriptor folder(::open(root.empty() ? "/" : root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return io_failure(root.empty() ? "/" : root, "open");
  return RealTree(std::move(folder));
}

Result<Descriptor> RealTree::open_folder(const std::string& path) const {
  Descriptor folder(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!folder.valid()) return io_failure(path, "open");
  for (std::size_t begin = 1; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin), here = path.substr(0, end);
    if (name.empty() || name == "." || name == "..") {
      return fail(ErrorCode::invalid_argument, fmt::format("{}: not a plain path", path));
    }
    Descriptor next(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) {
      const int error = errno;
      struct stat status {};
      if (error == ENOENT) return Descriptor();
      if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) {
        return link_failure(here);
      }
      errno = error;
      return io_failure(here, "open the folder");
    }
    folder = std::move(next);
    begin = end + 1;
  }
  return folder;
}

Result<Descriptor> RealTree::open_parent(const std::string& path) const {
  const std::string parent = folder_of(path);
  CONVOY_TRY(Descriptor folder, open_folder(parent));
  if (!folder.valid()) return fail(ErrorCode::io, fmt::format("{}: there is no such folder", parent));
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return io_failure(parent, "inspect");
  if ((status.st_mode & S_IWOTH) != 0) {
    return fail(ErrorCode::io, fmt::format("{}: everyone may write into it; chmod o-w it", parent));
  }
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fail(ErrorCode::io,
                fmt::format("{}: belongs to user {}, this is user {}", parent, status.st_uid, ::geteuid()));
  }
  return folder;
}

Result<std::optional<FileState>> RealTree::read(const std::string& path) {
  CONVOY_TRY(const Descriptor folder, open_folder(folder_of(path)));
  if (!folder.valid()) return std::nullopt;
  // O_NONBLOCK: a FIFO must not make us wait for a writer.
  const Descriptor file(
      ::openat(folder.get(), name_of_file(path).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  if (!file.valid() && errno == ELOOP) return link_failure(path);
  if (!file.valid()) return io_failure(path, "open");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io_failure(path, "inspect");
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::io, fmt::format("{}: not a regular file", path));
  FileState state;
  CONVOY_TRY(state.content, read_all(file.get(), path));
  state.mode = status.st_mode & k_mode_bits;
  state.owner = status.st_uid;
  state.group = status.st_gid;
  state.modified_ns = status.st_mtim.tv_sec * k_second + status.st_mtim.tv_nsec;
  return state;
}

Result<bool> RealTree::has_folder(const std::string& path) {
  CONVOY_TRY(const Descriptor folder, open_folder(path));
  return folder.valid();
}

Result<void> RealTree::stage(const std::string& path, const FileState& file) {
  CONVOY_TRY(const Descriptor folder, open_parent(path));
  const std::string name = staged_name(path);
  if (!unlink_if_there(folder, name, 0)) return io_failure(path, "make way for");
  const Descriptor out(
      ::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.valid()) return io_failure(path, "write beside");
  CONVOY_CHECK(write_all(out.get(), path, file.content));
  CONVOY_CHECK(give_attributes(out.get(), path, file));
  if (::fsync(out.get()) != 0) return io_failure(path, "flush");
  return {};
}

Result<void> RealTree::publish(const std::string& path) {
  CONVOY_TRY(const Descriptor folder, open_parent(path));
  if (::renameat(folder.get(), staged_name(path).c_str(), folder.get(), name_of_file(path).c_str()) != 0) {
    return io_failure(path, "replace");
  }
  return flush_folder(folder, path);
}

Result<void> RealTree::discard(const std::string& path) {
  CONVOY_TRY(const Descriptor folder, open_folder(folder_of(path)));
  if (!folder.valid()) return {};
  if (!unlink_if_there(folder, staged_name(path), 0)) return io_failure(path, "remove what was staged for");
  return {};
}

Result<void> RealTree::remove(const std::string& path) {
  CONVOY_TRY(const Descriptor folder, open_parent(path));
  if (!unlink_if_there(folder, name_of_file(path), 0)) return io_failure(path, "remove");
  return flush_folder(folder, path);
}

Result<void> RealTree::make_folder(const std::string& path, unsigned mode) {
  CONVOY_TRY(const Descriptor parent, open_parent(path));
  const std::string name = name_of_file(path);
  if (::mkdirat(parent.get(), name.c_str(), mode) != 0) return io_failure(path, "create the folder");
  // The umask took what it liked. Opened, as fchmodat() would follow what somebody has put in the way meanwhile.
  const Descriptor made(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made.valid() || ::fchmod(made.get(), mode) != 0) return io_failure(path, "set the mode of");
  return flush_folder(parent, path);
}

Result<void> RealTree::remove_folder(const std::string& path) {
  const auto parent = open_folder(folder_of(path));
  if (!parent || !parent->valid()) return {};
  if (unlink_if_there(*parent, name_of_file(path), AT_REMOVEDIR)) return flush_folder(*parent, path);
  if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return {};
  return io_failure(path, "remove the folder");
}

Result<Descriptor> RealTree::lock(const std::string& folder) {
  CONVOY_TRY(Descriptor opened, open_folder(folder));
  if (!opened.valid()) return fail(ErrorCode::io, fmt::format("{}: there is no such folder", folder));
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_failure(folder, "lock");
    return fail(ErrorCode::io, fmt::format("{}: another convoy install or uninstall is at work; wait for it", folder));
  }
  // Whoever held it may have removed the folder at last.
  CONVOY_TRY(const Descriptor now, open_folder(folder));
  struct stat locked {};
  struct stat named {};
  if (now.valid() && ::fstat(opened.get(), &locked) == 0 && ::fstat(now.get(), &named) == 0 &&
      locked.st_ino == named.st_ino) {
    return opened;
  }
  return fail(ErrorCode::io, fmt::format("{}: was removed meanwhile; call it again", folder));
}

}  // namespace convoy
