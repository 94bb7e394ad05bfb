// What the commands share: settings as loaded and overridden, and the exit status. Each add_..._command registers one
// subcommand whose callback does the work and sets the status (0 well, 1 something was wrong, 2 usage).
#pragma once

#include <CLI/CLI.hpp>

#include "base/settings.h"

namespace convoy {

struct CommandContext {
  Settings settings;
  int exit_code = 0;
};

// --KEY sets the setting of that name for this call.
CLI::Option* add_setting_option(CLI::App* command, CommandContext& context, const char* key, const char* meaning);

void add_run_command(CLI::App& app, CommandContext& context);
void add_tune_command(CLI::App& app, CommandContext& context);
void add_db_command(CLI::App& app, CommandContext& context);
void add_doctor_command(CLI::App& app, CommandContext& context);
void add_devices_command(CLI::App& app, CommandContext& context);
void add_settings_command(CLI::App& app, CommandContext& context);
void add_env_command(CLI::App& app, CommandContext& context);
void add_exec_command(CLI::App& app, CommandContext& context);
void add_report_command(CLI::App& app, CommandContext& context);
void add_install_command(CLI::App& app, CommandContext& context);
void add_uninstall_command(CLI::App& app, CommandContext& context);
void add_status_command(CLI::App& app, CommandContext& context);
void add_probe_command(CLI::App& app, CommandContext& context);

}  // namespace convoy
