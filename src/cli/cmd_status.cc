// `convoy status`: what `convoy install` has written for the system and for this user, whether it still stands, and what a login
// shell would get now. It changes nothing.
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/own_folder.h"
#include "base/subprocess.h"
#include "cli/command.h"
#include "cli/install_target.h"
#include "cli/this_machine.h"
#include "install/changes.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

struct ScopeStatus {
  InstallScope scope = InstallScope::system;
  std::optional<Manifest> manifest;
  std::vector<InstalledState> states;  // of its files
  std::string problem;                 // why nothing is known of it, or why nothing is asked
  std::string package;                 // of the system: what the package convoy-system has in its stead

  bool is_there() const { return manifest || !package.empty(); }
  bool is_well() const {
    if (!problem.empty()) return false;
    if (!manifest) return true;
    for (const InstalledState state : states) {
      if (state != InstalledState::as_written) return false;
    }
    return manifest->complete;
  }
};

ScopeStatus status_of(InstallScope scope, const std::string& root) {
  ScopeStatus status;
  status.scope = scope;
  if (scope == InstallScope::system) status.package = file_of_package(root);
  const auto target = install_target(scope, root);
  // Nobody's home is no place to have installed into.
  if (!target) return status;
  const auto read = [&]() -> Result<void> {
    CONVOY_TRY(RealTree tree, RealTree::open(root));
    CONVOY_TRY(status.manifest, read_manifest(tree, target->places));
    if (!status.manifest) return {};
    for (const ManifestEntry& entry : status.manifest->files) status.states.push_back(state_of(tree, entry));
    if (::access((root + status.manifest->program).c_str(), X_OK) == 0) return {};
    return fail(ErrorCode::io,
                fmt::format("{} is not there or not executable: nothing is set; install it again, or call "
                            "`convoy install` of the one that is here",
                            status.manifest->program));
  };
  if (const auto done = read(); !done) status.problem = done.error().message;
  return status;
}

// What `convoy env` says now, line by line; nullopt: it does not say.
std::optional<std::vector<std::string>> settings_now(const std::string& strategy) {
  SubprocessCommand command{{own_folder() + "/convoy", "env", "--systemd"}, {}};
  if (!strategy.empty()) command.argv.insert(command.argv.end(), {"--strategy", strategy});
  auto process = Subprocess::start(command);
  if (!process) return std::nullopt;
  constexpr std::chrono::seconds k_patience{10};
  constexpr std::size_t k_most_lines = 256;
  const auto deadline = std::chrono::steady_clock::now() + k_patience;
  std::vector<std::string> lines;
  std::string line;
  while (lines.size() < k_most_lines && (*process)->read_line(line, deadline) == Subprocess::ReadStatus::line) {
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  const auto end = (*process)->wait_for_exit(k_patience);
  if (!end || end->status != 0 || end->signal != 0) return std::nullopt;
  return lines;
}

void print_text(const ScopeStatus& status) {
  const std::string_view name = name_of(status.scope);
  if (!status.problem.empty()) fmt::print("{}: {}\n", name, on_terminal(status.problem));
  if (!status.package.empty()) fmt::print("{}: by the package convoy-system ({})\n", name, on_terminal(status.package));
  if (!status.manifest && !status.is_there() && status.problem.empty()) fmt::print("{}: not installed\n", name);
  if (!status.manifest) return;
  const Manifest& manifest = *status.manifest;
  fmt::print("{}: installed by Convoy {}, asks {}{}{}\n", name, printable(manifest.version),
             printable(manifest.program), manifest.strategy.empty() ? "" : ", strategy ", printable(manifest.strategy));
  if (!manifest.complete) {
    fmt::print(
        "  an installation or uninstallation was interrupted; call `convoy install` or `convoy uninstall --{}` again\n",
        name);
  }
  for (std::size_t i = 0; i < status.states.size(); ++i) {
    const ManifestEntry& entry = manifest.files[i];
    fmt::print("  {:<11} {}{}\n", name_of(status.states[i]), on_terminal(entry.path),
               entry.block ? "    (a block in it)" : "");
  }
}

Json as_json(const ScopeStatus& status) {
  Json result{
      {"scope", name_of(status.scope)}, {"installed", status.manifest.has_value()}, {"problem", status.problem}};
  if (status.scope == InstallScope::system) result["package"] = !status.package.empty();
  if (!status.manifest) return result;
  const Manifest& manifest = *status.manifest;
  result["version"] = manifest.version;
  result["program"] = manifest.program;
  result["strategy"] = manifest.strategy;
  result["complete"] = manifest.complete;
  result["files"] = Json::array();
  for (std::size_t i = 0; i < status.states.size(); ++i) {
    result["files"].push_back(
        {{"path", manifest.files[i].path}, {"block", manifest.files[i].block}, {"state", name_of(status.states[i])}});
  }
  return result;
}

void print_settings(const std::optional<std::vector<std::string>>& settings) {
  if (!settings) return;
  if (settings->empty()) return fmt::print("now: this machine needs no settings, or this shell has them\n");
  fmt::print("now: a new login shell would get\n");
  for (const std::string& line : *settings) fmt::print("  {}\n", printable(line));
}

int run(const std::string& root, bool json) {
  const std::vector<ScopeStatus> all{status_of(InstallScope::system, root), status_of(InstallScope::user, root)};
  const ScopeStatus& asked = all[1].manifest ? all[1] : all[0];
  // An image's cards are those of the machine that it will run on.
  const auto settings = root.empty() ? settings_now(asked.manifest ? asked.manifest->strategy : "") : std::nullopt;
  if (json) {
    Json out{{"installations", Json::array()}, {"settings", nullptr}};
    for (const ScopeStatus& one : all) out["installations"].push_back(as_json(one));
    if (settings) out["settings"] = *settings;
    fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    for (const ScopeStatus& one : all) print_text(one);
    print_settings(settings);
    fmt::print("`convoy doctor` says what else sets variables here, and whether that is well.\n");
  }
  if (!all[0].is_well() || !all[1].is_well()) return 1;
  return all[0].is_there() || all[1].is_there() ? 0 : 3;
}

}  // namespace

void add_status_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("status", "Say what `convoy install` has written, and whether it still stands");
  struct Options {
    bool json = false;
    std::string root;
  };
  auto options = std::make_shared<Options>();
  command->add_flag("--json", options->json, "Print a JSON object instead");
  command->add_option("--root", options->root, "Look at the image or tree whose root is this folder")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  command->footer(
      "Exit status: 0 installed and as written, 1 something is changed, missing or was interrupted, 2 usage,\n"
      "3 nothing is installed.");
  command->callback([&context, options] { context.exit_code = run(root_of(options->root), options->json); });
}

}  // namespace convoy
