// Implementation of search_turn.h.
#include "store/search_turn.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes k_sulk{5};

// Of one process: in a forked child the mutex may be held by a thread that is not there.
struct OfProcess {
  pid_t process = getpid();
  std::timed_mutex mutex;
  std::atomic<Clock::rep> waited_in_vain{0};
};

OfProcess& of_process() {
  static std::atomic<OfProcess*> current{nullptr};
  OfProcess* one = current.load(std::memory_order_acquire);
  while (one == nullptr || one->process != getpid()) {
    auto* fresh = new OfProcess;  // stays: a thread may hold it
    if (current.compare_exchange_strong(one, fresh)) return *fresh;
    delete fresh;
  }
  return *one;
}

enum class Attempt { ours, taken, impossible };

Attempt try_lock(int file) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file, F_SETLK, &whole) == 0) return Attempt::ours;
  return errno == EACCES || errno == EAGAIN || errno == EINTR ? Attempt::taken : Attempt::impossible;
}

}  // namespace

std::optional<SearchTurn> take_search_turn(const std::string& folder, std::chrono::milliseconds patience) {
  OfProcess& mine = of_process();
  const Clock::rep vain = mine.waited_in_vain;
  if (vain != 0 && Clock::now() - Clock::time_point(Clock::duration(vain)) < k_sulk)
    patience = std::chrono::milliseconds(0);
  const auto deadline = Clock::now() + patience;
  const auto in_vain = [&mine]() -> std::optional<SearchTurn> {
    mine.waited_in_vain = Clock::now().time_since_epoch().count();
    return std::nullopt;
  };
  std::unique_lock thread(mine.mutex, std::defer_lock);
  if (!thread.try_lock_until(deadline)) return in_vain();
  Descriptor file(::open((folder + "/search.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return SearchTurn();
  for (;;) {
    switch (try_lock(file.get())) {
      case Attempt::ours: return SearchTurn(std::move(thread), std::move(file));
      case Attempt::impossible: return SearchTurn();
      case Attempt::taken: break;
    }
    if (Clock::now() >= deadline) return in_vain();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace convoy
