// `convoy settings`: every setting with its value, where the value comes from, and what it means.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/setting_value.h"
#include "cli/command.h"

namespace convoy {
namespace {

void print_text(const Settings& settings) {
  for (const SettingRow& row : setting_rows()) {
    const std::string& value = settings.text(row.key);
    fmt::print("{} = {}    ({})\n    {}\n", row.key, value.empty() ? "(empty)" : value, settings.place(row.key),
               row.meaning);
    fmt::print("    {}   {}\n", row.environment, accepted_values(row));
  }
}

void print_json(const Settings& settings) {
  auto list = nlohmann::ordered_json::array();
  for (const SettingRow& row : setting_rows()) {
    list.push_back({{"key", row.key},
                    {"variable", row.environment},
                    {"value", settings.text(row.key)},
                    {"default", row.fallback},
                    {"origin", to_string(settings.origin(row.key))},
                    {"place", settings.place(row.key)},
                    {"choices", row.choices},
                    {"meaning", row.meaning}});
  }
  fmt::print("{}\n", list.dump(2));
}

}  // namespace

void add_settings_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("settings", "Show every setting: value, origin, meaning");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print a JSON array instead");
  command->footer(
      "Settings come from, weakest first: built in, /etc/convoy/convoy.conf, ~/.config/convoy/convoy.conf,\n"
      "the environment, the command line (--set KEY=VALUE).");
  command->callback([&context, json] {
    *json ? print_json(context.settings) : print_text(context.settings);
    // main() has told which settings are not the ones asked for.
    context.exit_code = context.settings.problems().empty() ? 0 : 1;
  });
}

}  // namespace convoy
