// One rung of the ladder in use: a planned solver.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "dispatch/context.h"

namespace convoy {

// Solvers see a problem's lowered() form: where that swaps x and y, the tensors swap too.
inline Tensors lowered_tensors(const Problem& problem, const Tensors& tensors) {
  Tensors lowered = tensors;
  if (problem.transposed) std::swap(lowered.x, lowered.y);
  return lowered;
}

class Rung {
 public:
  Rung(const Solver& solver, Tier tier, std::string params, std::unique_ptr<Plan> plan)
      : solver_(solver), tier_(tier), params_(std::move(params)), plan_(std::move(plan)) {}

  const Solver& solver() const { return solver_; }
  Tier tier() const { return tier_; }
  const std::string& params() const { return params_; }
  const Plan& plan() const { return *plan_; }

  // Runs in the caller's workspace when it is large enough, else in one of the context's, which a graph cannot keep: recording
  // one then fails.
  Result<void> run(DispatchContext& context, const Tensors& tensors, void* workspace = nullptr,
                   std::int64_t workspace_bytes = 0) const;

 private:
  const Solver& solver_;
  Tier tier_;
  std::string params_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace convoy
