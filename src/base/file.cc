// Implementation of file.h on plain system calls: the standard library can neither refuse a link nor fsync.
// Checks are made on the open descriptor, never on the name, so that nobody can swap the file in between.
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/descriptor.h"

namespace convoy {
namespace {

tl::unexpected<Error> io_failure(const std::string& path, std::string_view what, int error) {
  return fail(ErrorCode::io, fmt::format("{}: cannot {}: {}", path, what, std::strerror(error)));
}

Result<std::string> read_descriptor(int fd, const std::string& path, std::uint64_t limit) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return io_failure(path, "inspect", errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::io, fmt::format("{}: not a regular file", path));
  const auto too_large = [&](std::uint64_t size) {
    return fail(ErrorCode::io, fmt::format("{}: {} bytes or more, the limit is {}", path, size, limit));
  };
  const auto size = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  if (size > limit) return too_large(size);
  std::string content;
  content.reserve(size);
  // The size above is a hint only: files in /proc say 0, and others may grow while we read.
  std::array<char, 16384> chunk{};
  while (true) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_failure(path, "read", errno);
    if (count == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(count));
    if (content.size() > limit) return too_large(content.size());
  }
}

// O_NONBLOCK: opening a FIFO that somebody planted must not wait for a writer.
constexpr int k_read_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

Result<void> write_all(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_failure(path, "write", errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A trailing slash would make the kernel follow a link in the last component.
std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Result<void> create_missing_folders(const std::string& path) {
  for (auto end = path.find('/', 1); true; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (::mkdir(prefix.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      // Read-only and automounted parents may answer EROFS or EACCES before EEXIST.
      if (::access(prefix.c_str(), F_OK) != 0) return io_failure(prefix, "create the folder", error);
    }
    if (end == std::string::npos) return {};
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::uint64_t limit) {
  const Descriptor file(::open(path.c_str(), k_read_flags | O_NOFOLLOW));
  if (!file.valid() && errno == ELOOP) {
    return fail(ErrorCode::io, fmt::format("{}: is a symbolic link, which is not followed; name its target", path));
  }
  if (!file.valid()) return io_failure(path, "open", errno);
  return read_descriptor(file.get(), path, limit);
}

Result<std::optional<std::string>> read_configuration(const std::string& path, std::uint64_t limit) {
  const Descriptor file(::open(path.c_str(), k_read_flags));
  if (!file.valid() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file.valid()) return io_failure(path, "open", errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io_failure(path, "inspect", errno);
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail(ErrorCode::io,
                fmt::format("{}: belongs to user {}, which is neither you nor root: ignored", path, status.st_uid));
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return fail(ErrorCode::io, fmt::format("{}: everyone may write it: ignored; chmod o-w it", path));
  }
  CONVOY_TRY(std::string content, read_descriptor(file.get(), path, limit));
  return content;
}

namespace {

// Writes a temporary file beside `path` and lets `publish` give it that name. It returns 0 or an error number.
template <typename Publish>
Result<void> write_beside(const std::string& path, std::string_view content, unsigned mode, Publish publish) {
  const std::string folder = parent_of(path);
  std::string temporary = folder + "/.convoy-XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.valid()) return io_failure(path, "create a temporary file beside it", errno);
  const auto write = [&]() -> Result<void> {
    CONVOY_CHECK(write_all(file.get(), path, content));
    if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) return io_failure(path, "set the mode of", errno);
    if (::fsync(file.get()) != 0) return io_failure(path, "flush", errno);
    return publish(temporary);
  };
  if (auto done = write(); !done) {
    ::unlink(temporary.c_str());
    return done;
  }
  // The new name survives a power cut only once the folder is flushed; file systems that cannot flush folders
  // say EINVAL.
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid() && ::fsync(directory.get()) != 0 && errno != EINVAL) return io_failure(folder, "flush", errno);
  return {};
}

}  // namespace

Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  return write_beside(path, content, mode, [&path](const std::string& temporary) -> Result<void> {
    if (std::rename(temporary.c_str(), path.c_str()) != 0) return io_failure(path, "replace", errno);
    return {};
  });
}

Result<void> write_new_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  return write_beside(path, content, mode, [&path](const std::string& temporary) -> Result<void> {
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return {};
    const int renamed = errno;
    if (renamed != EINVAL && renamed != ENOSYS) return io_failure(path, "create", renamed);
    // File systems that cannot rename so can link, mostly.
    if (::link(temporary.c_str(), path.c_str()) != 0) return io_failure(path, "create", errno);
    ::unlink(temporary.c_str());
    return {};
  });
}

Result<void> make_private_folder(const std::string& path) {
  if (path.empty()) return fail(ErrorCode::invalid_argument, "an empty path names no folder");
  const std::string name = without_trailing_slashes(path);
  CONVOY_CHECK(create_missing_folders(name));
  const Descriptor folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid() && (errno == ENOTDIR || errno == ELOOP)) {
    return fail(ErrorCode::io, fmt::format("{}: is a link or no folder; remove it or name another folder", name));
  }
  if (!folder.valid()) return io_failure(name, "open", errno);
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return io_failure(name, "inspect", errno);
  if (status.st_uid != ::geteuid()) {
    return fail(ErrorCode::io, fmt::format("{}: belongs to user {}, we are {}; name a folder of your own", name,
                                           status.st_uid, ::geteuid()));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::io, fmt::format("{}: others may write into it; chmod go-w it", name));
  }
  return {};
}

bool on_network_filesystem(const std::string& path) {
  // linux/magic.h names only some of these.
  static constexpr std::array<std::uint32_t, 20> k_remote{
      0x00006969,  // NFS
      0x0000517B,  // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB2
      0x0BD00BD0,  // Lustre
      0x00C36400,  // Ceph
      0x47504653,  // GPFS
      0x5346414F,  // AFS
      0x6B414653,  // AFS, the kernel's own client
      0x73757245,  // Coda
      0x65735546,  // FUSE: sshfs, GlusterFS, virtiofs
      0x19830326,  // BeeGFS
      0x01021997,  // 9P: WSL, virtual machines
      0x7461636F,  // OCFS2
      0x01161970,  // GFS2
      0xAAD7AAEA,  // PanFS
      0x20030528,  // OrangeFS
      0x786F4256,  // VirtualBox shared folder
      0xBACBACBC,  // VMware shared folder
      0x0000564C,  // NCP
  };
  std::string place = without_trailing_slashes(path.empty() ? "." : path);
  struct statfs status {};
  while (::statfs(place.c_str(), &status) != 0) {
    const std::string parent = parent_of(place);
    if (errno != ENOENT || parent == place) return true;
    place = parent;
  }
  return std::ranges::find(k_remote, static_cast<std::uint32_t>(status.f_type)) != k_remote.end();
}

}  // namespace convoy
