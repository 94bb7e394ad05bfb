// Device rules as the engine obeys them: which of them hold on a device, and what they say of one problem. rules/rule.h has what a
// rule is, docs/rules.md the format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "dispatch/policy.h"
#include "rules/rule_set.h"

namespace convoy {

// Names of solvers, tiers, algorithms and strategies.
const RuleVocabulary& rule_vocabulary();
// Those that come with Convoy, of /etc/convoy/rules.json, of the user's and of setting `rules`.
RuleSet load_rules(const Settings& settings);

// The rules of one device.
class DeviceRules {
 public:
  DeviceRules() = default;
  explicit DeviceRules(std::vector<DeviceRule> rules) : rules_(std::move(rules)) {}
  static DeviceRules of(const RuleSet& set, const DeviceInfo& device);

  // Strategy and algorithms; `strategy_is_set`: by the user, who has the last word.
  void apply_to(Policy& policy, bool strategy_is_set);

  // Why a candidate is not used for a problem, "rule some-id: its sentence"; empty: no rule has anything against it.
  std::string refusal_of(std::string_view solver, Tier tier, const Problem& problem) const;
  // Whether the strongest rule that puts anything first on this problem puts this candidate there.
  bool puts_first(std::string_view solver, Tier tier, const Problem& problem) const;
  // How rules have changed the way of a candidate that is used, for whoever asks why: "put first by rule some-id". Empty: not at all.
  std::string note_on(std::string_view solver, Tier tier, const Problem& problem) const;

 private:
  const DeviceRule* that_puts_first(std::string_view solver, Tier tier, const Problem& problem) const;
  std::vector<DeviceRule> rules_;
  std::string strategy_note_;
};

}  // namespace convoy
