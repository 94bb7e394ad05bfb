// Watches work inside this process. It cannot stop a hung call; it can say so while the call hangs: `on_overdue` runs once,
// on the watchdog's thread, so that the ledger knows the culprit before somebody kills the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

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
  // The thread starts at the first call, and anew in a process forked from ours. When the guard is destroyed, `on_overdue` has run,
  // or never will (only inside `on_overdue` itself the guard may go while it runs). Where no thread can be had the work
  // goes unwatched; the log says so.
  [[nodiscard]] Guard arm(std::chrono::milliseconds deadline, std::function<void()> on_overdue);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
