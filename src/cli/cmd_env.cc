// `convoy env`: the environment variables that have an effect on this machine, and nothing where none has. Files of `convoy
// install` call it at each login, boot and arrival of a card, so it reads files only and is quick.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/advice.h"
#include "cli/command.h"
#include "cli/this_machine.h"
#include "dispatch/rules.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

enum class Form { sh, fish, systemd, docker, json };

// Values are plain words, which no reader takes for something else: rules are held to that when they are read.
std::string line_of(const AdvisedSetting& setting, Form form) {
  if (form == Form::sh) return fmt::format("export {}='{}'", setting.name, setting.value);
  if (form == Form::fish) return fmt::format("set -gx {} '{}'", setting.name, setting.value);
  return fmt::format("{}={}", setting.name, setting.value);
}

void print_lines(const std::vector<AdvisedSetting>& advice, Form form) {
  for (const AdvisedSetting& one : advice) {
    if (!one.kept.empty()) continue;
    fmt::print("# {}{}\n{}\n", one.reason, one.rule.empty() ? "" : " [" + one.rule + "]", line_of(one, form));
  }
}

void print_json(const std::vector<AdvisedSetting>& advice, const std::string& strategy) {
  Json settings = Json::array();
  for (const AdvisedSetting& one : advice) {
    settings.push_back({{"name", one.name},
                        {"value", one.value},
                        {"reason", one.reason},
                        {"rule", one.rule},
                        {"source", one.source},
                        {"kept", one.kept}});
  }
  fmt::print("{}\n",
             Json{{"strategy", strategy}, {"settings", settings}}.dump(2, ' ', false, Json::error_handler_t::replace));
}

struct EnvOptions {
  bool sh = false, fish = false, systemd = false, docker = false, json = false;
  std::string strategy, root;

  Form form() const {
    if (fish) return Form::fish;
    if (systemd) return Form::systemd;
    if (docker) return Form::docker;
    return json ? Form::json : Form::sh;
  }
};

// Programs with Convoy read the rule themselves.
void take_strategy_of_rules(const Detection& detection, const RuleSet& rules, AdviceQuestion& question) {
  for (const DeviceRule& rule : rules_here(detection, rules, question)) {
    if (rule.effects.strategy.empty()) continue;
    question.strategy = rule.effects.strategy;
    question.strategy_is_set = true;
    return;
  }
}

void run(const EnvOptions& options, CommandContext& context) {
  const Settings& settings = context.settings;
  const std::string root = root_of(options.root);
  const VariableSet variables = process_variables();
  const RuleSet rules = load_rules(settings);
  for (const std::string& problem : rules.problems) fmt::print(stderr, "convoy: {}\n", problem);
  AdviceQuestion question{root, variables, options.strategy, false};
  if (question.strategy.empty()) {
    question.strategy = settings.text("strategy");
    // A variable is not there for the programs that the output is meant for.
    const Origin origin = settings.origin("strategy");
    question.strategy_is_set = origin == Origin::system_file || origin == Origin::user_file;
  }
  const Detection detection = detect(root, places_to_look(root, Settings::environment("HOME"), variables));
  if (options.strategy.empty() && settings.origin("strategy") == Origin::built_in)
    take_strategy_of_rules(detection, rules, question);
  const std::vector<AdvisedSetting> advice = advise(detection, rules, question);
  options.json ? print_json(advice, question.strategy) : print_lines(advice, options.form());
  context.exit_code = rules.problems.empty() ? 0 : 1;
}

}  // namespace

void add_env_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand(
      "env", "Print the environment variables that have an effect on this machine, each with its reason");
  auto options = std::make_shared<EnvOptions>();
  CLI::Option_group* form = command->add_option_group("Format");
  form->require_option(0, 1);
  form->add_flag("--sh", options->sh, "Lines for eval in bash, dash or zsh (default)");
  form->add_flag("--fish", options->fish, "Lines for source in fish");
  form->add_flag("--systemd", options->systemd, "An EnvironmentFile=, also for environment.d and generators");
  form->add_flag("--docker", options->docker, "An --env-file of docker and podman");
  form->add_flag("--json", options->json, "A JSON object");
  command->add_option("--strategy", options->strategy, "Instead of the setting `strategy`")
      ->check(CLI::IsMember(strategy_names()));
  command->add_option("--root", options->root, "For the machine or image whose root is this folder")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  command->footer(
      "Prints nothing where nothing is needed. A variable that has another value already keeps it: it is left out, and "
      "--json "
      "says so.\n"
      "Exit status: 0, 1 a file of rules has errors (what holds is printed), 2 usage or settings.\n"
      "Examples:\n"
      "  eval \"$(convoy env)\"                          this shell\n"
      "  convoy env --fish | source                    the same in fish\n"
      "  convoy env --strategy gemm --json             what forcing GEMM takes, and why\n"
      "  docker run --env-file <(convoy env --docker) ...");
  command->callback([&context, options] { run(*options, context); });
}

}  // namespace convoy
