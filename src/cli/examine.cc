// Everything that `convoy doctor` looks at without computing anything.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/doctor.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

VariableSet process_variables() {
  VariableSet variables;
  for (auto& [name, value] : Settings::environment_with(environment_families())) variables.emplace(name, value);
  return variables;
}

// A value of a folder's variable, or what stands in for it where there is none.
std::string folder_or(const VariableSet& variables, std::string_view name, const std::string& otherwise) {
  const auto found = variables.find(name);
  return found != variables.end() && found->second.starts_with('/') ? found->second : otherwise;
}

// The Python of an active virtual environment keeps its packages below lib/python3.11 or the like.
void add_virtual_environment(const std::string& root, DetectOptions& options) {
  const std::string folder = Settings::environment("VIRTUAL_ENV");
  if (!folder.starts_with('/')) return;
  for (const std::string& name : RootedFiles(root).list(folder + "/lib")) {
    if (name.starts_with("python"))
      options.site_packages.push_back(fmt::format("{}/lib/{}/site-packages", folder, name));
  }
}

DetectOptions places_to_look(const std::string& root, const std::string& home, const VariableSet& variables) {
  DetectOptions options;
  add_virtual_environment(root, options);
  if (const std::string conda = Settings::environment("CONDA_PREFIX"); conda.starts_with('/')) {
    options.conda_prefixes.push_back(conda);
  }
  if (!home.starts_with('/')) return options;
  options.user_folders = {folder_or(variables, "MIOPEN_USER_DB_PATH", home + "/.config/miopen"),
                          folder_or(variables, "MIOPEN_CUSTOM_CACHE_DIR", home + "/.cache/miopen")};
  return options;
}

}  // namespace

DoctorReport examine(const std::string& root, const std::string& site_packages, const Settings& settings) {
  const std::string home = Settings::environment("HOME");
  const VariableSet process = process_variables();
  DoctorReport report;
  auto add = [&report](std::vector<Finding> found) { std::ranges::move(found, std::back_inserter(report.findings)); };
  EnvironmentReport environment = examine_environment(process, {root, home, {}});
  report.variables = std::move(environment.variables);
  add(std::move(environment.findings));
  DetectOptions options = places_to_look(root, home, process);
  if (!site_packages.empty()) options.site_packages.push_back(site_packages);
  report.detection = detect(root, options);
  add(examine_machine(report.detection, report.variables));
  add(examine_leftovers(root, home));
  if (const std::string kind = container_kind(root); !kind.empty()) {
    report.findings.push_back(
        {"machine.container", Severity::note,
         fmt::format("This is a container ({}): it sees the GPUs and has the variables that it was started with.",
                     printable(kind)),
         "", "", ""});
  }
  // An image has no share in the caller's folder.
  if (root.empty()) add(examine_own(settings));
  sort_findings(report.findings);
  return report;
}

}  // namespace convoy
