// Every claim about a variable, shown once with a value that it is about and once with one that it is not.
#include "cli/environment_rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

struct Claim {
  std::string rule;
  VariableSet about;
  VariableSet silent;  // empty: the claim is about any value
};

std::vector<Claim> claims(const TestFolder& folder) {
  const std::string here = folder.path();
  const std::string beneath_a_file = folder.write("file", "") + "/db";
  const std::string gone = folder.file("gone");
  return {
      {"quoted_value", {{"MIOPEN_FIND_MODE", "\"2\""}}, {{"MIOPEN_FIND_MODE", "2"}}},
      {"invented", {{"HIP_FORCE_COARSE_GRAIN", "1"}}, {{"HSA_FORCE_FINE_GRAIN_PCIE", "1"}}},
      {"override_empty", {{"HSA_OVERRIDE_GFX_VERSION", ""}}, {{"HSA_OVERRIDE_GFX_VERSION", "10.3.0"}}},
      {"override_malformed", {{"HSA_OVERRIDE_GFX_VERSION_1", "gfx1030"}}, {{"HSA_OVERRIDE_GFX_VERSION_1", "10.3.0"}}},
      {"override_everywhere", {{"HSA_OVERRIDE_GFX_VERSION", "10.3.0"}}, {{"HSA_OVERRIDE_GFX_VERSION_1", "10.3.0"}}},
      {"find_mode_word", {{"MIOPEN_FIND_MODE", "fastest"}}, {{"MIOPEN_FIND_MODE", "Fast"}}},
      {"find_mode_range", {{"MIOPEN_FIND_MODE", "9"}}, {{"MIOPEN_FIND_MODE", "7"}}},
      {"find_mode_normal", {{"MIOPEN_FIND_MODE", "1"}}, {{"MIOPEN_FIND_MODE", "2"}}},
      {"find_mode_fast", {{"MIOPEN_FIND_MODE", "FAST"}}, {{"MIOPEN_FIND_MODE", "3"}}},
      {"find_mode_hybrid", {{"MIOPEN_FIND_MODE", "3"}}, {{"MIOPEN_FIND_MODE", "5"}}},
      {"find_mode_reserved", {{"MIOPEN_FIND_MODE", "4"}}, {{"MIOPEN_FIND_MODE", "5"}}},
      {"find_mode_default", {{"MIOPEN_FIND_MODE", "5"}}, {{"MIOPEN_FIND_MODE", "6"}}},
      {"find_mode_trust", {{"MIOPEN_FIND_MODE", "TRUST_VERIFY"}}, {{"MIOPEN_FIND_MODE", "HYBRID"}}},
      {"find_mode_overruled",
       {{"MIOPEN_FIND_MODE", "2"}, {"MIOPEN_FIND_ENFORCE", "2"}},
       {{"MIOPEN_FIND_MODE", "2"}, {"MIOPEN_FIND_ENFORCE", "1"}}},
      {"find_enforce_none", {{"MIOPEN_FIND_ENFORCE", "1"}}, {{"MIOPEN_FIND_ENFORCE", "2"}}},
      {"find_enforce_update", {{"MIOPEN_FIND_ENFORCE", "DB_UPDATE"}}, {{"MIOPEN_FIND_ENFORCE", "NONE"}}},
      {"find_enforce_search", {{"MIOPEN_FIND_ENFORCE", "3"}}, {{"MIOPEN_FIND_ENFORCE", "2"}}},
      {"find_enforce_clean", {{"MIOPEN_FIND_ENFORCE", "5"}}, {{"MIOPEN_FIND_ENFORCE", "4"}}},
      {"find_enforce_word", {{"MIOPEN_FIND_ENFORCE", "never"}}, {{"MIOPEN_FIND_ENFORCE", "none"}}},
      {"find_enforce_range", {{"MIOPEN_FIND_ENFORCE", "6"}}, {{"MIOPEN_FIND_ENFORCE", "5"}}},
      {"switch_is_on_anyway", {{"MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", "1"}}, {{"MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", "0"}}},
      {"switch_is_off_anyway", {{"MIOPEN_DISABLE_CACHE", "0"}}, {{"MIOPEN_DISABLE_CACHE", "1"}}},
      {"switch_on_not_boolean", {{"MIOPEN_DEBUG_CONV_FFT", "2"}}, {{"MIOPEN_DEBUG_CONV_FFT", "disabled"}}},
      {"switch_off_not_boolean", {{"MIOPEN_ENABLE_LOGGING", "much"}}, {{"MIOPEN_ENABLE_LOGGING", "on"}}},
      {"gemm_is_not_forced",
       {{"MIOPEN_DEBUG_CONV_GEMM", "1"}, {"MIOPEN_DEBUG_CONV_DIRECT", "0"}},
       {{"MIOPEN_DEBUG_CONV_GEMM", "1"}, {"MIOPEN_DEBUG_CONV_DIRECT", "1"}}},
      {"direct_off", {{"MIOPEN_DEBUG_CONV_DIRECT", "0"}}, {{"MIOPEN_DEBUG_CONV_WINOGRAD", "0"}}},
      {"group_bwd_reversed",
       {{"MIOPEN_DEBUG_CONV_IMPLICIT_GEMM_HIP_GROUP_BWD_XDLOPS", "1"}},
       {{"MIOPEN_DEBUG_CONV_IMPLICIT_GEMM_HIP_GROUP_BWD_XDLOPS", "0"}}},
      {"find_db_off", {{"MIOPEN_DEBUG_DISABLE_FIND_DB", "1"}}, {{"MIOPEN_DEBUG_DISABLE_FIND_DB", "0"}}},
      {"device_arch", {{"MIOPEN_DEVICE_ARCH", "gfx1030"}}, {}},
      {"cache_off", {{"MIOPEN_DISABLE_CACHE", "1"}}, {{"MIOPEN_DISABLE_CACHE", "0"}}},
      {"user_db_unwritable", {{"MIOPEN_USER_DB_PATH", beneath_a_file}}, {{"MIOPEN_USER_DB_PATH", gone}}},
      {"user_db_network", {{"MIOPEN_USER_DB_PATH", "/network/db"}}, {{"MIOPEN_USER_DB_PATH", here}}},
      {"cache_dir_unwritable", {{"MIOPEN_CUSTOM_CACHE_DIR", beneath_a_file}}, {{"MIOPEN_CUSTOM_CACHE_DIR", here}}},
      {"cache_dir_network", {{"MIOPEN_CUSTOM_CACHE_DIR", "/network/db"}}, {{"MIOPEN_CUSTOM_CACHE_DIR", here}}},
      {"system_db_missing", {{"MIOPEN_SYSTEM_DB_PATH", gone}}, {{"MIOPEN_SYSTEM_DB_PATH", here}}},
      {"log_flood", {{"MIOPEN_LOG_LEVEL", "5"}}, {{"MIOPEN_LOG_LEVEL", "4"}}},
      {"log_range", {{"MIOPEN_LOG_LEVEL", "debug"}}, {{"MIOPEN_LOG_LEVEL", "7"}}},
      {"visible_devices_empty", {{"ROCR_VISIBLE_DEVICES", ""}}, {{"ROCR_VISIBLE_DEVICES", "0"}}},
      {"sdma_off", {{"HSA_ENABLE_SDMA", "0"}}, {{"HSA_ENABLE_SDMA", "1"}}},
      {"sdma_default", {{"HSA_ENABLE_SDMA", "1"}}, {{"HSA_ENABLE_SDMA", "0"}}},
      {"xnack_on", {{"HSA_XNACK", "1"}}, {{"HSA_XNACK", "0"}}},
      {"xnack_off", {{"HSA_XNACK", "0"}}, {{"HSA_XNACK", "1"}}},
      {"rocm_arch_builds_only", {{"PYTORCH_ROCM_ARCH", "gfx1030"}}, {}},
      {"hip_allocator_refused",
       {{"PYTORCH_HIP_ALLOC_CONF", "max_split_size_mb=128"}},
       {{"PYTORCH_HIP_ALLOC_CONF", "max_split_size_mb:128, expandable_segments:True"}}},
      {"cuda_allocator_refused",
       {{"PYTORCH_CUDA_ALLOC_CONF", "garbage_collection_threshold:80"}},
       {{"PYTORCH_CUDA_ALLOC_CONF", "garbage_collection_threshold:0.8,backend:native"}}},
      {"two_allocators",
       {{"PYTORCH_HIP_ALLOC_CONF", "backend:native"}, {"PYTORCH_CUDA_ALLOC_CONF", "backend:native"}},
       {{"PYTORCH_HIP_ALLOC_CONF", "backend:native"}}},
      {"suggest_nhwc_off", {{"PYTORCH_MIOPEN_SUGGEST_NHWC", "0"}}, {{"PYTORCH_MIOPEN_SUGGEST_NHWC", "1"}}},
  };
}

FolderContext folders() {
  return {"", "/home/nobody", [](const std::string& path) { return path.starts_with("/network"); }};
}

bool says(const std::string& rule, const VariableSet& variables) {
  const auto verdicts = judge_variables(variables, folders());
  return std::ranges::find(verdicts, rule, &VariableVerdict::rule) != verdicts.end();
}

VariableVerdict only_verdict(const std::string& name, const std::string& value) {
  const auto verdicts = judge_variables({{name, value}}, folders());
  EXPECT_EQ(verdicts.size(), 1U) << name << "=" << value;
  return verdicts.empty() ? VariableVerdict{} : verdicts.front();
}

TEST(EnvironmentRules, EveryClaimSpeaksOfItsValueAndOfNoOther) {
  const TestFolder folder;
  std::set<std::string> shown;
  for (const Claim& claim : claims(folder)) {
    EXPECT_TRUE(says(claim.rule, claim.about)) << claim.rule;
    EXPECT_FALSE(says(claim.rule, claim.silent)) << claim.rule;
    shown.insert(claim.rule);
  }
  for (const EnvironmentRule& rule : environment_rules()) {
    EXPECT_TRUE(shown.contains(std::string(rule.id))) << "no test shows the claim " << rule.id;
  }
  EXPECT_EQ(shown.size(), environment_rules().size());
}

TEST(EnvironmentRules, EveryClaimHasASource) {
  std::set<std::string_view> ids;
  for (const EnvironmentRule& rule : environment_rules()) {
    EXPECT_TRUE(rule.source.starts_with("https://")) << rule.id;
    EXPECT_FALSE(rule.sentence.empty()) << rule.id;
    EXPECT_TRUE(rule.severity == Severity::note || !rule.cure.empty()) << rule.id << " is wrong, and has no cure";
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id << " is there twice";
  }
  for (const EnvironmentNames& row : environment_names()) {
    EXPECT_TRUE(row.source.starts_with("https://")) << row.names;
    EXPECT_FALSE(row.meaning.empty()) << row.names;
  }
}

TEST(EnvironmentRules, NamesOfLaterReleasesAreKnown) {
  for (const char* name : {"MIOPEN_DEBUG_CONV_DIRECT_HIP_FWD", "MIOPEN_DEBUG_AMD_WINOGRAD_RAGE_RXS_F2X3",
                           "HSA_ENABLE_SDMA_GANG", "HSA_NO_SCRATCH_THREAD_LIMITER"}) {
    EXPECT_EQ(only_verdict(name, "1").rule, "effective") << name;
  }
}

TEST(EnvironmentRules, AnInventedNameIsToldWithTheGuideThatHasIt) {
  EXPECT_NE(only_verdict("HIP_FORCE_COARSE_GRAIN", "1").source.find("install_rocm57.sh"), std::string::npos);
}

// A rule for a name that is in no row would never speak.
TEST(EnvironmentRules, EveryNameOfARuleExists) {
  const std::set<std::string_view> kinds = {"*", "switch_on", "switch_off", "invented"};
  for (const EnvironmentRule& rule : environment_rules()) {
    for (const std::string_view name : {rule.variable, rule.also_variable}) {
      if (name.empty() || kinds.contains(name)) continue;
      EXPECT_NE(only_verdict(std::string(name), "").rule, "unknown_name") << name;
      EXPECT_FALSE(says("misspelt_name", {{std::string(name), ""}})) << name;
    }
  }
}

TEST(EnvironmentRules, EveryNameIsListedOnceAndBelongsToAFamily) {
  std::set<std::string> names;
  for (const EnvironmentNames& row : environment_names()) {
    std::string_view rest = row.names;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(' '), rest.size());
      const std::string name = std::string(row.prefix).append(rest.substr(0, end));
      EXPECT_TRUE(names.insert(name).second) << name;
      const auto begins = [&](std::string_view family) { return name.starts_with(family); };
      EXPECT_TRUE(std::ranges::any_of(environment_families(), begins)) << name;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  EXPECT_GT(names.size(), 150U);
}

TEST(EnvironmentRules, AMisspeltNameIsToldWithTheOneThatWasMeant) {
  for (const auto& [wrong, meant] :
       std::map<std::string, std::string>{{"MIOPEN_FIND_MODUS", "MIOPEN_FIND_MODE"},
                                          {"MIOPEN_DEBUG_CONV_IMPLICITGEMM", "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM"},
                                          {"MIOPEN_USER_DB_PATHS", "MIOPEN_USER_DB_PATH"},
                                          {"HSA_OVERRIDE_GFX_VERSIONS", "HSA_OVERRIDE_GFX_VERSION"}}) {
    const VariableVerdict verdict = only_verdict(wrong, "1");
    EXPECT_EQ(verdict.rule, "misspelt_name") << wrong;
    EXPECT_EQ(verdict.severity, Severity::warning);
    EXPECT_NE(verdict.cure.find(meant), std::string::npos) << verdict.cure;
    EXPECT_TRUE(verdict.source.starts_with("https://"));
  }
  EXPECT_EQ(only_verdict("MIOPEN_ENTIRELY_DIFFERENT_THING", "1").rule, "unknown_name");
  EXPECT_EQ(only_verdict("MIOPEN_" + std::string(5000, 'X'), "1").rule, "unknown_name");
}

TEST(EnvironmentRules, WhatNoRuleSpeaksOfIsEffectiveOrWithoutValue) {
  EXPECT_EQ(only_verdict("MIOPEN_COMPILE_PARALLEL_LEVEL", "4").judgement, EnvironmentJudgement::effective);
  EXPECT_EQ(only_verdict("MIOPEN_DEBUG_CONV_FFT", "0").judgement, EnvironmentJudgement::effective);
  EXPECT_EQ(only_verdict("MIOPEN_FIND_MODE", "").rule, "empty_value");
  EXPECT_TRUE(judge_variables({{"PATH", "/bin"}, {"CONVOY_FIND", "find"}}, folders()).empty());
}

TEST(EnvironmentRules, HostileValuesAreMadePrintable) {
  const VariableVerdict verdict = only_verdict("MIOPEN_FIND_MODE", "\x1b[31m\n" + std::string(100000, 'x'));
  EXPECT_EQ(verdict.rule, "find_mode_word");
  EXPECT_LT(verdict.sentence.size(), 500U);
  EXPECT_EQ(verdict.sentence.find('\x1b'), std::string::npos);
}

TEST(EnvironmentRules, AllocatorOptionsFollowPyTorchsGrammar) {
  for (const char* right : {"backend:native", "roundup_power2_divisions:[256:1,512:2,>:4]", "max_split_size_mb:21",
                            "expandable_segments:False,max_split_size_mb:512"}) {
    EXPECT_FALSE(says("hip_allocator_refused", {{"PYTORCH_HIP_ALLOC_CONF", right}})) << right;
  }
  for (const char* wrong : {"max_split_size_mb", "max_split_size_mb:20", "max_split_size_mb:", "max_split:128", ",",
                            "backend:", "expandable_segments:1", "backend:native,", "roundup_power2_divisions:[256:1",
                            ":", "backend:jemalloc", "max_split_size_mb:128;expandable_segments:True"}) {
    EXPECT_TRUE(says("hip_allocator_refused", {{"PYTORCH_HIP_ALLOC_CONF", wrong}})) << wrong;
  }
}

TEST(EnvironmentRules, FoldersAreLookedForBelowTheRoot) {
  const TestFolder root;
  root.write("opt/db/x", "");
  const FolderContext context{root.path(), "/home/me", {}};
  EXPECT_EQ(judge_variables({{"MIOPEN_SYSTEM_DB_PATH", "/opt/db"}}, context).front().rule, "effective");
  EXPECT_EQ(judge_variables({{"MIOPEN_SYSTEM_DB_PATH", "~/db"}}, context).front().rule, "system_db_missing");
  root.write("home/me/db/x", "");
  EXPECT_EQ(judge_variables({{"MIOPEN_SYSTEM_DB_PATH", "~/db"}}, context).front().rule, "effective");
}

}  // namespace
}  // namespace convoy
