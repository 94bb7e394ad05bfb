// Rules from their JSON text, checked against the schema of docs/rules.md: names that exist, types, ranges, and that every rule
// matches its own example. The text is untrusted.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule.h"

namespace convoy {

// Names that rules may use; they belong to floors above this one.
struct RuleVocabulary {
  std::vector<std::string> candidates;  // solvers and tiers
  std::vector<std::string> algorithms;
  std::vector<std::string> strategies;
};

struct ParsedRules {
  std::vector<DeviceRule> rules;
  std::vector<RuleCards> cards;
  std::vector<std::string>
      problems;  // "FILE: rules[3] (some-id): when.pci: ...": such a rule is left out, the others count
};

// `origin`: what the text is called in problems and in DeviceRule::origin.
ParsedRules parse_rules(std::string_view text, std::string_view origin, const RuleVocabulary& vocabulary);

}  // namespace convoy
