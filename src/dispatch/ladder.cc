// One rung after the other, best first.
#include "dispatch/ladder.h"

namespace convoy {
namespace {

Step first_step(const Selection& selection, std::size_t candidate) {
  if (candidate >= selection.order.size()) return {Action::give_up, candidate};
  return {selection.order[candidate].trial ? Action::try_in_child : Action::run_here, candidate};
}

}  // namespace

Step next_step(const Selection& selection, std::span<const StepResult> done) {
  if (done.empty()) return first_step(selection, 0);
  const StepResult& last = done.back();
  if (last.step.action == Action::try_in_child) {
    if (last.outcome == Outcome::passed) return {Action::run_here, last.step.candidate};
    // No child could be had. What is merely new runs here, behind its intent row; what has a record does not.
    const bool untried = last.outcome == Outcome::refused;
    if (untried && !selection.order[last.step.candidate].suspect) return {Action::run_here, last.step.candidate};
  }
  return first_step(selection, last.step.candidate + 1);
}

}  // namespace convoy
