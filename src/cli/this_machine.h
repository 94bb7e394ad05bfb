// Where the caller's own environment tells commands to look on a machine, or on the image below a root.
#pragma once

#include <string>

#include "cli/environment_rules.h"
#include "device/detect.h"

namespace convoy {

// Of the families that are judged.
VariableSet process_variables();

// Active Pythons and conda environments, and MIOpen's folders of the user whose home this is.
DetectOptions places_to_look(const std::string& root, const std::string& home, const VariableSet& variables);

// "/mnt/image" of "/mnt/image/"; "" for "/".
std::string root_of(std::string folder);

}  // namespace convoy
