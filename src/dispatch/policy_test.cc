// Settings and MIOpen's variables to policy, as tables.
#include "dispatch/policy.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

struct FindRow {
  const char *find, *mode, *enforce;
  FindMode expected;
  bool reads_records;
};

TEST(Policy, find_modes) {
  for (const FindRow& row : {
           FindRow{"auto", "", "", FindMode::dynamic_hybrid, true},
           FindRow{"auto", "fast", "", FindMode::immediate, true},
           FindRow{"auto", "2", "none", FindMode::immediate, true},
           FindRow{"auto", "fast", "search", FindMode::find, false},  // any enforced value makes MIOpen use normal
           FindRow{"auto", "normal", "", FindMode::find, false},
           FindRow{"auto", "dynamic_hybrid", "", FindMode::dynamic_hybrid, true},
           FindRow{"auto", "hybrid", "", FindMode::find, true},
           FindRow{"dynamic_hybrid", "normal", "search", FindMode::dynamic_hybrid, true},
           FindRow{"immediate", "normal", "search", FindMode::immediate, true},
           FindRow{"find", "fast", "", FindMode::find, true},
       }) {
    Settings settings;
    ASSERT_TRUE(settings.set("find", row.find));
    if (*row.mode != 0) {
      ASSERT_TRUE(settings.set("miopen.find_mode", row.mode));
    }
    if (*row.enforce != 0) {
      ASSERT_TRUE(settings.set("miopen.find_enforce", row.enforce));
    }
    const auto policy = policy_from(settings);
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->find, row.expected) << row.find << " " << row.mode << " " << row.enforce;
    EXPECT_EQ(policy->use_find_records, row.reads_records) << row.find << " " << row.mode << " " << row.enforce;
    EXPECT_TRUE(policy->keep_find_records);
  }
  Settings settings;
  ASSERT_TRUE(settings.set("miopen.disable_find_db", "1"));
  EXPECT_FALSE(policy_from(settings)->use_find_records);
  EXPECT_FALSE(policy_from(settings)->keep_find_records);
}

TEST(Policy, algorithm_switches_exclude_and_never_force) {
  Settings settings;
  EXPECT_EQ(policy_from(settings)->allowed, k_all_algorithms);
  ASSERT_TRUE(settings.set("miopen.conv_implicit_gemm", "1"));
  EXPECT_EQ(policy_from(settings)->allowed, k_all_algorithms);
  ASSERT_TRUE(settings.set("miopen.conv_implicit_gemm", "0"));
  ASSERT_TRUE(settings.set("miopen.conv_winograd", "off"));
  const AlgorithmSet allowed = policy_from(settings)->allowed;
  EXPECT_FALSE(contains(allowed, Algorithm::implicit_gemm));
  EXPECT_FALSE(contains(allowed, Algorithm::winograd));
  EXPECT_TRUE(contains(allowed, Algorithm::gemm));
}

TEST(Policy, only_solver_matters_when_it_is_one_of_ours) {
  Settings settings;
  ASSERT_TRUE(settings.set("miopen.find_only_solver", "ConvBinWinogradRxSf2x3g1"));
  EXPECT_EQ(policy_from(settings)->only_solver, "");
  ASSERT_TRUE(settings.set("miopen.find_only_solver", "onednn"));
  EXPECT_EQ(policy_from(settings)->only_solver, "onednn");
}

TEST(Policy, every_strategy_name_is_known) {
  for (const auto& [name, strategy] :
       std::vector<std::pair<const char*, Strategy>>{{"auto", Strategy::automatic},
                                                     {"implicit_gemm", Strategy::implicit_gemm},
                                                     {"gemm", Strategy::gemm},
                                                     {"selective", Strategy::selective},
                                                     {"cpu", Strategy::cpu},
                                                     {"vendor", Strategy::vendor}}) {
    Settings settings;
    ASSERT_TRUE(settings.set("strategy", name));
    EXPECT_EQ(policy_from(settings)->strategy, strategy) << name;
  }
}

}  // namespace
}  // namespace convoy
