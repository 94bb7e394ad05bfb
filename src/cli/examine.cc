// Everything that `convoy doctor` looks at without computing anything.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "cli/doctor.h"
#include "cli/this_machine.h"
#include "device/rooted_files.h"
#include "dispatch/rules.h"
#include "problem/printable.h"

namespace convoy {
namespace {

// An image has no share in the caller's folder.
std::string project_folder(const std::string& root) {
  std::error_code error;
  return root.empty() ? std::filesystem::current_path(error).string() : std::string();
}

Result<EnvironmentSearch> files_to_read(const DoctorPlaces& places) {
  EnvironmentSearch search{.root = places.root,
                           .home = Settings::environment("HOME"),
                           .project = project_folder(places.root),
                           .also = places.also};
  if (const std::string conda = Settings::environment("CONDA_PREFIX"); conda.starts_with('/')) {
    search.conda_prefixes.push_back(conda);
  }
  for (std::string& path : search.also) {
    if (!path.starts_with('/')) path = search.project + "/" + path;
    if (!RootedFiles(places.root).resolve(path))
      return fail(ErrorCode::io, "--also: there is no such file: " + printable(path));
  }
  return search;
}

}  // namespace

Result<DoctorReport> examine(const DoctorPlaces& places, const Settings& settings) {
  CONVOY_TRY(const EnvironmentSearch search, files_to_read(places));
  if (!places.site_packages.empty() && !RootedFiles(places.root).resolve(places.site_packages))
    return fail(ErrorCode::io, "--python: there is no such folder: " + printable(places.site_packages));
  const VariableSet process = process_variables();
  DoctorReport report;
  auto add = [&report](std::vector<Finding> found) { std::ranges::move(found, std::back_inserter(report.findings)); };
  EnvironmentReport environment = examine_environment(process, search);
  report.variables = std::move(environment.variables);
  add(std::move(environment.findings));
  DetectOptions options = places_to_look(places.root, search.home, process);
  if (!places.site_packages.empty()) options.site_packages.push_back(places.site_packages);
  report.detection = detect(places.root, options);
  add(examine_machine(report.detection, report.variables));
  add(examine_visibility(report.detection, report.variables));
  add(examine_driver_options(places.root));
  add(examine_surroundings(places.root, report.detection.libraries, Settings::environment("LD_LIBRARY_PATH")));
  add(examine_leftovers(places.root, search.home));
  add(examine_rules(report.detection, load_rules(settings), {places.root, process, settings.text("strategy"), true}));
  if (const std::string kind = container_kind(places.root); !kind.empty()) {
    report.findings.push_back(
        {"machine.container", Severity::note,
         fmt::format("This is a container ({}): it sees the GPUs and has the variables that it was started with.",
                     printable(kind)),
         "", "", ""});
  }
  // An image has no share in the caller's folder.
  if (places.root.empty()) add(examine_own(settings));
  sort_findings(report.findings);
  return report;
}

}  // namespace convoy
