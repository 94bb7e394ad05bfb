// Implementation of rule_set.h.
#include "rules/rule_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "devices_json.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_file_limit = 1 << 20;

void add_layer(ParsedRules layer, RuleSet& set) {
  std::ranges::move(layer.problems, std::back_inserter(set.problems));
  set.cards.insert(set.cards.begin(), std::make_move_iterator(layer.cards.begin()),
                   std::make_move_iterator(layer.cards.end()));
  for (const DeviceRule& rule : layer.rules)
    std::erase_if(set.rules, [&](const DeviceRule& one) { return one.id == rule.id; });
  std::erase_if(layer.rules, &DeviceRule::disabled);
  set.rules.insert(set.rules.begin(), std::make_move_iterator(layer.rules.begin()),
                   std::make_move_iterator(layer.rules.end()));
}

std::string name_without_features(const std::string& architecture) {
  return architecture.substr(0, architecture.find(':'));
}

}  // namespace

std::string_view built_in_rules() {
  return k_devices_json;
}

RuleSet RuleSet::load(const std::vector<std::string>& files, const RuleVocabulary& vocabulary) {
  RuleSet set;
  add_layer(parse_rules(built_in_rules(), "built in", vocabulary), set);
  for (const std::string& file : files) {
    const auto text = read_configuration(file, k_file_limit);
    if (!text) set.problems.push_back(text.error().message);
    if (text && *text) add_layer(parse_rules(**text, file, vocabulary), set);
  }
  return set;
}

std::vector<DeviceRule> RuleSet::for_machine(RuleMachine machine) const {
  const auto has_it = [&machine](const RuleCards& one) {
    return std::ranges::any_of(one.pci, [&](const std::string& id) { return matches_pattern(id, machine.pci); });
  };
  if (machine.architecture.empty() && !machine.pci.empty()) {
    const auto found = std::ranges::find_if(cards, has_it);
    if (found != cards.end()) machine.architecture = found->architecture;
  }
  std::vector<DeviceRule> found;
  std::ranges::copy_if(rules, std::back_inserter(found),
                       [&machine](const DeviceRule& rule) { return applies(rule.machine, machine); });
  return found;
}

RuleMachine machine_of(const DeviceInfo& device) {
  const std::string name = name_without_features(device.architecture);
  RuleMachine machine{std::string(to_string(device.kind)), device.pci_id, name, "", device.driver, "", ""};
  if (device.kind == DeviceKind::hip) machine.hip = device.runtime;
  if (device.real_architecture.empty()) return machine;
  machine.architecture = name_without_features(device.real_architecture);
  machine.pretends = name;
  return machine;
}

RuleMachine machine_of(const DetectedGpu& gpu, const KernelDriver& driver, std::string pretends) {
  if (pretends == gpu.architecture) pretends.clear();
  return {"hip",
          fmt::format("{:04x}:{:04x}", gpu.vendor, gpu.device),
          gpu.architecture,
          std::move(pretends),
          driver.version.empty() ? "amdgpu " + driver.kernel_release : "amdgpu " + driver.version,
          "",
          ""};
}

}  // namespace convoy
