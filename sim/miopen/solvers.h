// The solvers that the stand-in claims to have. All run the same kernel; they differ in id, algorithm, workspace and time.
#pragma once

#include <vector>

#include "sim/miopen/library.h"
#include "sim/miopen/problem.h"

namespace convoy::miopen {

struct Solver {
  std::uint64_t id;
  AlgorithmCode algorithm;
  std::size_t workspace;
  float cost;  // relative to the best; as milliseconds, what immediate mode guesses

  bool serves_with(const void* memory, std::size_t bytes) const {
    return workspace == 0 || (memory != nullptr && bytes >= workspace);
  }
};

// Those for the problem, best first, as the call's planned fault leaves them.
std::vector<Solver> solvers_for(const Problem& problem, const Call& call);

// Whether some problem has a solver of this id.
bool is_solver(std::uint64_t id);

}  // namespace convoy::miopen
