// The environment variables that have an effect on this machine for a strategy, each with its reason: what `convoy env` prints.
// Pure but for the folders of rocBLAS that it lists below the root.
#pragma once

#include <string>
#include <vector>

#include "cli/environment_rules.h"
#include "device/detect.h"
#include "rules/rule_set.h"

namespace convoy {

struct AdvisedSetting {
  std::string name, value;
  std::string reason;
  std::string rule;    // whose advice it is; empty: the strategy's
  std::string source;  // empty: Convoy's own setting
  std::string kept;    // another value that the variable has already, which stays; empty: none
};

struct AdviceQuestion {
  std::string root;              // of the machine; "" for this one
  VariableSet variables;         // of the environment that would be added to
  std::string strategy;          // "auto", "gemm", ...
  bool strategy_is_set = false;  // a settings file or a rule says so already, which programs with Convoy read
};

// The rules that hold for any of the cards.
std::vector<DeviceRule> rules_here(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question);

// Nothing for a machine without AMD GPUs. The same setting comes once, for whichever card is the first to need it.
std::vector<AdvisedSetting> advise(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question);

}  // namespace convoy
