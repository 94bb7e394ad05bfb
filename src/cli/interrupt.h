// Ctrl-C, SIGTERM and SIGHUP: the first asks the work to stop after the current problem, the second ends the program at once after
// withdrawing open intents (a user's interrupt is no crash of the solver).
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace convoy {

class InterruptWatch {
 public:
  // Construct before other threads start, those of GPU drivers among them: they inherit the blocked signals.
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  bool requested() const { return requested_; }
  // Runs before an immediate exit; null: nothing does.
  void set_withdraw(std::function<void()> withdraw);

 private:
  void watch();
  std::mutex mutex_;
  std::function<void()> withdraw_;
  std::atomic<bool> requested_{false};
  std::atomic<bool> done_{false};
  sigset_t former_mask_{};
  std::thread thread_;
};

}  // namespace convoy
