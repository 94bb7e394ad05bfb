// Settings to policy. MIOpen's switches exclude algorithms; they never force one, and neither do we by them.
#include "dispatch/policy.h"

#include <array>
#include <utility>

namespace convoy {
namespace {

template <typename Value, std::size_t Count>
Value pick(std::string_view text, const std::array<std::pair<std::string_view, Value>, Count>& names) {
  for (const auto& [name, value] : names) {
    if (name == text) return value;
  }
  return names.front().second;
}

constexpr std::array<std::pair<std::string_view, Strategy>, 6> k_strategies{{{"auto", Strategy::automatic},
                                                                             {"implicit_gemm", Strategy::implicit_gemm},
                                                                             {"gemm", Strategy::gemm},
                                                                             {"selective", Strategy::selective},
                                                                             {"cpu", Strategy::cpu},
                                                                             {"vendor", Strategy::vendor}}};
constexpr std::array<std::pair<std::string_view, VerifyMode>, 3> k_verify{
    {{"sample", VerifyMode::sample}, {"off", VerifyMode::off}, {"full", VerifyMode::full}}};
constexpr std::array<std::pair<std::string_view, TrialMode>, 3> k_trial{
    {{"auto", TrialMode::automatic}, {"always", TrialMode::always}, {"never", TrialMode::never}}};

void apply_switches(const Settings& settings, Policy& policy) {
  constexpr std::array<std::pair<std::string_view, Algorithm>, 5> k_switches{{
      {"miopen.conv_gemm", Algorithm::gemm},
      {"miopen.conv_direct", Algorithm::direct},
      {"miopen.conv_winograd", Algorithm::winograd},
      {"miopen.conv_fft", Algorithm::fft},
      {"miopen.conv_implicit_gemm", Algorithm::implicit_gemm},
  }};
  for (const auto& [key, algorithm] : k_switches) {
    if (settings.boolean(key)) continue;
    policy.allowed &= ~static_cast<AlgorithmSet>(algorithm);
    if (settings.origin(key) == Origin::environment) policy.allowed_elsewhere &= ~static_cast<AlgorithmSet>(algorithm);
  }
}

// MIOPEN_FIND_MODE: fast never measures, dynamic_hybrid (the default) compiles nothing for it; normal ignores records of
// earlier processes. Any FIND_ENFORCE but none makes MIOpen use normal, whatever FIND_MODE says.
void apply_find_mode(const Settings& settings, Policy& policy) {
  const std::string& mode = settings.text("miopen.find_mode");
  const std::string& enforce = settings.text("miopen.find_enforce");
  const bool enforced = !enforce.empty() && enforce != "none";
  const std::string& own = settings.text("find");
  const bool by_miopen = own == "auto";
  if (own == "immediate" || (by_miopen && mode == "fast" && !enforced)) {
    policy.find = FindMode::immediate;
  } else if (own == "dynamic_hybrid" || (by_miopen && (mode.empty() || mode == "dynamic_hybrid") && !enforced)) {
    policy.find = FindMode::dynamic_hybrid;
  } else {
    policy.find = FindMode::find;
  }
  policy.keep_find_records = !settings.boolean("miopen.disable_find_db");
  policy.use_find_records = policy.keep_find_records && !(by_miopen && (enforced || mode == "normal"));
}

}  // namespace

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const auto& [name, strategy] : k_strategies) names.emplace_back(name);
  return names;
}

Strategy strategy_named(std::string_view name) {
  return pick(name, k_strategies);
}

Result<Policy> policy_from(const Settings& settings) {
  Policy policy;
  policy.strategy = pick(settings.text("strategy"), k_strategies);
  policy.size_threshold = settings.integer("size_threshold");
  apply_find_mode(settings, policy);
  policy.verify = pick(settings.text("verify"), k_verify);
  policy.trial = pick(settings.text("trial"), k_trial);
  policy.deadline = std::chrono::milliseconds(settings.integer("deadline_ms"));
  apply_switches(settings, policy);
  if (find_solver(settings.text("miopen.find_only_solver")) != nullptr) {
    policy.only_solver = settings.text("miopen.find_only_solver");
  }
  policy.log_commands = settings.boolean("miopen.enable_logging_cmd");
  auto faults = parse_faults(settings.text("fault"));
  if (!faults) return fail(faults.error().code, settings.place("fault") + ": " + faults.error().message);
  policy.faults = std::move(*faults);
  policy.deterministic = settings.boolean("deterministic");
  policy.threads = static_cast<int>(settings.integer("threads"));
  policy.memory_limit = settings.integer("memory_limit");
  policy.workspace_limit = settings.integer("workspace_limit");
  policy.probe = settings.text("probe");
  policy.disabled = settings.boolean("disable");
  return policy;
}

}  // namespace convoy
