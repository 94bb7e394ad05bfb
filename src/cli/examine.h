// The parts of `convoy doctor`: each looks at one thing and says what it found. They change nothing and print nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "cli/advice.h"
#include "cli/environment_places.h"
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
// `process`: what this process was started with.
EnvironmentReport examine_environment(const VariableSet& process, const EnvironmentSearch& search);

// What the scripts that circulate among owners of RDNA1 cards leave on a machine.
std::vector<Finding> examine_leftovers(const std::string& root, const std::string& home);

// GPUs and libraries, and names that GPUs are told to pretend (HSA_OVERRIDE_GFX_VERSION in `variables`).
std::vector<Finding> examine_machine(const Detection& detection, const std::vector<PlacedVariable>& variables);

// Rules that hold here, and the variables that they and the strategy would set.
std::vector<Finding> examine_rules(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question);
// Which GPUs programs are offered: a processor's beside a card, and ROCR_VISIBLE_DEVICES that names absent ones.
std::vector<Finding> examine_visibility(const Detection& detection, const std::vector<PlacedVariable>& variables);

// Parameters of the driver that hurt computing, as they are and as files and the kernel's command line set them.
std::vector<Finding> examine_driver_options(const std::string& root);

// Libraries that could meet in one process (`library_path`: LD_LIBRARY_PATH), and a container's shared memory.
std::vector<Finding> examine_surroundings(const std::string& root, const std::vector<DetectedLibrary>& libraries,
                                          std::string_view library_path);

// Convoy's own settings and folder.
std::vector<Finding> examine_own(const Settings& settings);

}  // namespace convoy
