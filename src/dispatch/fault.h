// Fault injection, for tests and demonstrations: makes a solver fail in a chosen way.
//
//   spec  := fault { "," fault }
//   fault := solver ":" kind [ "@" variable operator number ]
//   solver: an id, torch for PyTorch's own path, or * for every solver but the reference, which nothing can disarm
//   kind:  error hang crash wrong nan oom compile silent
//   variable: n c d h w k g, or hw for the larger of h and w;  operator: > < = >= <=
//
// A solver under an armed fault is a suspect by definition, and its name in the ledger carries the fault, so that
// demonstrations leave no mark on the real solver.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "problem/problem.h"
#include "solvers/solver.h"

namespace convoy {

enum class FaultKind { error, hang, crash, wrong, nan, oom, compile, silent };

struct Fault {
  std::string solver;
  FaultKind kind = FaultKind::error;
  std::string variable;  // empty: always
  std::string comparison;
  std::int64_t number = 0;
  std::string text;  // as written

  bool matches(std::string_view solver_id, const Problem& problem) const;
};

class FaultPlan {
 public:
  // True when any fault names the solver, for whichever problems.
  bool armed(std::string_view solver_id) const;
  // The same for faults that no process survives: hang and crash.
  bool deadly(std::string_view solver_id) const;
  // The first fault that hits this solver on this problem, or null.
  const Fault* find(std::string_view solver_id, const Problem& problem) const;
  // The faults that name the solver, for its name in the ledger; empty when none do.
  std::string label(std::string_view solver_id) const;
  const std::string& text() const { return text_; }

 private:
  friend Result<FaultPlan> parse_faults(std::string_view text);
  std::vector<Fault> faults_;
  std::string text_;
};

// An Error quotes the part that was not understood and lists what is accepted.
Result<FaultPlan> parse_faults(std::string_view text);

// Before the label in a library's name in the ledger: what happened with a fault armed is kept apart from what really happened.
inline constexpr std::string_view k_fault_mark = " fault ";
inline bool was_injected(std::string_view library) {
  return library.find(k_fault_mark) != std::string_view::npos;
}

// Plans with the fault of `faults` for this solver and problem, if any, built in. `name`, if given, is what the faults call
// the solver.
Result<std::unique_ptr<Plan>> plan_with_faults(const Solver& solver, const Problem& problem, Device& device,
                                               const PlanOptions& options, const FaultPlan& faults,
                                               std::string_view name = {});

}  // namespace convoy
