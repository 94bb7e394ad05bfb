// `convoy run`: completes every convolution it is given, on random tensors, and says how. `convoy tune`: the same, after
// compiling on all cores whatever the problems may need.
#include <unistd.h>

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/timing.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/problem_runner.h"
#include "cli/run_input.h"
#include "cli/run_report.h"
#include "dispatch/dispatcher.h"
#include "dispatch/warm.h"

namespace convoy {
namespace {

struct RunOptions {
  std::vector<std::string> inputs;
  std::string device = "auto";
  std::string json;
  bool explain = false;
  double max_gflop = 0;
  std::string max_bytes;
  std::int64_t limit = 0;
  bool tune = false;
  bool again = false;  // tune: what is recorded, too
};

// Compiles ahead, with a line of progress where somebody looks on.
void warm_up(Dispatcher& dispatcher, std::span<const SourcedProblem> list, const ProblemLimits& limits,
             const InterruptWatch& interrupt) {
  std::vector<Problem> problems;
  for (const SourcedProblem& one : list) {
    if (!limits.refusal(one.problem)) problems.push_back(one.problem);
  }
  const bool shown = isatty(STDERR_FILENO) == 1;
  warm_kernels(dispatcher.context(), problems, [&](WarmProgress progress) {
    if (shown) {
      fmt::print(stderr, "\r\033[Kcompiling ahead: {}/{}", progress.done, progress.total);
      std::fflush(stderr);
    }
    return !interrupt.requested();
  });
  if (shown) fmt::print(stderr, "\r\033[K");
}

// Everything after the arguments are known to be good. Returns the exit status.
int run_all(Dispatcher& dispatcher, const ProblemList& list, const RunOptions& options, const ProblemLimits& limits,
            const InterruptWatch& interrupt, JsonLines* json) {
  const std::string device = dispatcher.context().device().info().name;
  std::FILE* out = options.json == "-" ? stderr : stdout;
  const Table table(out, list.problems, options.explain);
  fmt::print(out, "{}\n", device_line(dispatcher.context()));
  table.header();
  const Stopwatch total;
  RunSummary summary;
  summary.input_errors = static_cast<int>(list.errors.size());
  const std::size_t count = options.limit > 0 ? std::min(list.problems.size(), static_cast<std::size_t>(options.limit))
                                              : list.problems.size();
  if (options.tune) warm_up(dispatcher, std::span(list.problems).first(count), limits, interrupt);
  ProblemRunner runner(dispatcher, {.limits = limits});
  std::optional<Error> broken;
  for (std::size_t i = 0; i < count && !interrupt.requested(); ++i) {
    table.progress(i, count, list.problems[i]);
    const ProblemReport report = runner.run(list.problems[i]);
    table.row(report);
    ++(report.status == RunStatus::completed ? summary.completed
       : report.status == RunStatus::skipped ? summary.skipped
                                             : summary.failed);
    if (json != nullptr && !broken) {
      if (const auto written = json->write(report, device); !written) broken = written.error();
    }
  }
  summary.skipped += static_cast<int>(list.problems.size() - count);
  summary.interrupted = interrupt.requested();
  summary.seconds = total.milliseconds() / 1000;
  summary.statistics = dispatcher.statistics();
  table.summary(summary);
  if (json != nullptr && !broken) {
    if (const auto written = json->write(summary, device); !written) broken = written.error();
  }
  if (broken) fmt::print(stderr, "convoy: {}\n", broken->message);
  if (summary.interrupted) return 130;
  return summary.failed > 0 || summary.input_errors > 0 || broken ? 1 : 0;
}

int run_command(const RunOptions& options, const Settings& settings) {
  ProblemLimits limits{options.max_gflop, 0};
  if (!options.max_bytes.empty()) {
    Settings reader;  // knows how to read "4G"
    const auto set = reader.set("memory_limit", options.max_bytes);
    if (!set) {
      fmt::print(stderr, "convoy: --max-bytes {}: write a number of bytes, or one with K, M or G\n", options.max_bytes);
      return 2;
    }
    limits.max_bytes = reader.integer("memory_limit");
  }
  const ProblemList list = collect_problems(options.inputs);
  for (const InputError& error : list.errors) {
    const bool named = error.message.find(error.token) != std::string::npos;
    fmt::print(stderr, "convoy: {}: {}{}\n", error.source, named ? "" : "'" + error.token + "': ", error.message);
  }
  if (list.problems.empty()) {
    if (list.errors.empty()) fmt::print(stderr, "convoy: nothing to run\n");
    return 2;
  }
  InterruptWatch interrupt;
  auto dispatcher = Dispatcher::create(settings, options.device, [&options](Policy& policy) {
    use_own_trials(policy);
    if (options.tune) policy.find = FindMode::find;
    if (options.again) policy.use_find_records = false;
  });
  if (!dispatcher) {
    fmt::print(stderr, "convoy: {}\n", dispatcher.error().message);
    return 2;
  }
  std::unique_ptr<JsonLines> json;
  if (!options.json.empty()) {
    auto opened = JsonLines::open(options.json);
    if (!opened) {
      fmt::print(stderr, "convoy: {}\n", opened.error().message);
      return 2;
    }
    json = std::move(*opened);
  }
  interrupt.set_withdraw([&dispatcher] { (*dispatcher)->context().cancel_open_intents(); });
  const int status = run_all(**dispatcher, list, options, limits, interrupt, json.get());
  interrupt.set_withdraw(nullptr);
  return status;
}

// CLI11's own check lets NaN through and names the largest double by its 309 digits.
CLI::Validator above_zero() {
  const auto check = [](const std::string& text) -> std::string {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value > 0 ? "" : text + " is no number above 0";
  };
  return {check, "POSITIVE", ""};
}

}  // namespace

namespace {

void add_options(CLI::App* command, const std::shared_ptr<RunOptions>& options, CommandContext& context) {
  command
      ->add_option(
          "input", options->inputs,
          "A file with MIOpenDriver lines or problem strings anywhere in it, - for standard input, or one problem")
      ->required()
      ->type_name("FILE|-|PROBLEM");
  command
      ->add_option("--device", options->device,
                   "auto, cpu, hip, cuda, opencl (also hip:1 ...), or a simulated card: sim:gfx1010")
      ->capture_default_str();
  add_setting_option(command, context, "strategy", "auto, implicit_gemm, gemm, selective, cpu or vendor");
  add_setting_option(command, context, "verify",
                     "off, sample (256 elements and every NaN) or full (against the reference)");
  add_setting_option(command, context, "fault",
                     "Make a solver fail, e.g. onednn:hang@hw>42; kinds error hang crash wrong nan oom compile silent")
      ->type_name("SPEC");
  command->add_flag("--explain", options->explain, "Show every solver's answer for every problem");
  command
      ->add_option("--json", options->json,
                   "Also write JSON lines, one object a problem, then a summary (- for standard output)")
      ->type_name("FILE");
  command->add_option("--max-gflop", options->max_gflop, "Skip problems with more than so many GFLOP")
      ->check(above_zero());
  command
      ->add_option("--max-bytes", options->max_bytes,
                   "Skip problems whose tensors take more than so many bytes (512M, 4G)")
      ->type_name("N");
  command->add_option("--limit", options->limit, "Run the first N problems only")->check(above_zero());
  command->callback([&context, options] { context.exit_code = run_command(*options, context.settings); });
}

}  // namespace

void add_run_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand(
      "run", "Complete convolutions and say how: from MIOpen logs, MIOpenDriver lines, problem strings");
  add_options(command, std::make_shared<RunOptions>(), context);
  command->footer(
      "Each problem runs on random tensors; its numbers are checked against sums in double precision.\n"
      "Exit status: 0 all completed with right numbers (or were skipped by a limit), 1 some did not, 2 usage, 130 "
      "interrupted.\n\n"
      "Examples:\n"
      "  convoy run miopen.log\n"
      "  MIOPEN_ENABLE_LOGGING_CMD=1 python train.py 2>&1 | convoy run -\n"
      "  convoy run --fault 'onednn:hang@hw>42' --explain shapes/seed-sizes.txt");
}

void add_tune_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand(
      "tune", "Prepare for convolutions: compile ahead on all cores, time the alternatives, remember the fastest");
  auto options = std::make_shared<RunOptions>();
  options->tune = true;
  add_options(command, options, context);
  command->add_flag("--again", options->again, "Also search where a result is on record");
  command->footer(
      "Programs that meet these problems later find compiled kernels and choices in Convoy's databases (convoy db).\n"
      "Interrupted, it keeps what is done. Exit status as convoy run.\n\n"
      "Examples:\n"
      "  convoy tune shapes/model-layers.tsv --max-gflop 50\n"
      "  MIOPEN_ENABLE_LOGGING_CMD=1 python train.py 2>&1 | convoy tune -");
}

}  // namespace convoy
