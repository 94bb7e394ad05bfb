// Counts the calls, writes them down when the process ends (CONVOY_SIM_MIOPEN_REPORT), carries out planned faults.
#include "sim/miopen/library.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace convoy::miopen {
namespace {

// The destructor runs at exit or when the library is unloaded. A child counts from 0.
class Counters {
 public:
  Counters() {
    pthread_atfork(nullptr, nullptr, [] { instance().clear(); });
  }
  ~Counters() {
    if (const char* path = std::getenv("CONVOY_SIM_MIOPEN_REPORT"); path != nullptr && *path != '\0') append_to(path);
  }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  static Counters& instance() {
    static Counters counters;
    return counters;
  }

  void count(Function function) { ++counts_[static_cast<std::size_t>(function)]; }

 private:
  void clear() {
    for (auto& count : counts_) count = 0;
  }

  void append_to(const char* path) const {
    std::string text;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      text +=
          std::to_string(getpid()) + ' ' + std::string(k_function_names[i]) + ' ' + std::to_string(counts_[i]) + '\n';
    }
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool written = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!written) std::fprintf(stderr, "CONVOY_SIM_MIOPEN_REPORT: %s cannot be written\n", path);
    if (file >= 0) close(file);
  }

  std::array<std::atomic<std::uint64_t>, k_function_names.size()> counts_{};
};

}  // namespace

Call::Call(Function called, const Problem* problem) : function(called) {
  Counters::instance().count(called);
  const FaultPlan& plan = planned_faults();
  if (!plan.wrong.empty()) {
    ended = true;
    status = refuse(k_internal_error, "CONVOY_SIM_MIOPEN_FAULT: " + plan.wrong);
    return;
  }
  fault = plan.find(called, problem);
  if (fault == nullptr) return;
  switch (fault->kind) {
    case FaultKind::status:
      ended = true;
      status = fault->value;
      if (status != k_success) refuse(status, "a planned failure of " + std::string(name_of(called)));
      break;
    case FaultKind::hang:
      for (;;) pause();
    case FaultKind::crash: std::raise(SIGSEGV); std::abort();  // a handler that comes back does not make it good
    case FaultKind::slow: std::this_thread::sleep_for(std::chrono::milliseconds(fault->value)); break;
    case FaultKind::wrong:
    case FaultKind::nan:
    case FaultKind::workspace:
    case FaultKind::naive:
    case FaultKind::absent: break;  // their place is further on
  }
}

Status refuse(Status status, const std::string& text) {
  std::fprintf(stderr, "MIOpen Error: %s\n", text.c_str());
  return status;
}

}  // namespace convoy::miopen
