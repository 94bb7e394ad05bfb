// Runs of handles that a program profiles (MIOpenDriver -t 1): miopenGetKernelTime must speak of ours, too.
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "calls.h"

namespace convoy::miopen {
namespace {

struct Profiles {
  std::mutex mutex;
  struct Times {
    float ours = -1;     // below 0: no run yet
    float librarys = 0;  // what the library said when ours was measured
  };
  std::unordered_map<Handle, Times> times;
  std::atomic<int> count{0};
};

Profiles& profiles() {
  static Profiles* const one = new Profiles;
  return *one;
}

bool is_profiled(Handle handle) {
  Profiles& p = profiles();
  if (p.count.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard lock(p.mutex);
  return p.times.contains(handle);
}

}  // namespace

void set_profiling(Handle handle, bool enable) {
  Profiles& p = profiles();
  const std::lock_guard lock(p.mutex);
  if (enable) {
    p.times.try_emplace(handle);
  } else {
    p.times.erase(handle);
  }
  p.count = static_cast<int>(p.times.size());
}

void forget_profiling(Handle handle) {
  if (profiles().count.load(std::memory_order_relaxed) > 0) set_profiling(handle, false);
}

std::optional<float> profiled_time(Handle handle, float librarys) {
  Profiles& p = profiles();
  if (p.count.load(std::memory_order_relaxed) == 0) return std::nullopt;
  const std::lock_guard lock(p.mutex);
  const auto found = p.times.find(handle);
  if (found == p.times.end() || found->second.ours < 0 || found->second.librarys != librarys) return std::nullopt;
  return found->second.ours;
}

Status run_profiled(const RealLibrary& real, const Found& found, const Addresses& addresses,
                    const RunOptions& options) {
  if (!is_profiled(options.handle) || real.is_capturing(options.handle))
    return run_served(real, found, addresses, options);
  float milliseconds = 0;
  const Status status = time_served(real, found, addresses, options, milliseconds);
  if (status != k_success) return status;
  float librarys = 0;
  if (real.miopenGetKernelTime(options.handle, &librarys) != k_success) librarys = 0;
  Profiles& p = profiles();
  const std::lock_guard lock(p.mutex);
  if (const auto entry = p.times.find(options.handle); entry != p.times.end()) entry->second = {milliseconds, librarys};
  return status;
}

}  // namespace convoy::miopen
