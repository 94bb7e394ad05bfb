// What is known of a candidate before it is chosen: does it fit, what does the ledger say, has a search measured it. select.h
// makes an order of that.
#pragma once

#include <string>
#include <vector>

#include "dispatch/context.h"
#include "dispatch/select.h"

namespace convoy {

struct FactsQuestion {
  const Problem& problem;
  const Problem& ordinary;  // problem.lowered()
  const Tensors& tensors;
  const std::vector<std::string>& struck_off;  // solvers not to use
};

CandidateFacts facts_of(DispatchContext& context, const Solver& solver, const FactsQuestion& question);

}  // namespace convoy
