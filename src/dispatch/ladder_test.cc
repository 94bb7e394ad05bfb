// The ladder as a table: what has been done, what comes next.
#include "dispatch/ladder.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

// Two candidates: a suspect that wants a trial, and a trusted one.
Selection two(bool suspect) {
  Selection selection;
  selection.order.push_back({0, Tier::vendor, k_all_algorithms, true, suspect});
  selection.order.push_back({1, Tier::reference, k_all_algorithms, false, false});
  return selection;
}

StepResult done(Action action, std::size_t candidate, Outcome outcome) {
  return {{action, candidate}, outcome};
}

void expect_next(const Selection& selection, const std::vector<StepResult>& history, Action action,
                 std::size_t candidate) {
  const Step step = next_step(selection, history);
  EXPECT_EQ(step.action, action);
  if (action == Action::give_up) return;
  EXPECT_EQ(step.candidate, candidate);
}

TEST(Ladder, trial_then_run) {
  expect_next(two(true), {}, Action::try_in_child, 0);
  expect_next(two(true), {done(Action::try_in_child, 0, Outcome::passed)}, Action::run_here, 0);
}

TEST(Ladder, every_failure_leads_to_the_next_rung) {
  for (const Outcome outcome : {Outcome::wrong_result, Outcome::crashed, Outcome::timed_out, Outcome::failed}) {
    expect_next(two(true), {done(Action::try_in_child, 0, outcome)}, Action::run_here, 1);
    expect_next(two(true), {done(Action::try_in_child, 0, Outcome::passed), done(Action::run_here, 0, outcome)},
                Action::run_here, 1);
  }
}

TEST(Ladder, without_a_child_only_suspects_are_left_out) {
  expect_next(two(true), {done(Action::try_in_child, 0, Outcome::refused)}, Action::run_here, 1);
  expect_next(two(false), {done(Action::try_in_child, 0, Outcome::refused)}, Action::run_here, 0);
}

TEST(Ladder, ends) {
  expect_next(two(true), {done(Action::run_here, 1, Outcome::failed)}, Action::give_up, 0);
  expect_next(Selection{}, {}, Action::give_up, 0);
}

}  // namespace
}  // namespace convoy
