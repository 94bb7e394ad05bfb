// Watches work inside this process. It cannot stop a hung call; it can say so while the call hangs: `on_overdue` runs once,
// on the watchdog's thread, so that the ledger knows the culprit before somebody kills the process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace convoy {

class Watchdog {
 public:
  // Armed from construction to destruction; at most some hundred at a time.
  class Guard {
   public:
    ~Guard();
    Guard(Guard&&) noexcept;
    Guard& operator=(Guard&&) = delete;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    friend class Watchdog;
    Guard(Watchdog* owner, std::uint64_t id) : owner_(owner), id_(id) {}
    Watchdog* owner_;
    std::uint64_t id_;
  };

  Watchdog();
  ~Watchdog();
  // The thread starts at the first call. When the guard is destroyed, `on_overdue` has run, or never will.
  [[nodiscard]] Guard arm(std::chrono::milliseconds deadline, std::function<void()> on_overdue);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
