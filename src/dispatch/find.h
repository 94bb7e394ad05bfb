// Find: times a solver's alternatives on the caller's tensors and keeps the fastest. What was found is in cache.db.
#pragma once

#include <memory>

#include "dispatch/rung.h"

namespace convoy {

// `first` has just run once, rightly, in `first_ms` with planning. Returns it, or a faster alternative of the same solver whose
// numbers were checked too. The output tensor holds the returned rung's result. An alternative is dropped when its first runs
// are hopeless; all are once two seconds are spent, which the first run of a large problem may have done already.
std::unique_ptr<Rung> find_fastest(DispatchContext& context, const Problem& problem, const Tensors& tensors,
                                   std::unique_ptr<Rung> first, double first_ms, const PlanOptions& options);

// The recorded choice for this problem and solver, "" when there is none worth using.
std::optional<std::string> recorded_choice(DispatchContext& context, const Problem& problem, const Solver& solver);

}  // namespace convoy
