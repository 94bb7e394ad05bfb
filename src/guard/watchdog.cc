// Implementation of watchdog.h: one thread that sleeps until the nearest deadline.
#include "guard/watchdog.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/timing.h"
#include "guard/per_process.h"

namespace convoy {
namespace {

using std::chrono::steady_clock;

// A signal meant for the host program must not be handled on a thread that it does not know: threads inherit
// the mask.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all{};
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t former_{};
};

class Watch {
 public:
  Watch() = default;
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // False when no thread can be had to watch.
  bool add(std::uint64_t id, steady_clock::time_point deadline, std::function<void()> on_overdue);
  void remove(std::uint64_t id);

 private:
  struct Entry {
    steady_clock::time_point deadline;
    std::function<void()> on_overdue;
  };
  bool start_thread();
  void run();
  void run_callback(std::unique_lock<std::mutex>& lock, std::uint64_t id);

  std::mutex mutex_;
  std::condition_variable changed_;   // wakes the thread: an earlier deadline, or the end
  std::condition_variable finished_;  // wakes guards: the callback has run
  std::map<std::uint64_t, Entry> entries_;
  steady_clock::time_point wakes_at_ = steady_clock::time_point::max();
  std::uint64_t running_ = 0;  // whose callback runs right now
  bool stop_ = false;
  std::thread thread_;
};

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Watch::start_thread() {
  if (thread_.joinable()) return true;
  const AllSignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { run(); });
    return true;
  } catch (const std::system_error& error) {
    log_once(LogLevel::warning, fmt::format("no thread for the watchdog, hangs go unnoticed: {}", error.what()));
    return false;
  }
}

bool Watch::add(std::uint64_t id, steady_clock::time_point deadline, std::function<void()> on_overdue) {
  const std::lock_guard lock(mutex_);
  if (!start_thread()) return false;
  entries_.emplace(id, Entry{deadline, std::move(on_overdue)});
  if (deadline < wakes_at_) changed_.notify_one();
  return true;
}

void Watch::remove(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  entries_.erase(id);
  // From inside its own callback there is nothing to wait for, ever.
  if (std::this_thread::get_id() == thread_.get_id()) return;
  finished_.wait(lock, [&] { return running_ != id; });
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    // Some hundred entries at most: looking at each on every wake-up is cheaper than a second index.
    const auto nearest = std::ranges::min_element(entries_, {}, [](const auto& item) { return item.second.deadline; });
    if (nearest == entries_.end()) {
      wakes_at_ = steady_clock::time_point::max();
      changed_.wait(lock);
    } else if (nearest->second.deadline > steady_clock::now()) {
      wakes_at_ = nearest->second.deadline;
      changed_.wait_until(lock, steady_clock::time_point(wakes_at_));
    } else {
      run_callback(lock, nearest->first);
    }
  }
}

void Watch::run_callback(std::unique_lock<std::mutex>& lock, std::uint64_t id) {
  auto entry = entries_.extract(id);
  running_ = id;
  lock.unlock();
  try {
    entry.mapped().on_overdue();
  } catch (const std::exception& error) {
    log(LogLevel::error, "watchdog: a callback threw: {}", error.what());
  }
  entry = {};  // what it captured may not outlive the guard
  lock.lock();
  running_ = 0;
  finished_.notify_all();
}

}  // namespace

struct Watchdog::State {
  PerProcess<Watch> watch;
};

Watchdog::Watchdog() : state_(std::make_unique<State>()) {}
Watchdog::~Watchdog() = default;

Watchdog::Guard Watchdog::arm(std::chrono::milliseconds deadline, std::function<void()> on_overdue) {
  // Never reused, not even by a forked process: a guard inherited from the parent must not disarm somebody
  // else's.
  static std::atomic<std::uint64_t> last_id{0};
  const std::uint64_t id = ++last_id;
  const bool watched = state_->watch.get().add(id, deadline_in(deadline), std::move(on_overdue));
  return {this, watched ? id : 0};
}

Watchdog::Guard::Guard(Guard&& other) noexcept : owner_(other.owner_), id_(std::exchange(other.id_, 0)) {}

Watchdog::Guard::~Guard() {
  if (id_ != 0) owner_->state_->watch.get().remove(id_);
}

}  // namespace convoy
