// The parts of `convoy doctor`: each looks at one thing and says what it found. They change nothing and print nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "cli/environment_rules.h"
#include "cli/finding.h"
#include "device/detect.h"

namespace convoy {

// A variable, a value that it has somewhere, and where.
struct PlacedVariable {
  std::string name;
  std::string value;
  std::vector<std::string> places;
  EnvironmentJudgement judgement = EnvironmentJudgement::unknown;  // the worst of its verdicts
};

// The kind of container that the files below `root` are in, "Docker"; empty: none that leaves a mark.
std::string container_kind(const std::string& root);

struct EnvironmentReport {
  std::vector<PlacedVariable> variables;
  std::vector<Finding> findings;
};
// `process`: what this process was started with. Files are read below `folders.root`.
EnvironmentReport examine_environment(const VariableSet& process, const FolderContext& folders);

// What the scripts that circulate among owners of RDNA1 cards leave on a machine.
std::vector<Finding> examine_leftovers(const std::string& root, const std::string& home);

// GPUs and libraries, and names that GPUs are told to pretend (HSA_OVERRIDE_GFX_VERSION in `variables`).
std::vector<Finding> examine_machine(const Detection& detection, const std::vector<PlacedVariable>& variables);

// Convoy's own settings and folder.
std::vector<Finding> examine_own(const Settings& settings);

}  // namespace convoy
