// Find: times a solver's alternatives on the caller's tensors and keeps the fastest. What was found is in cache.db.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "dispatch/rung.h"
#include "solvers/numbers.h"

namespace convoy {

struct FindResult {
  std::unique_ptr<Rung> rung;
  std::optional<NumbersCheck> check;  // of this rung's numbers, when they were checked
};

struct FindOptions {
  PlanOptions plan;
  double first_ms = 0;                                 // of the first rung's first run
  std::function<std::optional<NumbersCheck>()> check;  // of what the output holds now
};

// `first` has just run once, rightly. Returns it, or a faster alternative of the same solver that passed its check. The
// output tensor holds the returned rung's result; an Error when it could not be made to. An alternative is dropped when its
// runs are hopeless; all are once two seconds are spent, which the first run of a large problem may have done already. FindMode::dynamic_hybrid
// passes over alternatives that are not compiled; as long as there are some, nothing is recorded.
Result<FindResult> find_fastest(DispatchContext& context, const Problem& problem, const Tensors& tensors,
                                FindResult first, const FindOptions& find);

// The newest record for this problem and solver.
std::optional<FindRecord> newest_record(DispatchContext& context, const Problem& problem, const Solver& solver);
// Its choice, "" for the solver's own.
std::optional<std::string> recorded_choice(DispatchContext& context, const Problem& problem, const Solver& solver);

// Times two rungs that have passed in alternating runs, records both, and says whether `challenger` is worth switching to.
// The output is anybody's afterwards.
bool is_faster(DispatchContext& context, const Problem& problem, const Tensors& tensors, const Rung& holder,
               const Rung& challenger);

}  // namespace convoy
