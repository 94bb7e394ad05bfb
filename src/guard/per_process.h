// State that a forked process must not share: threads and children stay with the parent, and a mutex may have
// been locked by a thread that does not exist any more. The first use after a fork makes a fresh one; the
// inherited one is never touched.
#pragma once

#include <unistd.h>

#include <atomic>

namespace convoy {

template <typename T>
class PerProcess {
 public:
  PerProcess() : slot_(new Slot) {}
  ~PerProcess() {
    Slot* slot = slot_.load();
    if (slot->owner == ::getpid()) delete slot;
  }
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;

  T& get() {
    Slot* current = slot_.load(std::memory_order_acquire);
    if (current->owner == ::getpid()) return current->value;
    auto* fresh = new Slot;
    fresh->inherited = current;
    if (slot_.compare_exchange_strong(current, fresh)) return fresh->value;
    delete fresh;
    return current->value;
  }

 private:
  struct Slot {
    pid_t owner = ::getpid();
    T value;
    Slot* inherited = nullptr;  // leaked on purpose; kept reachable so that leak checkers see the purpose
  };
  std::atomic<Slot*> slot_;
};

}  // namespace convoy
