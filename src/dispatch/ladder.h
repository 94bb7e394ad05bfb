// What to do next, given what has been done: a pure function, so that the order of trial, run and fallback can be read and
// tested without a device.
#pragma once

#include <span>

#include "dispatch/select.h"

namespace convoy {

enum class Action {
  try_in_child,  // the candidate is a suspect: let a child find out
  run_here,      // plan, run and check in this process
  give_up,       // nothing is left
};

struct Step {
  Action action = Action::give_up;
  std::size_t candidate = 0;  // index into Selection::order
};

struct StepResult {
  Step step;
  Outcome outcome = Outcome::failed;
};

// The step after `done`; the first when it is empty. Not to be asked after run_here has passed.
Step next_step(const Selection& selection, std::span<const StepResult> done);

}  // namespace convoy
