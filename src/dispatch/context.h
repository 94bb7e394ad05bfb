// What all convolutions of one handle share: policy, device, memory on disk, the child for trials, the watchdog. Outlives
// its convolutions (they hold it by shared_ptr).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "dispatch/kernel_cache.h"
#include "dispatch/policy.h"
#include "dispatch/rules.h"
#include "guard/probe_worker.h"
#include "guard/watchdog.h"
#include "solvers/solver.h"
#include "store/store.h"

namespace convoy {

class DispatchContext {
 public:
  DispatchContext(Policy policy, std::unique_ptr<Device> device, std::unique_ptr<Store> store, DeviceRules rules = {});

  const Policy& policy() const { return policy_; }
  const DeviceRules& rules() const { return rules_; }
  Device& device() const { return *device_; }
  bool on_host() const { return device_->info().kind == DeviceKind::cpu; }
  Store& store() const { return *store_; }
  Watchdog& watchdog() { return watchdog_; }

  // The library's name in the ledger: with the algorithms it is restricted to and the fault that is armed against the
  // solver, if any. What passed under one restriction says nothing about another.
  std::string library_of(const Solver& solver) const;
  // The device's name in the ledger: with what the card really is where it pretends. What passed on a gfx1030 says nothing about
  // a gfx1010 under its name.
  std::string device_key() const;
  TrialKey key_of(const Solver& solver, const Problem& problem) const;
  // Workspaces are shared by all plans of the handle and kept for the next call: as many as threads ran at once, the
  // largest ones. acquire() gives at least `bytes`. What a stream has used goes to the same stream again: its work may not
  // have finished.
  Result<DeviceBuffer> acquire_workspace(std::int64_t bytes, Stream stream);
  void release_workspace(DeviceBuffer buffer, Stream stream);
  void trim_workspaces();

  // Workspace that a plan may take beside tensors of `tensor_bytes`; at least 1.
  std::int64_t workspace_limit(std::int64_t tensor_bytes) const;

  // Tries in the child; refused when none can be started.
  ProbeResult try_in_child(const std::string& request, const Patience& patience);
  int children_started() const;

  // Problems for which alternatives were passed over, because they are not compiled.
  void count_untuned() { ++untuned_; }
  std::int64_t untuned() const { return untuned_; }

  // Intents of this process that are open now, so that an interrupt can withdraw them: a user's Ctrl-C is no crash.
  std::int64_t begin_intent(const TrialKey& key);
  void close_intent(std::int64_t intent, const VerdictRecord& record, int signal, std::string_view reason);
  void cancel_intent(std::int64_t intent);
  void cancel_open_intents();

 private:
  Policy policy_;
  const DeviceRules rules_;
  std::atomic<std::int64_t> untuned_{0};
  std::unique_ptr<Device> device_;
  std::unique_ptr<Store> store_;
  KernelCache kernel_cache_;
  Watchdog watchdog_;
  mutable std::mutex mutex_;
  std::unique_ptr<ProbeWorker> worker_;  // made at the first trial
  std::set<std::int64_t> open_intents_;
  std::mutex workspace_mutex_;
  std::map<Stream, std::vector<DeviceBuffer>> workspaces_;  // idle ones of each stream, smallest first
};

}  // namespace convoy
