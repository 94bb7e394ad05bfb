// What became of one candidate for one problem: a verdict, or why it was not tried. Names go into reports.
#pragma once

#include <string>
#include <string_view>

#include "base/verdict.h"
#include "solvers/solver.h"

namespace convoy {

enum class Outcome { passed, wrong_result, crashed, timed_out, failed, refused, unfit, quarantined };
std::string_view to_string(Outcome outcome);
Outcome outcome_of(Verdict verdict);
// True for outcomes of a try that went wrong: a fallback. unfit and quarantined are no tries.
bool is_failure(Outcome outcome);

struct Attempt {
  std::string solver;
  Tier tier = Tier::reference;
  Outcome outcome = Outcome::unfit;
  std::string reason;
  double milliseconds = 0;
  bool in_child = false;
};

// A solver that applies, too, and stands behind the one that serves.
struct Reserve {
  std::string solver;
  Tier tier = Tier::reference;
};

}  // namespace convoy
