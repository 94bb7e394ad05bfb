// `convoy doctor`: what of AMD's is here, what is wrong with it, and what to do, the worst first.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/command.h"
#include "cli/examine.h"
#include "cli/this_machine.h"
#include "device/rooted_files.h"
#include "dispatch/rules.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

struct DoctorOptions {
  bool json = false;
  std::string root;
  std::string site_packages;
  std::vector<std::string> also;
};

struct Report {
  std::vector<Finding> findings;
  std::vector<PlacedVariable> variables;
  Detection detection;
};

// An image has no share in the caller's folder.
std::string project_folder(const std::string& root) {
  std::error_code error;
  return root.empty() ? std::filesystem::current_path(error).string() : std::string();
}

EnvironmentSearch files_to_read(const std::string& root, const std::vector<std::string>& also) {
  EnvironmentSearch search{
      .root = root, .home = Settings::environment("HOME"), .project = project_folder(root), .also = also};
  if (const std::string conda = Settings::environment("CONDA_PREFIX"); conda.starts_with('/')) {
    search.conda_prefixes.push_back(conda);
  }
  for (std::string& path : search.also) {
    if (!path.starts_with('/')) path = search.project + "/" + path;
    if (!RootedFiles(root).resolve(path)) {
      throw CLI::ValidationError("--also", "there is no such file: " + printable(path));
    }
  }
  return search;
}

Report examine(const std::string& root, const DoctorOptions& options, const Settings& settings) {
  const EnvironmentSearch search = files_to_read(root, options.also);
  const VariableSet process = process_variables();
  Report report;
  auto add = [&report](std::vector<Finding> found) { std::ranges::move(found, std::back_inserter(report.findings)); };
  EnvironmentReport environment = examine_environment(process, search);
  report.variables = std::move(environment.variables);
  add(std::move(environment.findings));
  DetectOptions places = places_to_look(root, search.home, process);
  if (!options.site_packages.empty()) places.site_packages.push_back(options.site_packages);
  report.detection = detect(root, places);
  add(examine_machine(report.detection, report.variables));
  add(examine_visibility(report.detection, report.variables));
  add(examine_driver_options(root));
  add(examine_surroundings(root, report.detection.libraries, Settings::environment("LD_LIBRARY_PATH")));
  add(examine_leftovers(root, search.home));
  add(examine_rules(report.detection, load_rules(settings), {root, process, settings.text("strategy"), true}));
  // An image has no share in the caller's folder.
  if (root.empty()) add(examine_own(settings));
  sort_findings(report.findings);
  return report;
}

Json as_json(const DetectedGpu& gpu) {
  Json lacks = Json::array();
  for (const Lack& lack : gpu.lacks) lacks.push_back({{"kind", name_of(lack.kind)}, {"detail", lack.detail}});
  return {{"pci_address", gpu.pci_address},
          {"vendor", fmt::format("{:04x}", gpu.vendor)},
          {"device", fmt::format("{:04x}", gpu.device)},
          {"architecture", gpu.architecture},
          {"integrated", gpu.integrated},
          {"compute_units", gpu.compute_units},
          {"memory_bytes", gpu.memory_bytes},
          {"kfd_node", gpu.kfd_node},
          {"driver", gpu.driver},
          {"render_node", gpu.render_node.path},
          {"lacks", std::move(lacks)}};
}

void print_json(const Report& report) {
  Json out{{"findings", Json::array()}, {"gpus", Json::array()},      {"driver", Json::object()},
           {"rocm", Json::array()},     {"libraries", Json::array()}, {"variables", Json::array()}};
  for (const Finding& one : report.findings) {
    out["findings"].push_back({{"id", one.id},
                               {"severity", name_of(one.severity)},
                               {"sentence", one.sentence},
                               {"place", one.place},
                               {"cure", one.cure},
                               {"source", one.source}});
  }
  for (const DetectedGpu& gpu : report.detection.gpus) out["gpus"].push_back(as_json(gpu));
  const KernelDriver& driver = report.detection.driver;
  out["driver"] = {{"loaded", driver.loaded}, {"version", driver.version}, {"kernel_release", driver.kernel_release}};
  for (const RocmInstall& one : report.detection.rocm)
    out["rocm"].push_back({{"path", one.path}, {"version", one.version}});
  for (const DetectedLibrary& one : report.detection.libraries) {
    out["libraries"].push_back({{"name", one.name},
                                {"path", one.path},
                                {"version", one.version},
                                {"origin", name_of(one.origin)},
                                {"database_folder", one.database_folder},
                                {"embedded_databases", one.embedded_databases}});
  }
  for (const PlacedVariable& one : report.variables) {
    out["variables"].push_back(
        {{"name", one.name}, {"value", one.value}, {"judgement", name_of(one.judgement)}, {"places", one.places}});
  }
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_finding(const Finding& one) {
  fmt::print("{:<8} {}\n", name_of(one.severity), one.id);
  fmt::print("    {}\n", one.sentence);
  if (!one.place.empty()) fmt::print("    where: {}\n", one.place);
  if (!one.cure.empty()) fmt::print("    cure:  {}\n", one.cure);
  if (!one.source.empty()) fmt::print("    see:   {}\n", one.source);
}

void print_machine(const Detection& detection) {
  constexpr double k_gib = 1 << 30;
  for (const DetectedGpu& gpu : detection.gpus) {
    fmt::print("GPU {} {:04x}:{:04x} {}, {} compute units, {:.1f} GiB{}, driver {}{}\n", printable(gpu.pci_address),
               gpu.vendor, gpu.device,
               gpu.architecture.empty() ? "of unknown architecture" : printable(gpu.architecture), gpu.compute_units,
               static_cast<double>(gpu.memory_bytes) / k_gib, gpu.integrated ? ", integrated" : "",
               gpu.driver.empty() ? "none" : printable(gpu.driver), gpu.lacks.empty() ? "" : ", cannot be used");
  }
  for (const RocmInstall& one : detection.rocm) {
    fmt::print("ROCm {} in {}\n", one.version.empty() ? "of unknown version" : printable(one.version),
               printable(one.path));
  }
  for (const DetectedLibrary& one : detection.libraries) {
    fmt::print("{} {} ({}) {}\n", printable(one.name), printable(one.version), name_of(one.origin),
               printable(one.path));
  }
}

void print_text(const Report& report) {
  for (const Finding& one : report.findings) print_finding(one);
  if (!report.findings.empty()) fmt::print("\n");
  print_machine(report.detection);
  const auto count = [&](Severity severity) {
    return std::ranges::count(report.findings, severity, &Finding::severity);
  };
  fmt::print("{} broken, {}, {}\n", count(Severity::broken), counted(count(Severity::warning), "warning"),
             counted(count(Severity::note), "note"));
}

}  // namespace

void add_doctor_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("doctor", "Say what is wrong with AMD's software and GPUs here, and what to do");
  auto options = std::make_shared<DoctorOptions>();
  command->add_flag("--json", options->json, "Print a JSON object instead");
  command->add_option("--root", options->root, "Look at the machine or image whose root is this folder")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--python", options->site_packages,
                   "Also look at the wheels in a Python's site-packages, named in the root")
      ->type_name("DIR");
  command
      ->add_option(
          "--also", options->also,
          "Also look for variables in this file: of a shell, a service, compose, a Dockerfile; named in the root")
      ->type_name("FILE");
  command->footer(
      "Exit status: 0 nothing is wrong, 1 warnings, 2 usage, 3 something is broken.\n"
      "Examples:\n"
      "  convoy doctor                            this machine, this shell's variables\n"
      "  convoy doctor --root /mnt/image          files of an image, this shell's variables\n"
      "  env -i convoy doctor --root /mnt/image   files of an image alone\n"
      "  convoy doctor --json | jq '.findings[] | select(.severity == \"broken\")'");
  command->callback([&context, options] {
    const Report report = examine(root_of(options->root), *options, context.settings);
    options->json ? print_json(report) : print_text(report);
    context.exit_code = exit_status_of(report.findings);
  });
}

}  // namespace convoy
