// Implementation of context.h.
#include "dispatch/context.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "dispatch/select.h"
#include "dispatch/trial.h"

#include <fmt/format.h>

namespace convoy {

DispatchContext::DispatchContext(Policy policy, std::unique_ptr<Device> device, std::unique_ptr<Store> store,
                                 DeviceRules rules)
    : policy_(std::move(policy)),
      rules_(std::move(rules)),
      device_(std::move(device)),
      store_(std::move(store)),
      kernel_cache_(*store_) {
  device_->programs().set_cache(&kernel_cache_);
}

std::string DispatchContext::library_of(const Solver& solver) const {
  std::string name = solver.library();
  const AlgorithmSet allowed = allowed_for(solver.tier(*device_), policy_);
  if (allowed != k_all_algorithms) name += fmt::format(" algorithms {:#x}", allowed);
  if (policy_.deterministic && solver.tier(*device_) == Tier::vendor) name += " deterministic";
  const std::string fault = policy_.faults.label(solver.id());
  if (!fault.empty()) name += fmt::format("{}{}", k_fault_mark, fault);
  return name;
}

std::string DispatchContext::device_key() const {
  const DeviceInfo& device = device_->info();
  return device.real_architecture.empty() ? device.key
                                          : fmt::format("{}/really {}", device.key, device.real_architecture);
}

TrialKey DispatchContext::key_of(const Solver& solver, const Problem& problem) const {
  return {std::string(solver.id()), problem.to_string(), problem.class_string(), device_key(), library_of(solver)};
}

std::int64_t DispatchContext::workspace_limit(std::int64_t tensor_bytes) const {
  if (policy_.workspace_limit > 0) return policy_.workspace_limit;
  // The tensors are allocated already: with an explicit limit they count against it, what is available excludes them.
  const std::int64_t room =
      policy_.memory_limit > 0 ? policy_.memory_limit - tensor_bytes : device_->memory_available() / 5 * 4;
  return std::max<std::int64_t>(room, 1);
}

namespace {

// Whose workspaces they are. CUDA and HIP name each thread's own default stream 2, whatever the thread.
Stream owner_of(Stream stream, const Device& device) {
  const DeviceKind kind = device.info().kind;
  if (kind != DeviceKind::cuda && kind != DeviceKind::hip) return stream;
  thread_local char mine;
  return reinterpret_cast<std::uintptr_t>(stream) == 2 ? &mine : stream;
}

}  // namespace

Result<DeviceBuffer> DispatchContext::acquire_workspace(std::int64_t bytes, Stream stream) {
  DeviceBuffer outgrown;  // freed after the lock: the device may wait for the stream
  {
    const std::lock_guard lock(workspace_mutex_);
    std::vector<DeviceBuffer>& idle = workspaces_[owner_of(stream, *device_)];
    const auto fits =
        std::find_if(idle.begin(), idle.end(), [bytes](const DeviceBuffer& buffer) { return buffer.bytes() >= bytes; });
    if (fits != idle.end()) {
      DeviceBuffer buffer = std::move(*fits);
      idle.erase(fits);
      return buffer;
    }
    // The largest idle one is too small: it would only lie beside the new one.
    if (!idle.empty()) {
      outgrown = std::move(idle.back());
      idle.pop_back();
    }
  }
  outgrown = {};
  auto made = device_->allocate(bytes);
  if (!made && made.error().code == ErrorCode::out_of_memory) {
    // What other streams have left lies idle.
    trim_workspaces();
    made = device_->allocate(bytes);
  }
  return made;
}

void DispatchContext::release_workspace(DeviceBuffer buffer, Stream stream) {
  const std::lock_guard lock(workspace_mutex_);
  std::vector<DeviceBuffer>& idle = workspaces_[owner_of(stream, *device_)];
  const auto place =
      std::upper_bound(idle.begin(), idle.end(), buffer.bytes(),
                       [](std::int64_t bytes, const DeviceBuffer& other) { return bytes < other.bytes(); });
  idle.insert(place, std::move(buffer));
}

void DispatchContext::trim_workspaces() {
  const std::lock_guard lock(workspace_mutex_);
  workspaces_.clear();
}

ProbeResult DispatchContext::try_in_child(const std::string& request, const Patience& patience) {
  ProbeWorker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!worker_) {
      const auto program = probe_program(policy_);
      if (!program) {
        log_once(LogLevel::warning, fmt::format("suspects cannot be tried in a child: {}", program.error().message));
        ProbeResult refused;
        refused.verdict = Verdict::refused;
        refused.detail = program.error().message;
        return refused;
      }
      worker_ = std::make_unique<ProbeWorker>(SubprocessCommand{{*program, "probe"}, {}});
    }
    worker = worker_.get();
  }
  return worker->try_one(request, patience);
}

int DispatchContext::children_started() const {
  const std::lock_guard lock(mutex_);
  return worker_ ? worker_->starts() : 0;
}

std::int64_t DispatchContext::begin_intent(const TrialKey& key) {
  const std::int64_t intent = store_->begin_intent(key);
  const std::lock_guard lock(mutex_);
  if (intent != 0) open_intents_.insert(intent);
  return intent;
}

void DispatchContext::close_intent(std::int64_t intent, const VerdictRecord& record, int signal,
                                   std::string_view reason) {
  store_->close_intent(intent, record, signal, reason);
  const std::lock_guard lock(mutex_);
  open_intents_.erase(intent);
}

void DispatchContext::cancel_intent(std::int64_t intent) {
  if (intent == 0) return;
  store_->cancel_intent(intent);
  const std::lock_guard lock(mutex_);
  open_intents_.erase(intent);
}

void DispatchContext::cancel_open_intents() {
  std::set<std::int64_t> open;
  {
    const std::lock_guard lock(mutex_);
    open.swap(open_intents_);
  }
  for (const std::int64_t intent : open) store_->cancel_intent(intent);
}

}  // namespace convoy
