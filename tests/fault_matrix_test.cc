// Faults: eight kinds x three directions x {find, immediate} x {cold, warm ledger}, and where a fault can be survived in
// this process, without the child too. The numbers are right every time; the rung, the outcome and what the ledger says
// afterwards are asserted.
#include <gtest/gtest.h>

#include <vector>

#include "base/test_folder.h"
#include "dispatch/dispatcher.h"
#include "solvers/numbers.h"

namespace convoy {
namespace {

struct FaultCase {
  const char* kind;
  Outcome outcome;  // of the solver under the fault
  int strikes;      // of one such outcome; two put the solver in quarantine
  bool survivable;  // this process can take it without a child
};
constexpr FaultCase k_faults[] = {
    {"error", Outcome::failed, 1, true},     {"hang", Outcome::timed_out, 2, false},
    {"crash", Outcome::crashed, 2, false},   {"wrong", Outcome::wrong_result, 2, true},
    {"nan", Outcome::wrong_result, 2, true}, {"silent", Outcome::wrong_result, 2, true},
    {"compile", Outcome::failed, 1, true},   {"oom", Outcome::refused, 0, true},
};

using Parameters = std::tuple<FaultCase, Direction, const char*>;  // fault, direction, find mode

class FaultMatrix : public testing::TestWithParam<Parameters> {
 protected:
  Problem problem() const {
    Problem problem = *parse_problem("fwd:f32:nchw:n2c8h12w12:k16r3s3:pad1x1:stride1x1:dil1x1:g1");
    problem.direction = std::get<1>(GetParam());
    return problem;
  }

  Settings settings(const char* trial) const {
    Settings settings;
    const std::string fault = std::string("onednn:") + std::get<0>(GetParam()).kind;
    for (const auto& [key, value] :
         std::vector<std::pair<const char*, std::string>>{{"cache_dir", folder_.path()},
                                                          {"system_cache_dirs", ""},
                                                          {"probe", CONVOY_PROGRAM},
                                                          {"deadline_ms", CONVOY_TEST_DEADLINE_MS},
                                                          {"fault", fault},
                                                          {"find", std::get<2>(GetParam())},
                                                          {"trial", trial}}) {
      const auto set = settings.set(key, value);
      EXPECT_TRUE(set) << set.error().message;
    }
    return settings;
  }

  // Runs the problem in a handle of its own, checks every number, and returns what was tried.
  std::vector<Attempt> run(const char* trial, int* children) {
    auto dispatcher = Dispatcher::create(settings(trial), "cpu");
    EXPECT_TRUE(dispatcher) << dispatcher.error().message;
    const Problem p = problem();
    std::array<std::vector<std::uint8_t>, 3> data;
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      auto& bytes = data[static_cast<std::size_t>(role)];
      bytes.assign(static_cast<std::size_t>(p.bytes(role)), 0xff);
      if (role != p.output_role()) fill_random(bytes.data(), p.dtype, p.span(role), static_cast<std::uint64_t>(role));
    }
    const Tensors tensors{data[0].data(), data[1].data(), data[2].data()};
    auto convolution = (*dispatcher)->convolution(p);
    const auto ran = (*convolution)->run(tensors);
    EXPECT_TRUE(ran) << ran.error().message;
    const NumbersCheck check = check_sampled(p, tensors, 1 << 20, 1);
    EXPECT_TRUE(check.passed) << check.reason;
    const auto report = (*convolution)->report();
    EXPECT_EQ(report.solver, "reference");
    EXPECT_EQ(report.tier, Tier::reference);
    EXPECT_TRUE((*dispatcher)->context().store().contents()->intents.empty());
    *children = (*dispatcher)->context().children_started();
    return report.attempts;
  }

  void expect_outcome(const std::vector<Attempt>& attempts, Outcome outcome, bool in_child) {
    ASSERT_EQ(attempts.size(), 2U);
    EXPECT_EQ(attempts[0].solver, "onednn");
    EXPECT_EQ(attempts[0].outcome, outcome) << to_string(attempts[0].outcome) << " " << attempts[0].reason;
    EXPECT_EQ(attempts[0].in_child, in_child);
    EXPECT_FALSE(attempts[0].reason.empty());
    EXPECT_EQ(attempts[1].outcome, Outcome::passed);
  }

  TestFolder folder_;
};

TEST_P(FaultMatrix, recovers_and_remembers) {
  const FaultCase& fault = std::get<0>(GetParam());
  int children = 0;
  for (int strikes = 0; strikes < 2; strikes += fault.strikes == 0 ? 1 : fault.strikes) {
    expect_outcome(run("auto", &children), fault.outcome, true);
    EXPECT_EQ(children, 1);
  }
  if (fault.strikes == 0) return;
  expect_outcome(run("auto", &children), Outcome::quarantined, false);
  EXPECT_EQ(children, 0) << "what is in quarantine is not tried";
}

TEST_P(FaultMatrix, recovers_without_a_child) {
  const FaultCase& fault = std::get<0>(GetParam());
  if (!fault.survivable) GTEST_SKIP() << "the point of the child; cli_fault_test.py shows the crash and its intent row";
  int children = 0;
  for (int strikes = 0; strikes < 2; strikes += fault.strikes == 0 ? 1 : fault.strikes) {
    expect_outcome(run("never", &children), fault.outcome, false);
    EXPECT_EQ(children, 0);
  }
  if (fault.strikes > 0) expect_outcome(run("never", &children), Outcome::quarantined, false);
}

std::string case_name(const testing::TestParamInfo<Parameters>& info) {
  return std::string(std::get<0>(info.param).kind) + "_" + std::string(to_string(std::get<1>(info.param))) + "_" +
         std::get<2>(info.param);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FaultMatrix,
                         testing::Combine(testing::ValuesIn(k_faults),
                                          testing::Values(Direction::forward, Direction::backward_data,
                                                          Direction::backward_weights),
                                          testing::Values("find", "immediate")),
                         case_name);

// Each new size of a kind would cost its deadline once; after three the solver is believed to be broken for that kind.
TEST(FaultKin, three_quarantined_problems_speak_for_their_kind) {
  TestFolder folder;
  Settings settings;
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, std::string>>{{"cache_dir", folder.path()},
                                                        {"system_cache_dirs", ""},
                                                        {"probe", CONVOY_PROGRAM},
                                                        {"deadline_ms", CONVOY_TEST_DEADLINE_MS},
                                                        {"fault", "onednn:crash@hw>8"}}) {
    ASSERT_TRUE(settings.set(key, value));
  }
  auto dispatcher = Dispatcher::create(settings, "cpu");
  ASSERT_TRUE(dispatcher);
  const auto outcome_at = [&](std::int64_t size, Direction direction) {
    Problem problem = *parse_problem("fwd:f32:nchw:n1c4h8w8:k4r3s3:pad1x1:stride1x1:dil1x1:g1");
    problem.direction = direction;
    problem.in = {size, size, 1};
    auto convolution = (*dispatcher)->convolution(problem);
    EXPECT_TRUE((*convolution)->prepare());
    return (*convolution)->report().attempts[0].outcome;
  };
  EXPECT_EQ(outcome_at(8, Direction::forward), Outcome::passed);
  EXPECT_EQ(outcome_at(10, Direction::forward), Outcome::crashed);
  EXPECT_EQ(outcome_at(12, Direction::forward), Outcome::crashed);
  EXPECT_EQ(outcome_at(14, Direction::forward), Outcome::crashed);
  EXPECT_EQ(outcome_at(16, Direction::forward), Outcome::quarantined);
  EXPECT_EQ(outcome_at(16, Direction::backward_data), Outcome::crashed) << "another direction is another kind";
}

}  // namespace
}  // namespace convoy
