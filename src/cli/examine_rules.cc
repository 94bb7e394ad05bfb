// Device rules that hold on this machine, as findings: what Convoy does differently on its cards and why, and what it would set.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/advice.h"
#include "cli/examine.h"

namespace convoy {
namespace {

std::string effect_of(const RuleEffects& effects) {
  std::vector<std::string> parts;
  if (!effects.refuse.empty()) parts.push_back(fmt::format("does not use {}", fmt::join(effects.refuse, ", ")));
  if (!effects.first.empty()) parts.push_back(fmt::format("tries {} first", fmt::join(effects.first, ", ")));
  if (!effects.without.empty())
    parts.push_back(fmt::format("lets MIOpen use no {} algorithms", fmt::join(effects.without, ", ")));
  if (!effects.strategy.empty()) parts.push_back("takes the strategy " + effects.strategy);
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::vector<Finding> examine_rules(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question) {
  std::vector<Finding> findings;
  for (const std::string& problem : rules.problems)
    findings.push_back(
        {"own.rules", Severity::warning, problem, "", "correct the file; docs/rules.md has the format", ""});
  for (const DeviceRule& rule : rules_here(detection, rules, question)) {
    const std::string effect = effect_of(rule.effects);
    if (effect.empty()) continue;
    std::string_view sentence = rule.sentence;
    while (sentence.ends_with('.')) sentence.remove_suffix(1);
    findings.push_back({"rule." + rule.id, Severity::note,
                        fmt::format("{}: Convoy {}{}.", sentence, effect, rule.problem.any() ? " there" : ""),
                        rule.origin, "", rule.sources.empty() ? "" : rule.sources.front()});
  }
  for (const AdvisedSetting& one : advise(detection, rules, question)) {
    const auto present = question.variables.find(one.name);
    if (present != question.variables.end() && present->second == one.value) continue;
    findings.push_back({"advice." + one.name, one.kept.empty() ? Severity::warning : Severity::note,
                        fmt::format("{}={} would help: {}{}.", one.name, one.value, one.reason,
                                    one.kept.empty() ? "" : "; it is " + one.kept),
                        "", "eval \"$(convoy env)\", or convoy install for all programs", one.source});
  }
  return findings;
}

}  // namespace convoy
