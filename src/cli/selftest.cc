// Running and counting of the self test.
#include "cli/selftest.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>

#include <fmt/format.h>

#include "base/timing.h"
#include "cli/problem_runner.h"
#include "dispatch/trial.h"

namespace convoy {
namespace {

constexpr std::size_t k_most_reasons = 32, k_most_failures = 16;
// A simulated card computes some GFLOP a second.
constexpr double k_simulated_gflop = 0.05;

// What applied and did not serve, and every answer of the vendor's library.
bool is_passed_over(const Attempt& attempt) {
  if (attempt.outcome == Outcome::passed) return false;
  return attempt.outcome != Outcome::unfit || attempt.tier == Tier::vendor;
}

// Reasons that differ in numbers alone, times and sizes, are one.
bool alike(std::string_view a, std::string_view b) {
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  const auto next = [&](std::string_view& text) {
    while (!text.empty() && is_number(text.front())) text.remove_prefix(1);
    const char first = text.empty() ? '\0' : text.front();
    text.remove_prefix(text.empty() ? 0 : 1);
    return first;
  };
  while (!a.empty() || !b.empty()) {
    if (next(a) != next(b)) return false;
  }
  return true;
}

// The longest that a case may take while nothing in this process hangs: each solver's trial, then its run here.
std::chrono::milliseconds longest(const Problem& problem, const DispatchContext& context) {
  std::chrono::milliseconds sum = 4 * trial_deadline(problem, context.policy());
  for (const Solver* solver : solvers()) {
    const Patience patience = trial_patience(problem, context.policy(), solver->tier(context.device()));
    sum += 2 * (patience.of("plan") + patience.of("run"));
  }
  return sum;
}

class Selftest {
 public:
  Selftest(Dispatcher& dispatcher, SelftestReport& report, const InterruptWatch& interrupt,
           const std::function<void(const SelftestReport&)>& on_stuck)
      : dispatcher_(dispatcher), report_(report), interrupt_(interrupt), on_stuck_(on_stuck) {}

  void run(const std::vector<std::string>& only);

 private:
  void plan(const std::vector<std::string>& only);
  bool run_case(SelftestClassResult& row, const SourcedProblem& input, const std::function<ProblemReport()>& work);
  void show_progress(const SelftestClassResult& row, const SourcedProblem& input) const;

  Dispatcher& dispatcher_;
  SelftestReport& report_;
  const InterruptWatch& interrupt_;
  const std::function<void(const SelftestReport&)>& on_stuck_;
  std::vector<SelftestClass> classes_;
  std::vector<TrainingStack> stacks_;
  const bool shown_ = isatty(STDERR_FILENO) == 1;
  const Stopwatch watch_;
};

void Selftest::plan(const std::vector<std::string>& only) {
  const auto wanted = [&only](std::string_view name) {
    return only.empty() || std::ranges::find(only, name) != only.end();
  };
  const auto add_row = [this](std::string_view name, std::string_view meaning, std::size_t cases) {
    SelftestClassResult row;
    row.name = name;
    row.meaning = meaning;
    row.cases = static_cast<std::int64_t>(cases);
    report_.classes.push_back(std::move(row));
  };
  for (SelftestClass& one : selftest_classes(report_.extent)) {
    if (!wanted(one.name)) continue;
    add_row(one.name, one.meaning, one.problems.size());
    classes_.push_back(std::move(one));
  }
  if (!wanted(k_training_step)) return;
  stacks_ = training_stacks(report_.extent);
  std::size_t layers = 0;
  for (const TrainingStack& stack : stacks_) layers += stack.layers.size();
  add_row(k_training_step, k_training_meaning, layers * 3 * k_training_steps);
}

void Selftest::show_progress(const SelftestClassResult& row, const SourcedProblem& input) const {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[Kself test, {}: [{}/{}] {}", row.name, row.done() + 1, row.cases,
             input.problem.to_string().substr(0, 90));
  std::fflush(stderr);
}

bool Selftest::run_case(SelftestClassResult& row, const SourcedProblem& input,
                        const std::function<ProblemReport()>& work) {
  if (interrupt_.requested()) return false;
  show_progress(row, input);
  ProblemReport done;
  {
    // The report is only changed while nothing is armed.
    const auto guard = dispatcher_.context().watchdog().arm(longest(input.problem, dispatcher_.context()), [&] {
      SelftestReport stuck = report_;
      stuck.stuck = input.problem.to_string();
      stuck.seconds = watch_.milliseconds() / 1000;
      on_stuck_(stuck);
    });
    done = work();
  }
  row.add(done);
  return !interrupt_.requested();
}

void Selftest::run(const std::vector<std::string>& only) {
  plan(only);
  RunnerOptions options;
  options.seed = report_.seed;
  options.check_every_number = true;
  if (report_.simulated) options.limits.max_gflop = k_simulated_gflop;
  ProblemRunner runner(dispatcher_, options);
  for (std::size_t i = 0; i < classes_.size() && !interrupt_.requested(); ++i) {
    for (const Problem& problem : classes_[i].problems) {
      const SourcedProblem input{problem, std::string(classes_[i].name), 1};
      if (!run_case(report_.classes[i], input, [&] { return runner.run(input); })) break;
    }
  }
  SelftestClassResult* training = stacks_.empty() ? nullptr : &report_.classes.back();
  for (std::size_t i = 0; i < stacks_.size() && !interrupt_.requested(); ++i) {
    run_training_stack(dispatcher_, stacks_[i], report_.seed,
                       [&](const SourcedProblem& input, const std::function<ProblemReport()>& work) {
                         return run_case(*training, input, work);
                       });
  }
  if (shown_) fmt::print(stderr, "\r\033[K");
  report_.interrupted = interrupt_.requested();
  report_.seconds = watch_.milliseconds() / 1000;
}

// Threads that wait for each other cost the quick test several times its work where other programs compute, too.
bool wants_one_thread(const Settings& settings, const SelftestOptions& options, const DispatchContext& context) {
  return options.extent == SelftestExtent::quick && settings.origin("threads") == Origin::built_in &&
         context.device().info().kind == DeviceKind::cpu;
}

Result<void> check_names(const std::vector<std::string>& only) {
  std::vector<std::string> known;
  for (const SelftestClass& one : selftest_classes(SelftestExtent::quick)) known.emplace_back(one.name);
  known.emplace_back(k_training_step);
  for (const std::string& name : only) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return fail(ErrorCode::invalid_argument,
                fmt::format("--only {}: there is no such class; choose of {}", name, fmt::join(known, ", ")));
  }
  return {};
}

}  // namespace

void SelftestClassResult::add(const ProblemReport& report) {
  const std::string problem = report.input->problem.to_string();
  switch (report.status) {
    case RunStatus::skipped: ++left_out; break;
    case RunStatus::failed:
      ++failed;
      if (failures.size() < k_most_failures) failures.push_back({problem, report.reason});
      break;
    case RunStatus::completed: ++passed; break;
  }
  if (report.status == RunStatus::completed) ++served[{report.tier, report.solver}];
  if (report.status == RunStatus::completed && report.time_ms > slowest_ms) {
    slowest = problem;
    slowest_ms = report.time_ms;
  }
  if (report.checked && (worst.empty() || report.error * worst_tolerance > worst_error * report.tolerance)) {
    worst = problem;
    worst_error = report.error;
    worst_tolerance = report.tolerance;
  }
  for (const Attempt& attempt : report.attempts) {
    if (!is_passed_over(attempt)) continue;
    merge_into(passed_over, {attempt.solver, attempt.tier, attempt.outcome, attempt.reason, 1, problem});
  }
}

void merge_into(std::vector<PassedOver>& all, const PassedOver& more) {
  const auto same = std::ranges::find_if(all, [&more](const PassedOver& one) {
    return one.solver == more.solver && one.outcome == more.outcome && alike(one.reason, more.reason);
  });
  if (same != all.end()) {
    same->cases += more.cases;
  } else if (all.size() < k_most_reasons) {
    all.push_back(more);
  }
}

Result<SelftestReport> run_selftest(const Settings& settings, const SelftestOptions& options, InterruptWatch& interrupt,
                                    const std::function<void(const SelftestReport&)>& on_stuck) {
  CONVOY_CHECK(check_names(options.only));
  CONVOY_TRY(auto dispatcher, Dispatcher::create(settings, options.device, use_own_trials));
  if (wants_one_thread(settings, options, dispatcher->context())) {
    CONVOY_TRY(dispatcher, Dispatcher::create(settings, options.device, [](Policy& policy) {
                 use_own_trials(policy);
                 policy.threads = 1;
               }));
  }
  const DeviceInfo& info = dispatcher->context().device().info();
  SelftestReport report;
  report.device = info.name;
  report.device_option = options.device;
  report.device_line = device_line(dispatcher->context());
  report.simulated = info.name.starts_with("sim:");
  report.gpu = info.kind != DeviceKind::cpu && !info.is_host_processor && !report.simulated;
  report.extent = options.extent;
  report.seed = options.seed;
  report.fault = settings.text("fault");
  if (!report.gpu && options.device == "auto") report.absent = list_devices().absent;
  interrupt.set_withdraw([&dispatcher] { dispatcher->context().cancel_open_intents(); });
  Selftest(*dispatcher, report, interrupt, on_stuck).run(options.only);
  interrupt.set_withdraw(nullptr);
  return report;
}

}  // namespace convoy
