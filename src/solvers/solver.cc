// The registry: solvers.inc, read once.
#include "solvers/solver.h"

#include <array>

namespace convoy {

#define CONVOY_SOLVER(id) const Solver& id##_solver();
#include "solvers/solvers.inc"
#undef CONVOY_SOLVER

std::span<const Solver* const> solvers() {
  static const std::array list{
#define CONVOY_SOLVER(id) &id##_solver(),
#include "solvers/solvers.inc"
#undef CONVOY_SOLVER
  };
  return list;
}

const Solver* find_solver(std::string_view id) {
  for (const Solver* solver : solvers()) {
    if (solver->id() == id) return solver;
  }
  return nullptr;
}

std::string_view to_string(Tier tier) {
  constexpr std::array<std::string_view, 5> k_names{"vendor", "own", "generic", "cpu", "reference"};
  return k_names[static_cast<std::size_t>(tier)];
}

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::gemm: return "gemm";
    case Algorithm::direct: return "direct";
    case Algorithm::winograd: return "winograd";
    case Algorithm::fft: return "fft";
    case Algorithm::implicit_gemm: return "implicit_gemm";
  }
  return "direct";
}

}  // namespace convoy
