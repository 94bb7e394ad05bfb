// Implementation of problem_runner.h.
#include "cli/problem_runner.h"

#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/parallel.h"
#include "base/timing.h"
#include "dispatch/rung.h"
#include "solvers/host_tensors.h"

namespace convoy {
namespace {

std::int64_t all_bytes(const Problem& problem) {
  return problem.bytes(TensorRole::x) + problem.bytes(TensorRole::w) + problem.bytes(TensorRole::y);
}

}  // namespace

std::optional<std::string> ProblemLimits::refusal(const Problem& problem) const {
  const double gflop = problem.flops() / 1e9;
  if (max_gflop > 0 && gflop > max_gflop) return fmt::format("{:.1f} GFLOP, over --max-gflop {}", gflop, max_gflop);
  if (max_bytes > 0 && all_bytes(problem) > max_bytes)
    return fmt::format("its tensors take {} bytes, over --max-bytes {}", all_bytes(problem), max_bytes);
  return std::nullopt;
}

Result<void> ProblemRunner::allocate(const Problem& problem) {
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
  CONVOY_TRY(random_, make_random_tensors(problem, device, options_.seed, dispatcher_.context().policy().threads));
  return {};
}

// Up to seven runs or 0.3 s. Where the first run of the chosen solver took seconds it stands for the time: repeating it
// tells little more.
Result<void> ProblemRunner::time(Convolution& convolution, ProblemReport& report) const {
  constexpr double k_long_ms = 2000, k_sampling_ms = 300;
  const std::size_t most = options_.check_every_number ? 1 : 7;  // many problems, of which the numbers matter
  const Convolution::Report ran = convolution.report();
  const double first_ms = ran.attempts.back().milliseconds;
  // A long first run was a long computation on the host, and most likely a compiler's work on a GPU.
  const bool repeats = first_ms < k_long_ms || (!dispatcher_.context().on_host() && ran.tier < Tier::cpu);
  std::vector<double> samples;
  const Stopwatch total;
  while (repeats && samples.size() < most && (samples.empty() || total.milliseconds() < k_sampling_ms)) {
    CONVOY_TRY(const double milliseconds,
               dispatcher_.context().device().measure(nullptr, [&] { return convolution.run(random_.tensors); }));
    samples.push_back(milliseconds);
  }
  report.time_ms = samples.empty() ? first_ms : robust_timing(samples).centre;
  report.gflops = convolution.problem().flops() / report.time_ms / 1e6;
  return {};
}

// What programs get is the plan's work, not the first run's.
Result<NumbersCheck> ProblemRunner::check_next_run(Convolution& convolution) const {
  const Problem& problem = convolution.problem();
  Device& device = convolution.device();
  CONVOY_CHECK(poison_output(problem.lowered(), device, lowered_tensors(problem, random_.tensors)));
  CONVOY_CHECK(convolution.run(random_.tensors));
  CONVOY_CHECK(device.synchronize(nullptr));
  return convoy::check_every_number(problem, device, random_.tensors);
}

ProblemReport ProblemRunner::run(const SourcedProblem& input) {
  ProblemReport report;
  report.input = &input;
  const Problem& problem = input.problem;
  if (auto refusal = options_.limits.refusal(problem)) {
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
  std::optional<NumbersCheck> check;
  if (ran && options_.check_every_number) {
    auto checked = check_next_run(**convolution);
    if (checked) {
      check = std::move(*checked);
    } else {
      ran = tl::unexpected<Error>(std::move(checked.error()));
    }
  }
  describe((*convolution)->report(), ran.has_value(), report);
  if (!ran) report.reason = ran.error().message;
  if (check) report.take(*check);
  dispatcher_.context().trim_workspaces();
  random_ = {};
  return report;
}

void describe(const Convolution::Report& outcome, bool completed, ProblemReport& report) {
  report.attempts = outcome.attempts;
  report.reserves = outcome.reserves;
  if (!completed) return;
  report.status = RunStatus::completed;
  report.tier = outcome.tier;
  report.solver = outcome.solver;
  report.detail = outcome.detail;
  report.checked = outcome.checked;
  report.error = outcome.error;
  report.tolerance = outcome.tolerance;
}

Result<NumbersCheck> check_every_number(const Problem& problem, Device& device, const Tensors& tensors) {
  const Problem ordinary = problem.lowered();
  CONVOY_TRY(const HostTensors staged,
             HostTensors::download(ordinary, device, lowered_tensors(problem, tensors), HostTensors::Output::keep));
  return check_with_reference(ordinary, staged.tensors());
}

void use_own_trials(Policy& policy) {
  policy.verify_again = true;
  std::error_code error;
  if (policy.probe.empty()) policy.probe = std::filesystem::read_symlink("/proc/self/exe", error).string();
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
  return fmt::format("device {} ({}, {}{})", info.name, info.model, counted(threads, "thread"), libraries);
}

}  // namespace convoy
