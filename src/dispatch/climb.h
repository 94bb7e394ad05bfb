// One climb of the ladder: facts, selection, and the steps until a rung holds. The only place where select, ladder, trial,
// ledger, find and checks meet.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "dispatch/external.h"
#include "dispatch/ladder.h"
#include "dispatch/rung.h"
#include "solvers/numbers.h"

namespace convoy {

struct ClimbResult {
  std::unique_ptr<Rung> rung;  // null: nothing held, `error` says why the last one did not
  Error error;
  std::vector<Attempt> attempts;
  std::vector<Reserve> reserves;      // next best first
  std::optional<NumbersCheck> check;  // of the rung that holds, when it was checked
};

// What is climbed for.
struct ClimbTask {
  const Problem& problem;
  const Tensors& tensors;
  const ExternalSolver* external = nullptr;  // one more candidate, before those of its tier
};

struct CallersWorkspace {
  void* data = nullptr;
  std::int64_t bytes = 0;
};

// Leaves the right numbers in the output tensor. `struck_off`: solvers not to use. ErrorCode::invalid_argument: the caller's
// stream or context is at fault.
ClimbResult climb_ladder(DispatchContext& context, const ClimbTask& task, const std::vector<std::string>& struck_off,
                         CallersWorkspace workspace = {});

}  // namespace convoy
