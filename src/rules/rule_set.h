// Rules in layers: those that come with Convoy, then those of files. A later rule with the id of an earlier one takes its place, and
// "disabled": true takes it out; rules of later layers are the stronger ones.
#pragma once

#include <string>
#include <vector>

#include "device/detect.h"
#include "device/device.h"
#include "rules/parse.h"

namespace convoy {

struct RuleSet {
  std::vector<DeviceRule> rules;      // the strongest first
  std::vector<RuleCards> cards;       // the strongest first
  std::vector<std::string> problems;  // what was not accepted, with its place

  // Files that are not there are no problem. Read as configuration files are (read_configuration): they may be links, but must
  // belong to the caller or to root.
  static RuleSet load(const std::vector<std::string>& files, const RuleVocabulary& vocabulary);

  // Those whose machine predicates hold; an architecture that is not known is taken from `cards`.
  std::vector<DeviceRule> for_machine(RuleMachine machine) const;
};

// The text of rules/devices.json.
std::string_view built_in_rules();

// Without MIOpen's version: to know it MIOpen must be loaded, its file has the number of its interface alone.
RuleMachine machine_of(const DeviceInfo& device);
RuleMachine machine_of(const DetectedGpu& gpu, const KernelDriver& driver, std::string pretends);

}  // namespace convoy
