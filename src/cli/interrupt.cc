// A thread that waits for the signals with sigtimedwait: no handler, no restrictions on what it may call.
#include "cli/interrupt.h"

#include <unistd.h>
#include <csignal>
#include <ctime>

#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

// What we were told to ignore stays ignored: nohup, and shells that start jobs in the background.
sigset_t interrupt_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction current {};
    if (sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_IGN) continue;
    sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  const sigset_t signals = interrupt_signals();
  pthread_sigmask(SIG_BLOCK, &signals, &former_mask_);
  thread_ = std::thread([this] { watch(); });
}

InterruptWatch::~InterruptWatch() {
  done_ = true;
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &former_mask_, nullptr);
}

void InterruptWatch::set_withdraw(std::function<void()> withdraw) {
  const std::lock_guard lock(mutex_);
  withdraw_ = std::move(withdraw);
}

void InterruptWatch::watch() {
  const sigset_t signals = interrupt_signals();
  while (!done_) {
    const timespec tick{0, 100'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &tick);
    if (signal < 0) continue;
    if (requested_.exchange(true)) {
      const std::lock_guard lock(mutex_);
      if (withdraw_) withdraw_();
      fmt::print(stderr, "\nconvoy: stopped\n");
      _exit(128 + signal);
    }
    fmt::print(stderr, "\nconvoy: stopping after the current problem; once more to stop now\n");
  }
}

}  // namespace convoy
