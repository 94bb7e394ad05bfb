// `convoy install` and `convoy uninstall`: shows what would change, asks, and lets src/install do it.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/setting_value.h"
#include "base/subprocess.h"
#include "cli/command.h"
#include "cli/install_target.h"
#include "cli/this_machine.h"
#include "install/transaction.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Kind = FileChange::Kind;

struct Options {
  bool system = false, user = false, dry_run = false, yes = false;
  std::string root, prefix, strategy;
  std::vector<std::string> preload;
};

struct Request {
  InstallTarget target;
  InstallOptions install;  // empty for an uninstallation
  bool uninstall = false;
};

int failure(const Error& error, int status = 1) {
  fmt::print(stderr, "convoy: {}\n", on_terminal(error.message));
  return status;
}

const SettingRow& strategy_row() {
  return *std::ranges::find(setting_rows(), "strategy", &SettingRow::key);
}

// Each once.
void add(std::vector<std::string>& names, std::string name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
}

Result<void> add_preloads(const std::vector<std::string>& wishes, InstallOptions& options) {
  for (const std::string& wish : wishes) {
    if (wish.starts_with("user:")) {
      add(options.preload_users, wish.substr(5));
    } else if (wish.starts_with("unit:")) {
      std::string unit = wish.substr(5);
      if (unit.ends_with(".service")) unit.resize(unit.size() - 8);
      add(options.preload_units, std::move(unit));
    } else {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("--preload {}: give user:NAME or unit:NAME; for single programs "
                              "there is `convoy exec -- PROGRAM`",
                              printable(wish)));
    }
  }
  return {};
}

// Both would own /etc/profile.d/convoy.sh, and every question would be asked twice.
Result<void> check_package(const std::string& root) {
  const std::string theirs = file_of_package(root);
  if (theirs.empty()) return {};
  return fail(
      ErrorCode::unsupported,
      fmt::format("the package convoy-system does this here already ({}); give it a strategy by `strategy = ...` "
                  "in /etc/convoy/convoy.conf, or purge it first",
                  theirs));
}

Result<Request> read_request(const Options& options, bool uninstall) {
  if (options.system == options.user) {
    return fail(ErrorCode::invalid_argument,
                "give --system (all users and services; needs root) or --user (you alone)");
  }
  Request request;
  request.uninstall = uninstall;
  const std::string root = root_of(options.root);
  CONVOY_TRY(request.target, install_target(options.system ? InstallScope::system : InstallScope::user, root));
  if (!options.dry_run) CONVOY_CHECK(check_rights(request.target));
  if (uninstall) return request;
  if (options.system) CONVOY_CHECK(check_package(root));
  CONVOY_TRY(request.install.program, program_in(root, options.prefix));
  if (!options.strategy.empty()) {
    const auto strategy = accepted_value(strategy_row(), options.strategy);
    if (!strategy) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("--strategy {}: give {}", printable(options.strategy), accepted_values(strategy_row())));
    }
    request.install.strategy = *strategy;
  }
  CONVOY_CHECK(add_preloads(options.preload, request.install));
  CONVOY_CHECK(check_options(request.install));
  CONVOY_CHECK(check_program(request.target, request.install.program));
  CONVOY_CHECK(check_users(request.target, request.install.preload_users));
  if (options.preload.empty()) return request;
  CONVOY_TRY(request.install.library, library_in(root, request.install.program));
  CONVOY_CHECK(check_options(request.install));
  return request;
}

std::vector<PlannedFile> plan_of(InstallTree& tree, const Request& request) {
  return plan_install(request.target.places, request.install, surroundings_of(tree, request.target));
}

std::vector<FileChange> changes_for(InstallTree& tree, const Request& request,
                                    const std::optional<Manifest>& manifest) {
  const InstallPlaces& places = request.target.places;
  if (request.uninstall) return manifest ? changes_to_uninstall(tree, places, *manifest) : std::vector<FileChange>();
  return changes_to_install(tree, places, plan_of(tree, request), manifest);
}

InstallLabel label_of(const Request& request, const std::optional<Manifest>& manifest) {
  if (request.uninstall && manifest) return {manifest->version, manifest->program, manifest->strategy};
  return {CONVOY_VERSION, request.install.program, request.install.strategy};
}

std::string_view verb_of(const FileChange& change, bool uninstall) {
  switch (change.kind) {
    case Kind::none: return "unchanged";
    case Kind::remove: return "remove";
    case Kind::left_alone: return "leave alone";
    case Kind::write: break;
  }
  if (!change.entry || uninstall) return "restore";
  return change.now ? "change" : "write";
}

void print_changes(const std::vector<FileChange>& changes, const Request& request) {
  const std::string& root = request.target.root;
  for (const FileChange& change : changes) {
    const std::string_view verb = verb_of(change, request.uninstall);
    if (change.kind == Kind::none && request.uninstall) continue;
    fmt::print("  {:<11} {}{}\n", verb, on_terminal(root + change.path),
               change.reason.empty() ? "" : "    (" + on_terminal(change.reason) + ")");
  }
}

bool left_any_alone(const std::vector<FileChange>& changes) {
  return std::ranges::find(changes, Kind::left_alone, &FileChange::kind) != changes.end();
}

// "y" at a terminal.
bool is_agreed() {
  fmt::print("Go on? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

// Runs a program of the system; that it fails is told, no more.
void tell(const std::vector<std::string>& words) {
  SubprocessCommand command{words, {}};
  for (const char* folder : {"/usr/bin/", "/bin/"}) {
    command.argv[0] = folder + words[0];
    if (exists(command.argv[0])) break;
  }
  if (!exists(command.argv[0])) return;
  constexpr std::chrono::seconds k_patience{90};
  auto process = Subprocess::start(command);
  const auto end = process ? (*process)->wait_for_exit(k_patience) : std::nullopt;
  if (end && end->status == 0 && end->signal == 0) return;
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  fmt::print(stderr, "convoy: warning: '{}' has failed; what has changed is seen after the next boot or login\n", all);
}

// The running system reads the files now, where there is one.
void tell_system(const InstallTarget& target) {
  if (!target.root.empty()) return;
  if (target.places.scope == InstallScope::user) {
    const std::string folder = Settings::environment("XDG_RUNTIME_DIR");
    if (folder.starts_with('/') && exists(folder + "/systemd/private")) tell({"systemctl", "--user", "daemon-reload"});
    return;
  }
  if (exists("/run/udev/control")) tell({"udevadm", "control", "--reload"});
  if (exists("/run/systemd/system")) tell({"systemctl", "daemon-reload"});
}

int carry_out_request(RealTree& tree, const Request& request) {
  const InstallPlaces& places = request.target.places;
  // Decided again, under a lock: what was shown may be old by now.
  const auto done = request.uninstall ? uninstall(tree, places)
                                      : install(tree, places, plan_of(tree, request), label_of(request, std::nullopt));
  if (!done) return failure(done.error());
  tell_system(request.target);
  if (request.uninstall && request.target.root.empty() && places.scope == InstallScope::system) {
    // What the generator keeps until the next boot. Where it is not there, that is as well.
    ::unlink("/run/convoy/environment");
    ::rmdir("/run/convoy");
  }
  const std::string_view scope = name_of(places.scope);
  const char* rest = left_any_alone(*done) ? " but for what was left alone" : "";
  if (request.uninstall) {
    fmt::print("Uninstalled{}.\n", rest);
  } else {
    fmt::print("Installed{}. New logins and services ask `convoy env`; `convoy uninstall --{}` takes all of it back.\n",
               rest, scope);
  }
  return left_any_alone(*done) ? 1 : 0;
}

int run(const Options& options, bool uninstall) {
  const auto request = read_request(options, uninstall);
  if (!request) return failure(request.error(), 2);
  auto tree = RealTree::open(request->target.root);
  if (!tree) return failure(tree.error());
  const auto manifest = read_manifest(*tree, request->target.places);
  if (!manifest) return failure(manifest.error());
  if (uninstall && !*manifest) {
    if (!options.dry_run) {
      if (const auto swept = convoy::uninstall(*tree, request->target.places); !swept) return failure(swept.error());
    }
    return fmt::print("Nothing is installed.\n"), 0;
  }
  const auto changes = changes_for(*tree, *request, *manifest);
  print_changes(changes, *request);
  const int otherwise = left_any_alone(changes) ? 1 : 0;
  if (!is_work(changes, *manifest, label_of(*request, *manifest))) return fmt::print("Nothing to change.\n"), otherwise;
  if (options.dry_run) return fmt::print("Nothing was changed (--dry-run).\n"), otherwise;
  if (!options.yes && ::isatty(STDIN_FILENO) == 0) {
    fmt::print(stderr, "convoy: nobody can be asked here; give --yes to go on, or --dry-run to look only\n");
    return 2;
  }
  if (!options.yes && !is_agreed()) return fmt::print("Nothing was changed.\n"), 1;
  return carry_out_request(*tree, *request);
}

void add_shared_options(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_flag("--system", options->system, "For all users and services; needs root");
  command->add_flag("--user", options->user, "For the sessions of whoever calls it");
  command->add_flag("--dry-run", options->dry_run, "Say what would be done, and change nothing");
  command->add_flag("--yes", options->yes, "Do not ask");
  command
      ->add_option("--root", options->root,
                   "Change the image or tree whose root is this folder; nothing that runs is told")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
}

}  // namespace

void add_install_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("install", "Let shells, sessions and services ask `convoy env` for the settings they need");
  auto options = std::make_shared<Options>();
  add_shared_options(command, options);
  command
      ->add_option("--strategy", options->strategy,
                   "What `convoy env` is asked for: " + accepted_values(strategy_row()))
      ->type_name("S");
  command->add_option("--prefix", options->prefix, "The program to ask is DIR/bin/convoy; else this one")
      ->type_name("DIR");
  command
      ->add_option("--preload", options->preload,
                   "Also put Convoy in front of MIOpen, in the login shells of user:NAME or in the service unit:NAME "
                   "(repeatable)")
      ->type_name("WHO")
      ->allow_extra_args(false);
  command->footer(
      "Nothing that is written has settings of a card in it: all are asked for when a shell, session or service "
      "starts.\n"
      "docs/install.md says what goes where. Exit status: 0 done, 1 failed or a file was left alone, 2 usage.\n\n"
      "Examples:\n"
      "  convoy install --user --dry-run\n"
      "  sudo convoy install --system --yes\n"
      "  sudo convoy install --system --preload unit:comfyui --preload user:ann\n"
      "  convoy install --system --yes --root /mnt/image --prefix /usr");
  command->callback([&context, options] { context.exit_code = run(*options, false); });
}

void add_uninstall_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("uninstall", "Take back what `convoy install` has done");
  auto options = std::make_shared<Options>();
  add_shared_options(command, options);
  command->footer(
      "Every file becomes what it was; one that was changed since is left alone and named.\n"
      "Exit status: 0 done, or nothing was installed, 1 failed or a file was left alone, 2 usage.");
  command->callback([&context, options] { context.exit_code = run(*options, true); });
}

}  // namespace convoy
