// Which files make up each of systemd's services, as systemd puts them together: the unit of the first folder that has one, and
// the drop-ins of all folders in the order of their names, of which the first folder's wins.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/rooted_files.h"

namespace convoy {

struct UnitFiles {
  std::string name;  // "ollama.service"; "service": the drop-ins for all services
  std::vector<std::string> files;
};

// `folders`: those of one manager, the strongest first. Units that are aliases or masked are left out.
std::vector<UnitFiles> find_units(RootedFiles& files, std::span<const std::string> folders, std::string_view suffix);

}  // namespace convoy
