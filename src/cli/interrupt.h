// Ctrl-C, SIGTERM and SIGHUP: the first asks the work to stop after the current problem, the second ends the program at once after
// withdrawing open intents (a user's interrupt is no crash of the solver).
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace convoy {

class InterruptWatch {
 public:
  // Construct before other threads start: they inherit the blocked signals. `withdraw` runs before an immediate exit.
  explicit InterruptWatch(std::function<void()> withdraw);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  bool requested() const { return requested_; }

 private:
  void watch();
  std::function<void()> withdraw_;
  std::atomic<bool> requested_{false};
  std::atomic<bool> done_{false};
  sigset_t former_mask_{};
  std::thread thread_;
};

}  // namespace convoy
