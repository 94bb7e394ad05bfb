// One rung of the ladder in use: a planned solver and workspaces for as many threads as run it at once.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/context.h"

namespace convoy {

// Solvers see a problem's lowered() form: where that swaps x and y, the tensors swap too.
inline Tensors lowered_tensors(const Problem& problem, const Tensors& tensors) {
  return problem.transposed ? Tensors{tensors.y, tensors.w, tensors.x} : tensors;
}

class Rung {
 public:
  Rung(const Solver& solver, Tier tier, std::string params, std::unique_ptr<Plan> plan)
      : solver_(solver), tier_(tier), params_(std::move(params)), plan_(std::move(plan)) {}

  const Solver& solver() const { return solver_; }
  Tier tier() const { return tier_; }
  const std::string& params() const { return params_; }
  const Plan& plan() const { return *plan_; }

  // Runs in the caller's workspace when it is large enough, else in one of ours, which is kept for the next call.
  Result<void> run(Device& device, const Tensors& tensors, void* workspace, std::int64_t workspace_bytes) const;
  // Gives the kept workspaces back.
  void trim() const {
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }

 private:
  const Solver& solver_;
  Tier tier_;
  std::string params_;
  std::unique_ptr<Plan> plan_;
  mutable std::mutex mutex_;
  mutable std::vector<DeviceBuffer> idle_;
};

}  // namespace convoy
