// Setting files aside. A write-ahead log is named after its database: one that stays behind would be replayed
// into the next database of that name. So the journals go first, and only then does the name pass to the
// successor.
#include "store/aside.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::string_view k_journals[] = {"-wal", "-shm", "-journal"};

tl::unexpected<Error> io_failure(const std::string& path, std::string_view what) {
  return fail(ErrorCode::io, fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno)));
}

bool is_aside_of(std::string_view name, std::string_view file) {
  if (name.substr(0, file.size()) != file) return false;
  name.remove_prefix(file.size());
  const bool aside = name.substr(0, 5) == ".old-" || name.substr(0, 9) == ".corrupt-";
  return aside && std::none_of(std::begin(k_journals), std::end(k_journals), [&](std::string_view journal) {
           return name.size() > journal.size() && name.substr(name.size() - journal.size()) == journal;
         });
}

// Removes the oldest until `kept` remain. What cannot be listed or removed stays: it costs room, nothing
// else.
void thin_out(const std::string& path, std::size_t kept) {
  const std::filesystem::path file(path);
  std::vector<std::string> asides;
  std::error_code error;
  for (std::filesystem::directory_iterator i(file.parent_path(), error), end; !error && i != end; i.increment(error)) {
    if (is_aside_of(i->path().filename().native(), file.filename().native())) asides.push_back(i->path());
  }
  std::sort(asides.begin(), asides.end());  // the names carry the time
  for (; asides.size() > kept; asides.erase(asides.begin())) {
    ::unlink(asides.front().c_str());
    for (const auto journal : k_journals) ::unlink((asides.front() + std::string(journal)).c_str());
  }
}

}  // namespace

Result<void> set_aside(const std::string& path, const Aside& aside) {
  thin_out(path, static_cast<std::size_t>(std::max(aside.kept - 1, 0)));
  const std::string target = fmt::format("{}.{}", path, aside.suffix);
  for (const auto journal : k_journals) {
    const std::string from = path + std::string(journal);
    if (std::rename(from.c_str(), (target + std::string(journal)).c_str()) != 0 && errno != ENOENT) {
      return io_failure(from, "rename it");
    }
  }
  if (aside.successor.empty()) {
    if (std::rename(path.c_str(), target.c_str()) != 0) return io_failure(path, "rename it");
    return {};
  }
  // A second name for the old file, then the new one over the first: at no time is there no file of that
  // name.
  ::unlink(target.c_str());
  if (::link(path.c_str(), target.c_str()) != 0) return io_failure(path, "link it");
  if (std::rename(aside.successor.c_str(), path.c_str()) != 0) return io_failure(aside.successor, "rename it");
  return {};
}

Result<Descriptor> take_repair_lock(const std::string& path, std::chrono::milliseconds patience) {
  const std::string name = path + ".lock";
  Descriptor lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return io_failure(name, "open it");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return io_failure(name, "lock it");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::io, fmt::format("{}: another process has been repairing for too long", name));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return lock;
}

std::string why_not_plain(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (S_ISLNK(status.st_mode)) return path + " is a link, which is not followed: remove it";
  if (!S_ISREG(status.st_mode)) return path + " is not a plain file: remove it";
  return {};
}

}  // namespace convoy
