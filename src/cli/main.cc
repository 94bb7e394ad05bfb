// The convoy program: global options, then one command. Each command is a cmd_*.cc.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/command.h"

namespace convoy {

CLI::Option* add_setting_option(CLI::App* command, CommandContext& context, const char* key, const char* meaning) {
  const std::string flag = fmt::format("--{}", key);
  const auto set = [&context, key, flag](const std::string& value) {
    const auto result = context.settings.set(key, value, Origin::command_line, flag);
    if (!result) throw CLI::ValidationError(flag, result.error().message);
  };
  return command->add_option_function<std::string>(flag, set, meaning)->trigger_on_parse();
}

namespace {

// Applies "key=value"; throws what CLI11 turns into a usage error.
void apply_override(Settings& settings, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) throw CLI::ValidationError("--set", "expects KEY=VALUE, got '" + text + "'");
  const auto result = settings.set(text.substr(0, equals), text.substr(equals + 1), Origin::command_line, "--set");
  if (!result) throw CLI::ValidationError("--set", result.error().message);
}

int run_program(int argc, char** argv) {
  CommandContext context;
  context.settings = Settings::load();
  CLI::App app("Convoy makes every convolution finish, with the right numbers, as fast as this machine can.", "convoy");
  app.set_version_flag("--version", CONVOY_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&context](const std::vector<std::string>& overrides) {
           for (const std::string& one : overrides) apply_override(context.settings, one);
         },
         "Override a setting for this call (repeatable); `convoy settings` lists them")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->trigger_on_parse();
  app.footer(
      "Examples:\n"
      "  convoy run miopen.log                      complete every convolution in a MIOpen log\n"
      "  convoy run fwd:f32:nchw:n1c3h224w224:k64r7s7:pad3x3:stride2x2:dil1x1:g1\n"
      "  convoy run --explain --json out.jsonl shapes/demo.tsv\n"
      "  convoy db show                             what is remembered, what is in quarantine\n"
      "  convoy settings                            every setting, its value and where it comes from");
  add_run_command(app, context);
  add_tune_command(app, context);
  add_exec_command(app, context);
  add_report_command(app, context);
  add_db_command(app, context);
  add_devices_command(app, context);
  add_doctor_command(app, context);
  add_env_command(app, context);
  add_install_command(app, context);
  add_uninstall_command(app, context);
  add_status_command(app, context);
  add_settings_command(app, context);
  add_probe_command(app, context);
  app.parse_complete_callback([&app, &context] {
    // A program shows warnings unless told to be quiet; the library says nothing unless told to speak.
    log_to_stderr(log_level_of(context.settings, LogLevel::warning));
    for (const std::string& problem : context.settings.problems()) fmt::print(stderr, "convoy: {}\n", problem);
    // A setting that cannot be used would silently do something else than asked; these only look.
    const bool looks = app.got_subcommand("settings") || app.got_subcommand("devices") || app.got_subcommand("doctor");
    if (!context.settings.problems().empty() && !looks) throw CLI::RuntimeError(2);
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // CLI11 misses the command before it says that the word in its place is none.
    const std::vector<std::string> rest = app.remaining(true);
    if (rest.empty()) return app.exit(error), 2;
    const auto given = app.get_subcommands();
    fmt::print(stderr, "convoy: '{}' is no command or option here; 'convoy {}--help' lists them\n", rest.front(),
               given.empty() ? "" : given.front()->get_name() + " ");
    return 2;
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help and messages; its many codes are one to us.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return context.exit_code;
}

// A full disk shows when the last bytes are flushed, not before.
int flushed(int exit_code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  fmt::print(stderr, "convoy: standard output cannot be written{}{}\n", errno == 0 ? "" : ": ",
             errno == 0 ? "" : std::strerror(errno));
  return exit_code == 0 ? 1 : exit_code;
}

}  // namespace
}  // namespace convoy

int main(int argc, char** argv) {
  try {
    return convoy::flushed(convoy::run_program(argc, argv));
  } catch (const std::system_error& error) {
    fmt::print(stderr, "convoy: {}\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "convoy: unexpected: {}\n", error.what());
    return 1;
  }
}
