// `convoy run`: completes every convolution it is given, on random tensors, and says how. `convoy tune`: the same, after
// compiling on all cores whatever the problems may need.
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/parallel.h"
#include "base/timing.h"
#include "cli/command.h"
#include "cli/interrupt.h"
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

std::int64_t all_bytes(const Problem& problem) {
  return problem.bytes(TensorRole::x) + problem.bytes(TensorRole::w) + problem.bytes(TensorRole::y);
}

struct Limits {
  double max_gflop = 0;        // 0: none
  std::int64_t max_bytes = 0;  // 0: none

  // Why a problem is left out; nothing when it is not.
  std::optional<std::string> refusal(const Problem& problem) const {
    const double gflop = problem.flops() / 1e9;
    if (max_gflop > 0 && gflop > max_gflop) return fmt::format("{:.1f} GFLOP, over --max-gflop {}", gflop, max_gflop);
    if (max_bytes > 0 && all_bytes(problem) > max_bytes)
      return fmt::format("its tensors take {} bytes, over --max-bytes {}", all_bytes(problem), max_bytes);
    return std::nullopt;
  }
};

// Runs one problem after the other through one dispatcher.
class Runner {
 public:
  Runner(Dispatcher& dispatcher, const Limits& limits) : dispatcher_(dispatcher), limits_(limits) {}

  ProblemReport run(const SourcedProblem& input);

 private:
  Result<void> allocate(const Problem& problem);
  Result<void> time(Convolution& convolution, ProblemReport& report) const;

  Dispatcher& dispatcher_;
  Limits limits_;
  RandomTensors random_;
};

Result<void> Runner::allocate(const Problem& problem) {
  Device& device = dispatcher_.context().device();
  random_ = {};
  const std::int64_t limit = dispatcher_.context().policy().memory_limit;
  const std::int64_t room = limit > 0 ? limit : device.memory_available() / 5 * 4;
  if (all_bytes(problem) > room) {
    return fail(
        ErrorCode::out_of_memory,
        fmt::format("its tensors take {} bytes, {} may be used{} leave it out with --max-bytes {}", all_bytes(problem),
                    room, limit > 0 ? " (memory_limit); raise memory_limit, or" : " of the device's memory;", room));
  }
  CONVOY_TRY(random_, make_random_tensors(problem, device, 17, dispatcher_.context().policy().threads));
  return {};
}

// Up to seven runs or 0.3 s. Where the first run of the chosen solver took seconds it stands for the time: repeating it
// tells little more.
Result<void> Runner::time(Convolution& convolution, ProblemReport& report) const {
  constexpr double k_long_ms = 2000, k_sampling_ms = 300;
  const double first_ms = convolution.report().attempts.back().milliseconds;
  std::vector<double> samples;
  const Stopwatch total;
  while (first_ms < k_long_ms && samples.size() < 7 && (samples.empty() || total.milliseconds() < k_sampling_ms)) {
    CONVOY_TRY(const double milliseconds,
               dispatcher_.context().device().measure(nullptr, [&] { return convolution.run(random_.tensors); }));
    samples.push_back(milliseconds);
  }
  report.time_ms = samples.empty() ? first_ms : robust_timing(samples).centre;
  report.gflops = convolution.problem().flops() / report.time_ms / 1e6;
  return {};
}

ProblemReport Runner::run(const SourcedProblem& input) {
  ProblemReport report;
  report.input = &input;
  const Problem& problem = input.problem;
  if (auto refusal = limits_.refusal(problem)) {
    report.status = RunStatus::skipped;
    report.reason = std::move(*refusal);
    return report;
  }
  auto convolution = dispatcher_.convolution(problem);
  auto ready = convolution ? allocate(problem) : tl::unexpected<Error>(convolution.error());
  if (!ready) {
    report.reason = ready.error().message;
    return report;
  }
  auto ran = (*convolution)->run(random_.tensors);
  if (ran) ran = time(**convolution, report);
  const Convolution::Report outcome = (*convolution)->report();
  report.attempts = outcome.attempts;
  report.reserves = outcome.reserves;
  if (!ran) {
    report.reason = ran.error().message;
  } else {
    report.status = RunStatus::completed;
    report.tier = outcome.tier;
    report.solver = outcome.solver;
    report.detail = outcome.detail;
    report.checked = outcome.checked;
    report.error = outcome.error;
    report.tolerance = outcome.tolerance;
  }
  dispatcher_.context().trim_workspaces();
  random_ = {};
  return report;
}

// Compiles ahead, with a line of progress where somebody looks on.
void warm_up(Dispatcher& dispatcher, std::span<const SourcedProblem> list, const Limits& limits,
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

std::string device_line(const DispatchContext& context) {
  const DeviceInfo& info = context.device().info();
  std::string libraries;
  for (const Solver* solver : solvers()) {
    const bool vendor = solver->tier(context.device()) == Tier::vendor;
    if (vendor && solver->fits(Problem{}, context.device())) libraries += ", " + solver->library();
  }
  const int threads = context.policy().threads > 0 ? context.policy().threads : available_threads();
  if (info.kind != DeviceKind::cpu) {
    for (const std::string* version : {&info.driver, &info.runtime, &info.compiler}) {
      if (!version->empty()) libraries += ", " + *version;
    }
    return fmt::format("device {} ({}{}{})", info.name, info.model,
                       info.architecture.empty() ? "" : ", " + info.architecture, libraries);
  }
  return fmt::format("device {} ({}, {} threads{})", info.name, info.model, threads, libraries);
}

// Everything after the arguments are known to be good. Returns the exit status.
int run_all(Dispatcher& dispatcher, const ProblemList& list, const RunOptions& options, const Limits& limits,
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
  Runner runner(dispatcher, limits);
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
  Limits limits{options.max_gflop, 0};
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
  // The command shows this run's errors, whatever the ledger remembers.
  auto dispatcher = Dispatcher::create(settings, options.device, [&options](Policy& policy) {
    policy.verify_again = true;
    if (options.tune) policy.find = FindMode::find;
    if (options.again) policy.use_find_records = false;
    // This very program serves trials.
    std::error_code error;
    if (policy.probe.empty()) policy.probe = std::filesystem::read_symlink("/proc/self/exe", error).string();
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

void set_from_option(CommandContext& context, const char* key, const std::string& value) {
  const auto result = context.settings.set(key, value, Origin::command_line, std::string("--") + key);
  if (!result) throw CLI::ValidationError(std::string("--") + key, result.error().message);
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
  command
      ->add_option_function<std::string>(
          "--strategy", [&context](const std::string& value) { set_from_option(context, "strategy", value); },
          "auto, implicit_gemm, gemm, selective, cpu or vendor")
      ->trigger_on_parse();
  command
      ->add_option_function<std::string>(
          "--verify", [&context](const std::string& value) { set_from_option(context, "verify", value); },
          "off, sample (256 elements and every NaN) or full (against the reference)")
      ->trigger_on_parse();
  command
      ->add_option_function<std::string>(
          "--fault", [&context](const std::string& value) { set_from_option(context, "fault", value); },
          "Make a solver fail, e.g. onednn:hang@hw>42; kinds error hang crash wrong nan oom compile silent")
      ->type_name("SPEC")
      ->trigger_on_parse();
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
