// The selection rules as tables: facts in, order and reasons out.
#include "dispatch/select.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

CandidateFacts fact(const char* solver, Tier tier) {
  CandidateFacts facts;
  facts.solver = solver;
  facts.tier = tier;
  return facts;
}

// A GPU as later backends will have it, in an order that is not the tiers'.
std::vector<CandidateFacts> gpu_facts() {
  return {fact("slow", Tier::cpu), fact("miopen", Tier::vendor), fact("direct", Tier::generic),
          fact("igemm", Tier::own), fact("reference", Tier::reference)};
}

std::string order_of(const Selection& selection, const std::vector<CandidateFacts>& facts) {
  std::string order;
  for (const Candidate& candidate : selection.order) {
    order += (order.empty() ? "" : " ") + facts[candidate.fact].solver + (candidate.trial ? "?" : "");
  }
  return order;
}

Problem sized(std::int64_t size) {
  Problem problem;
  problem.in = {size, size, 1};
  return problem;
}

TEST(Select, strategies_on_a_gpu) {
  struct Row {
    Strategy strategy;
    std::int64_t size;
    const char* order;
  };
  const auto facts = gpu_facts();
  for (const Row& row : {
           Row{Strategy::automatic, 224, "miopen? igemm direct slow reference"},
           Row{Strategy::implicit_gemm, 224, "miopen? igemm direct slow reference"},
           Row{Strategy::gemm, 224, "miopen? igemm direct slow reference"},
           Row{Strategy::selective, 42, "miopen? igemm direct slow reference"},
           Row{Strategy::selective, 43, "igemm direct slow reference"},
           Row{Strategy::cpu, 8, "slow reference"},
           Row{Strategy::vendor, 224, "miopen? slow reference"},
       }) {
    Policy policy;
    policy.strategy = row.strategy;
    const Selection selection = select(sized(row.size), facts, policy, false);
    EXPECT_EQ(order_of(selection, facts), row.order);
    EXPECT_EQ(selection.order.size() + selection.rejected.size(), facts.size());
    for (const Rejection& no : selection.rejected) EXPECT_FALSE(no.reason.empty());
  }
}

TEST(Select, on_the_host_the_vendor_is_the_cpu_tier_of_strategies_without_vendors) {
  const std::vector<CandidateFacts> facts{fact("onednn", Tier::vendor), fact("reference", Tier::reference)};
  Policy policy;
  EXPECT_EQ(order_of(select(sized(224), facts, policy, true), facts), "onednn reference");
  for (const Strategy strategy : {Strategy::cpu, Strategy::selective}) {
    policy.strategy = strategy;
    const Selection selection = select(sized(224), facts, policy, true);
    ASSERT_EQ(order_of(selection, facts), "onednn reference");
    EXPECT_EQ(selection.order[0].tier, Tier::cpu);
    EXPECT_EQ(selection.order[0].allowed, k_all_algorithms);
  }
}

TEST(Select, algorithm_switches_and_strategies_restrict_the_vendor) {
  const auto facts = gpu_facts();
  Policy policy;
  policy.strategy = Strategy::gemm;
  EXPECT_EQ(select(sized(9), facts, policy, false).order[0].allowed, static_cast<AlgorithmSet>(Algorithm::gemm));
  policy.strategy = Strategy::implicit_gemm;
  EXPECT_EQ(select(sized(9), facts, policy, false).order[0].allowed,
            static_cast<AlgorithmSet>(Algorithm::implicit_gemm));
  policy.allowed = k_all_algorithms & ~static_cast<AlgorithmSet>(Algorithm::implicit_gemm);
  const Selection selection = select(sized(9), facts, policy, false);
  EXPECT_EQ(facts[selection.order[0].fact].solver, "igemm");
  policy.allowed = 0;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "reference");
}

TEST(Select, measured_times_order_vendor_and_own_solvers) {
  auto facts = gpu_facts();
  const auto order = [&facts] { return order_of(select(sized(64), facts, Policy{}, false), facts); };
  facts[3].measured_ms = 1;
  EXPECT_EQ(order(), "miopen? igemm direct slow reference") << "one time compares with nothing";
  facts[1].measured_ms = 2;
  facts[2].measured_ms = 0.5;
  EXPECT_EQ(order(), "igemm miopen? direct slow reference") << "a generic solver does not compete";
  facts[1].measured_ms = 0.9;
  EXPECT_EQ(order(), "miopen? igemm direct slow reference");
}

TEST(Select, what_the_caller_brought_along_is_trusted) {
  auto facts = gpu_facts();
  facts[1].trusted = true;
  const auto order = [&facts] { return order_of(select(sized(64), facts, Policy{}, false), facts); };
  EXPECT_EQ(order(), "miopen igemm direct slow reference");
  facts[1].suspect = true;
  EXPECT_EQ(order(), "miopen? igemm direct slow reference");
}

TEST(Select, records_decide_on_trial_and_quarantine) {
  auto facts = gpu_facts();
  Policy policy;
  facts[1].passed_before = true;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen igemm direct slow reference");
  facts[1].passed_before = false;
  facts[1].strikes = 1;
  facts[1].suspect = true;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen? igemm direct slow reference");
  facts[1].strikes = 2;
  facts[1].strike_reason = "timed_out: after 2000 ms";
  Selection selection = select(sized(9), facts, policy, false);
  EXPECT_EQ(order_of(selection, facts), "igemm direct slow reference");
  EXPECT_EQ(selection.rejected[0].outcome, Outcome::quarantined);
  EXPECT_EQ(selection.rejected[0].reason, "timed_out: after 2000 ms");

  facts[1].strikes = 0;
  facts[1].quarantined_kin = 2;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen? igemm direct slow reference");
  facts[1].quarantined_kin = 3;
  selection = select(sized(9), facts, policy, false);
  EXPECT_EQ(selection.rejected[0].outcome, Outcome::quarantined);
  facts[1].passed_before = true;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen igemm direct slow reference");
}

TEST(Select, trial_modes) {
  auto facts = gpu_facts();
  Policy policy;
  policy.trial = TrialMode::never;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen igemm direct slow reference");
  policy.trial = TrialMode::always;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen? igemm? direct? slow? reference");
  policy.trial = TrialMode::automatic;
  facts[3].suspect = true;
  EXPECT_EQ(order_of(select(sized(9), facts, policy, false), facts), "miopen? igemm? direct slow reference");
  EXPECT_EQ(order_of(select(sized(9), facts, policy, true), facts), "miopen igemm? direct slow reference");
}

TEST(Select, the_reference_is_always_there_and_last) {
  auto facts = gpu_facts();
  for (CandidateFacts& one : facts) {
    one.strikes = 9;
    one.quarantined_kin = 9;
  }
  Policy policy;
  policy.only_solver = "nothing";
  policy.allowed = 0;
  policy.strategy = Strategy::cpu;
  const Selection selection = select(sized(9), facts, policy, false);
  EXPECT_EQ(order_of(selection, facts), "reference");
}

TEST(Select, only_solver_and_unfit_are_named) {
  auto facts = gpu_facts();
  facts[3].refusal = "wants channels first";
  Policy policy;
  policy.only_solver = "direct";
  const Selection selection = select(sized(9), facts, policy, false);
  EXPECT_EQ(order_of(selection, facts), "direct reference");
  ASSERT_EQ(selection.rejected.size(), 3U);
  EXPECT_EQ(selection.rejected[2].reason, "wants channels first");
  EXPECT_NE(selection.rejected[0].reason.find("MIOPEN_DEBUG_FIND_ONLY_SOLVER"), std::string::npos);
}

}  // namespace
}  // namespace convoy
