// Implementation of environment_units.h.
#include "cli/environment_units.h"

#include <map>
#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::size_t k_most_units = 2048;   // of one manager
constexpr std::size_t k_most_drop_ins = 64;  // of one unit

struct Parts {
  std::string unit;
  std::map<std::string, std::string> drop_ins;  // path by name
};

// Not a link to a unit of another name (an alias, which is that unit) and not to /dev/null (masked).
bool is_itself(RootedFiles& files, const std::string& path) {
  const auto place = files.resolve(path);
  return place && last_name(*place) == last_name(path);
}

void add_drop_ins(RootedFiles& files, const std::string& folder, Parts& parts) {
  for (const std::string& name : files.list(folder)) {
    if (!name.ends_with(".conf") || parts.drop_ins.size() >= k_most_drop_ins) continue;
    parts.drop_ins.try_emplace(name, folder + "/" + name);
  }
}

}  // namespace

std::vector<UnitFiles> find_units(RootedFiles& files, std::span<const std::string> folders, std::string_view suffix) {
  constexpr std::string_view k_drop_ins = ".d";
  const std::string for_all = std::string(suffix.substr(1)) + ".d";
  std::map<std::string, Parts> units;
  for (const std::string& folder : folders) {
    for (const std::string& name : files.list(folder)) {
      const bool holds_drop_ins = name.ends_with(k_drop_ins);
      const std::string unit = holds_drop_ins ? name.substr(0, name.size() - k_drop_ins.size()) : name;
      if (!unit.ends_with(suffix) && name != for_all) continue;
      if (!units.contains(unit) && units.size() >= k_most_units) {
        files.note(folder, fmt::format("only {} units of its manager are read", k_most_units));
        continue;
      }
      Parts& parts = units[unit];
      if (holds_drop_ins) {
        add_drop_ins(files, folder + "/" + name, parts);
      } else if (parts.unit.empty()) {
        parts.unit = folder + "/" + name;
      }
    }
  }
  std::vector<UnitFiles> found;
  for (auto& [name, parts] : units) {
    UnitFiles unit{name, {}};
    if (!parts.unit.empty()) {
      if (!is_itself(files, parts.unit)) continue;
      unit.files.push_back(parts.unit);
    }
    for (const auto& [drop_in, path] : parts.drop_ins) {
      if (is_itself(files, path)) unit.files.push_back(path);
    }
    if (!unit.files.empty()) found.push_back(std::move(unit));
  }
  return found;
}

}  // namespace convoy
