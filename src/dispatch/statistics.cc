// Summing of statistics.
#include "dispatch/statistics.h"

#include <utility>

#include <fmt/format.h>

namespace convoy {

Statistics sum_statistics(std::vector<ProblemStatistics> per_problem, int children_started) {
  Statistics sum;
  sum.children_started = children_started;
  for (const ProblemStatistics& one : per_problem) {
    ++sum.problems;
    sum.calls += one.calls;
    if (!one.solver.empty()) {
      const auto tier = static_cast<std::size_t>(one.tier);
      sum.calls_per_tier[tier] += one.calls;
      ++sum.problems_per_tier[tier];
    }
    for (const Attempt& attempt : one.attempts) {
      if (is_failure(attempt.outcome)) {
        ++sum.fallbacks;
        ++sum.causes[fmt::format("{} {}", attempt.solver, to_string(attempt.outcome))];
      }
      if (attempt.outcome == Outcome::quarantined) ++sum.quarantined[attempt.solver];
    }
  }
  sum.per_problem = std::move(per_problem);
  return sum;
}

}  // namespace convoy
