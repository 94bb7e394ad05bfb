// Implementation of rules.h.
#include "dispatch/rules.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convoy {
namespace {

constexpr Algorithm k_algorithms[] = {Algorithm::gemm, Algorithm::direct, Algorithm::winograd, Algorithm::fft,
                                      Algorithm::implicit_gemm};

RuleVocabulary all_names() {
  RuleVocabulary names;
  // The last rung stays: without it nothing is sure to finish.
  for (const Tier tier : {Tier::vendor, Tier::own, Tier::generic, Tier::cpu})
    names.candidates.emplace_back(to_string(tier));
  for (const Solver* solver : solvers()) {
    if (solver->id() != to_string(Tier::reference)) names.candidates.emplace_back(solver->id());
  }
  for (const Algorithm algorithm : k_algorithms) names.algorithms.emplace_back(to_string(algorithm));
  names.strategies = strategy_names();
  return names;
}

// Loading MIOpen costs, so its version is asked for only where a rule that holds otherwise wants to know.
bool asks_for_miopen(const RuleSet& set, const RuleMachine& machine) {
  return std::ranges::any_of(set.rules, [&machine](const DeviceRule& rule) {
    MachinePredicates others = rule.machine;
    others.miopen.reset();
    return rule.machine.miopen && applies(others, machine);
  });
}

bool names_candidate(const std::vector<std::string>& names, std::string_view solver, Tier tier) {
  return std::ranges::any_of(names, [&](const std::string& name) { return name == solver || name == to_string(tier); });
}

}  // namespace

const RuleVocabulary& rule_vocabulary() {
  static const RuleVocabulary names = all_names();
  return names;
}

RuleSet load_rules(const Settings& settings) {
  std::vector<std::string> files;
  for (const std::string& folder : Settings::configuration_folders()) files.push_back(folder + "/rules.json");
  if (const std::string& file = settings.text("rules"); !file.empty()) files.push_back(file);
  return RuleSet::load(files, rule_vocabulary());
}

DeviceRules DeviceRules::of(const RuleSet& set, const DeviceInfo& device) {
  RuleMachine machine = machine_of(device);
  if (device.kind == DeviceKind::hip && asks_for_miopen(set, machine))
    machine.miopen = find_solver("miopen")->library();
  return DeviceRules(set.for_machine(std::move(machine)));
}

void DeviceRules::apply_to(Policy& policy, bool strategy_is_set) {
  bool chosen = strategy_is_set;
  for (const DeviceRule& rule : rules_) {
    if (!chosen && !rule.effects.strategy.empty()) {
      policy.strategy = strategy_named(rule.effects.strategy);
      policy.strategy_rule = rule.id;
      strategy_note_ = fmt::format("strategy {} by rule {}", rule.effects.strategy, rule.id);
      chosen = true;
    }
    for (const Algorithm algorithm : k_algorithms) {
      const bool without = std::ranges::find(rule.effects.without, to_string(algorithm)) != rule.effects.without.end();
      if (without) policy.vendor_without |= static_cast<AlgorithmSet>(algorithm);
    }
  }
}

std::string DeviceRules::refusal_of(std::string_view solver, Tier tier, const Problem& problem) const {
  const auto found = std::ranges::find_if(rules_, [&](const DeviceRule& rule) {
    return names_candidate(rule.effects.refuse, solver, tier) && applies(rule.problem, problem);
  });
  return found == rules_.end() ? "" : fmt::format("rule {}: {}", found->id, found->sentence);
}

// Only the strongest that puts anything first counts: two would contradict each other.
const DeviceRule* DeviceRules::that_puts_first(std::string_view solver, Tier tier, const Problem& problem) const {
  const auto found = std::ranges::find_if(
      rules_, [&](const DeviceRule& rule) { return !rule.effects.first.empty() && applies(rule.problem, problem); });
  return found != rules_.end() && names_candidate(found->effects.first, solver, tier) ? &*found : nullptr;
}

bool DeviceRules::puts_first(std::string_view solver, Tier tier, const Problem& problem) const {
  return that_puts_first(solver, tier, problem) != nullptr;
}

std::string DeviceRules::note_on(std::string_view solver, Tier tier, const Problem& problem) const {
  std::vector<std::string> notes;
  if (const DeviceRule* rule = that_puts_first(solver, tier, problem)) notes.push_back("put first by rule " + rule->id);
  if (!strategy_note_.empty()) notes.push_back(strategy_note_);
  for (const DeviceRule& rule : rules_) {
    if (tier != Tier::vendor || rule.effects.without.empty()) continue;
    notes.push_back(fmt::format("without {} by rule {}", fmt::join(rule.effects.without, ", "), rule.id));
  }
  return fmt::format("{}", fmt::join(notes, "; "));
}

}  // namespace convoy
