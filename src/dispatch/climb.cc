// Implementation of climb.h.
#include "dispatch/climb.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

#include "base/log.h"
#include "base/timing.h"
#include "dispatch/find.h"
#include "dispatch/trial.h"
#include "problem/driver_line.h"
#include "solvers/host_tensors.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr int k_check_samples = 256;

Verdict verdict_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed: return Verdict::passed;
    case Outcome::wrong_result: return Verdict::wrong_result;
    case Outcome::crashed: return Verdict::crashed;
    case Outcome::timed_out: return Verdict::timed_out;
    case Outcome::refused: return Verdict::refused;
    default: return Verdict::failed;
  }
}

// What a step came to. `rung` is set when it held; `check` when the numbers were looked at, here or in the child.
struct StepReport {
  Outcome outcome = Outcome::failed;
  std::string reason;
  double milliseconds = 0;
  Error error;
  std::unique_ptr<Rung> rung;
  std::optional<NumbersCheck> check;
  double run_ms = 0;  // of `milliseconds`, without planning and compiling
};

class Climb {
 public:
  Climb(DispatchContext& context, const Problem& problem, const Tensors& tensors, CallersWorkspace workspace)
      : context_(context),
        policy_(context.policy()),
        problem_(problem),
        ordinary_(problem.lowered()),
        tensors_(tensors),
        local_(lowered_tensors(problem, tensors)),
        workspace_(workspace) {}

  ClimbResult run(const std::vector<std::string>& struck_off);

 private:
  CandidateFacts facts_of(const Solver& solver, const std::vector<std::string>& struck_off) const;
  int quarantined_kin(const Solver& solver) const;
  Result<void> check_memory() const;
  StepReport try_in_child(const Candidate& candidate);
  StepReport run_here(const Candidate& candidate);
  StepReport run_planned(const Candidate& candidate, const PlanOptions& options);
  StepReport find(const Candidate& candidate, const PlanOptions& options, StepReport found);
  bool wants_check(const Candidate& candidate) const;
  std::optional<NumbersCheck> check() const;
  NumbersCheck check_fully(const Tensors& on_host) const;
  void close(std::int64_t intent, const TrialKey& key, const StepReport& report, int signal);
  const Solver& solver_of(const Candidate& candidate) const { return *solvers()[candidate.fact]; }
  PlanOptions options_of(const Candidate& candidate) const;

  DispatchContext& context_;
  const Policy& policy_;
  const Problem& problem_;
  const Problem ordinary_;
  const Tensors& tensors_;
  const Tensors local_;
  const CallersWorkspace workspace_;
  std::vector<CandidateFacts> facts_;
  ClimbResult result_;
};

// Other problem classes of the same direction, type and rank on which the solver is in quarantine.
int Climb::quarantined_kin(const Solver& solver) const {
  const TrialKey key = context_.key_of(solver, problem_);
  std::map<std::string, int> strikes;
  for (const Incident& incident : context_.store().incidents_of_solver(key.solver, key.device, key.library)) {
    if (incident.key.problem_class == key.problem_class) continue;
    const auto other = parse_problem(incident.key.problem);
    if (!other || other->direction != problem_.direction || other->dtype != problem_.dtype ||
        other->rank != problem_.rank) {
      continue;
    }
    strikes[incident.key.problem_class] += incident.strikes;
  }
  return static_cast<int>(std::count_if(strikes.begin(), strikes.end(),
                                        [](const auto& entry) { return entry.second >= k_quarantine_strikes; }));
}

CandidateFacts Climb::facts_of(const Solver& solver, const std::vector<std::string>& struck_off) const {
  CandidateFacts facts;
  facts.solver = solver.id();
  facts.tier = solver.tier(context_.device());
  const Fit fit = solver.fits(ordinary_, context_.device());
  facts.refusal = fit.refusal();
  facts.elsewhere = fit.is_elsewhere();
  if (std::find(struck_off.begin(), struck_off.end(), facts.solver) != struck_off.end()) {
    facts.refusal = "failed earlier in this process";
  }
  if (facts.tier == Tier::reference || !facts.refusal.empty()) return facts;
  const TrialKey key = context_.key_of(solver, problem_);
  for (const Incident& incident : context_.store().incidents(key)) {
    const bool by_naive_alone = policy_.strategy == Strategy::vendor;
    if (incident.verdict == Verdict::refused && facts.tier == Tier::vendor && !by_naive_alone && facts.refusal.empty())
      facts.refusal = "refused before: " + incident.reason;
    if (incident.strikes == 0) continue;
    if (facts.strikes == 0) facts.strike_reason = fmt::format("{}: {}", to_string(incident.verdict), incident.reason);
    facts.strikes += incident.strikes;
  }
  facts.quarantined_kin = quarantined_kin(solver);
  facts.passed_before = facts.strikes == 0 && context_.store().passed_before(key);
  const auto anywhere = context_.store().incidents_of_solver(key.solver, key.device, key.library);
  facts.suspect = policy_.faults.armed(solver.id()) ||
                  std::any_of(anywhere.begin(), anywhere.end(), [](const Incident& one) { return one.strikes > 0; });
  return facts;
}

PlanOptions Climb::options_of(const Candidate& candidate) const {
  PlanOptions options;
  options.allowed = candidate.allowed;
  options.threads = policy_.threads;
  options.naive = policy_.strategy == Strategy::vendor;
  options.deterministic = policy_.deterministic;
  options.workspace_limit = context_.workspace_limit(problem_.bytes(TensorRole::x) + problem_.bytes(TensorRole::w) +
                                                     problem_.bytes(TensorRole::y));
  return options;
}

// Only what was seen goes into the ledger: a pass that nobody checked, or on data that could not tell, is no verdict.
void Climb::close(std::int64_t intent, const TrialKey& key, const StepReport& report, int signal) {
  const bool seen = is_failure(report.outcome) || (report.check && report.check->passed && report.check->telling);
  if (!seen) return context_.cancel_intent(intent);
  VerdictRecord record;
  record.key = key;
  record.verdict = verdict_of(report.outcome);
  record.at = std::time(nullptr);
  if (report.check) {
    record.error = report.check->error;
    record.tolerance = report.check->tolerance;
  }
  context_.close_intent(intent, record, signal, report.reason);
}

StepReport Climb::try_in_child(const Candidate& candidate) {
  const Solver& solver = solver_of(candidate);
  const PlanOptions options = options_of(candidate);
  TrialRequest request;
  request.device = context_.device().info().name;
  request.problem = problem_.to_string();
  request.solver = solver.id();
  request.allowed = options.allowed;
  request.params = recorded_choice(context_, problem_, solver).value_or("");
  request.workspace_limit = options.workspace_limit;
  request.naive = options.naive;
  request.deterministic = options.deterministic;
  request.threads = options.threads;
  request.libraries = DynamicLibrary::opened();
  request.faults = policy_.faults.text();
  request.seed = 1;
  const TrialKey key = context_.key_of(solver, problem_);
  const std::int64_t intent = context_.begin_intent(key);
  const Patience patience = trial_patience(problem_, policy_, candidate.tier);
  log(LogLevel::info, "{}: {} is tried in a child, for {} s at most", problem_.to_string(), solver.id(),
      std::chrono::ceil<std::chrono::seconds>(patience.of("plan") + patience.of("run")).count());
  const ProbeResult probe = context_.try_in_child(request.to_line(), patience);
  const TrialDetail detail = parse_trial_detail(probe.detail);
  StepReport report;
  report.outcome = outcome_of(probe.verdict);
  report.milliseconds = probe.milliseconds;
  const bool spoke = probe.verdict != Verdict::crashed && probe.verdict != Verdict::timed_out && !detail.reason.empty();
  report.reason = spoke ? detail.reason : probe.reason();
  // Making random tensors and checking sums is our work: slowness there is not the solver's.
  const bool ours = probe.phase != "plan" && probe.phase != "run";
  if (report.outcome == Outcome::timed_out && ours) report.outcome = Outcome::refused;
  if (report.outcome == Outcome::wrong_result) {
    report.check.emplace();
    report.check->passed = false;
    report.check->error = detail.error;
    report.check->tolerance = detail.tolerance;
  }
  report.error = {ErrorCode::device, report.reason};
  if (probe.given_up)
    log(LogLevel::warning, "{}: the child that ran {} cannot be killed", problem_.to_string(), solver.id());
  // A pass here is not the last word: the run in this process follows and writes the verdict.
  if (report.outcome == Outcome::passed) {
    context_.cancel_intent(intent);
  } else {
    close(intent, key, report, probe.signal);
  }
  // A vendor's search that ends in a refusal is as long as one that does not: once is enough.
  if (report.outcome == Outcome::refused && detail.lasting && candidate.tier == Tier::vendor && !options.naive)
    context_.store().add_incident(key, Verdict::refused, 0, report.reason);
  return report;
}

NumbersCheck Climb::check_fully(const Tensors& on_host) const {
  const auto host = make_cpu_device();
  auto expected = host->allocate(ordinary_.bytes(ordinary_.output_role()));
  if (expected) {
    Tensors reference = on_host;
    switch (ordinary_.output_role()) {
      case TensorRole::x: reference.x = expected->data(); break;
      case TensorRole::w: reference.w = expected->data(); break;
      case TensorRole::y: reference.y = expected->data(); break;
    }
    const auto plan = find_solver("reference")->plan(ordinary_, *host, {});
    if (plan && (*plan)->run(reference, nullptr)) return check_full(ordinary_, on_host, expected->data());
  }
  log(LogLevel::warning, "{}: no memory for a full check, sampling instead", problem_.to_string());
  return check_sampled(ordinary_, on_host, k_check_samples, 1);
}

bool Climb::wants_check(const Candidate& candidate) const {
  if (policy_.verify == VerifyMode::off || problem_.elements(problem_.output_role()) == 0) return false;
  return policy_.verify_again || !facts_[candidate.fact].passed_before;
}

// Nothing when the host has no room for copies of a GPU's tensors.
std::optional<NumbersCheck> Climb::check() const {
  const auto staged = HostTensors::download(ordinary_, context_.device(), local_, HostTensors::Output::keep);
  if (!staged) {
    log(LogLevel::warning, "{}: numbers are not checked: {}", problem_.to_string(), staged.error().message);
    return std::nullopt;
  }
  const Tensors& on_host = staged->tensors();
  return policy_.verify == VerifyMode::full ? check_fully(on_host)
                                            : check_sampled(ordinary_, on_host, k_check_samples, 1);
}

// Plans, runs and checks.
StepReport Climb::run_planned(const Candidate& candidate, const PlanOptions& options) {
  const Solver& solver = solver_of(candidate);
  const Stopwatch watch;
  const auto failed = [&watch](const Error& error) {
    // Want of memory speaks of the machine, what is wrong with the caller's stream of the caller: not of the solver.
    const bool refusal = error.code == ErrorCode::unsupported || error.code == ErrorCode::out_of_memory ||
                         error.code == ErrorCode::invalid_argument;
    return StepReport{refusal ? Outcome::refused : Outcome::failed, error.message, watch.milliseconds(), error, {}, {}};
  };
  auto plan = plan_with_faults(solver, ordinary_, context_.device(), options, policy_.faults);
  if (!plan) return failed(plan.error());
  auto rung = std::make_unique<Rung>(solver, candidate.tier, options.params, std::move(*plan));
  // An output that already holds right numbers, by an earlier rung or an earlier call, would hide a solver that writes none.
  if (wants_check(candidate)) {
    if (const auto poisoned = poison_output(ordinary_, context_.device(), local_); !poisoned)
      return failed(poisoned.error());
  }
  // What the caller has queued before is no part of the run.
  if (const auto idle = context_.device().synchronize(local_.stream); !idle) return failed(idle.error());
  const Stopwatch run_watch;
  auto ran = rung->run(context_, local_, workspace_.data, workspace_.bytes);
  // A GPU reports later what its kernels do.
  if (ran) ran = context_.device().synchronize(local_.stream);
  if (!ran) return failed(ran.error());
  StepReport report{Outcome::passed, "", watch.milliseconds(), {}, std::move(rung), {}, run_watch.milliseconds()};
  if (wants_check(candidate)) report.check = check();
  if (report.check && !report.check->passed) {
    report.outcome = Outcome::wrong_result;
    report.reason = report.check->reason;
    report.error = {ErrorCode::device, report.reason};
    report.rung.reset();
  }
  return report;
}

// Looks for a faster alternative of what has just passed.
StepReport Climb::find(const Candidate& candidate, const PlanOptions& options, StepReport found) {
  FindOptions how{options, found.run_ms, [this, &candidate]() -> std::optional<NumbersCheck> {
                    return wants_check(candidate) ? check() : std::nullopt;
                  }};
  auto best = find_fastest(context_, problem_, tensors_, {std::move(found.rung), std::move(found.check)}, how);
  if (!best) return {Outcome::failed, best.error().message, found.milliseconds, best.error(), {}, {}};
  found.rung = std::move(best->rung);
  found.check = std::move(best->check);
  return found;
}

StepReport Climb::run_here(const Candidate& candidate) {
  const Solver& solver = solver_of(candidate);
  const TrialKey key = context_.key_of(solver, problem_);
  PlanOptions options = options_of(candidate);
  const auto recorded = recorded_choice(context_, problem_, solver);
  options.params = recorded.value_or("");
  const bool needs_intent = candidate.tier != Tier::reference && !facts_[candidate.fact].passed_before;
  const std::int64_t intent = needs_intent ? context_.begin_intent(key) : 0;
  StepReport report;
  {
    // It cannot stop anything, and the open intent names the culprit to the next process: this is for whoever looks on.
    const auto guard = context_.watchdog().arm(4 * trial_deadline(problem_, policy_), [this, &key] {
      log(LogLevel::warning, "{}: {} is overdue in this process", problem_.to_string(), key.solver);
    });
    report = run_planned(candidate, options);
    // A recorded choice may be one that this run's switches exclude; the solver's own choice may still do.
    if (report.outcome == Outcome::refused && !options.params.empty()) {
      options.params.clear();
      report = run_planned(candidate, options);
    }
    // A suspect's other algorithms have not been tried in a child.
    const bool trusted = !candidate.trial && !candidate.suspect && policy_.trial != TrialMode::always;
    const bool look = policy_.find != FindMode::immediate && !recorded && trusted && candidate.tier != Tier::reference;
    if (report.rung && look) report = find(candidate, options, std::move(report));
  }
  if (needs_intent) close(intent, key, report, 0);
  return report;
}

// Host pointers, where memory is the device's: a kernel that met them would end the device, and be blamed for it.
Result<void> Climb::check_memory() const {
  Device& device = context_.device();
  if (device.host_accessible()) return {};
  constexpr std::array<const char*, 3> k_names{"x", "w", "y"};
  const std::array<const void*, 3> all{tensors_.x, tensors_.w, tensors_.y};
  for (std::size_t i = 0; i < all.size(); ++i) {
    unsigned char byte = 0;
    if (problem_.bytes(static_cast<TensorRole>(i)) == 0) continue;
    const auto read = device.download(&byte, all[i], 1, tensors_.stream);
    if (read || read.error().code != ErrorCode::device || !device.health()) continue;
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} is not in the memory of {}, from where convoy_allocate() gives some ({})", k_names[i],
                            device.info().name, read.error().message));
  }
  return {};
}

ClimbResult Climb::run(const std::vector<std::string>& struck_off) {
  if (policy_.log_commands) {
    // As MIOpen does it, whatever the level of other lines.
    if (const auto line = to_driver_line(problem_)) log(LogLevel::warning, "Command [LogCmdConvolution] {}", *line);
  }
  // What is broken already is not ours.
  auto sound = context_.device().synchronize(tensors_.stream);
  if (sound || sound.error().code != ErrorCode::invalid_argument) {
    if (auto health = context_.device().health(); !health) sound = std::move(health);
  }
  if (sound) sound = check_memory();
  if (!sound) {
    result_.error = sound.error();
    return std::move(result_);
  }
  for (const Solver* solver : solvers()) facts_.push_back(facts_of(*solver, struck_off));
  const Selection selection = select(problem_, facts_, policy_, context_.on_host());
  for (const Rejection& no : selection.rejected) {
    if (facts_[no.fact].elsewhere) continue;
    result_.attempts.push_back({facts_[no.fact].solver, facts_[no.fact].tier, no.outcome, no.reason, 0, false});
  }
  std::vector<StepResult> done;
  for (Step step = next_step(selection, done); step.action != Action::give_up; step = next_step(selection, done)) {
    const Candidate& candidate = selection.order[step.candidate];
    const bool in_child = step.action == Action::try_in_child;
    StepReport report = in_child ? try_in_child(candidate) : run_here(candidate);
    done.push_back({step, report.outcome});
    const std::string& solver = facts_[candidate.fact].solver;
    log(LogLevel::info, "{}: {} ({}{}) {} after {:.1f} ms{}{}", problem_.to_string(), solver, to_string(candidate.tier),
        in_child ? ", in a child" : "", to_string(report.outcome), report.milliseconds,
        report.reason.empty() ? "" : ": ", report.reason);
    result_.attempts.push_back({solver, candidate.tier, report.outcome, report.reason, report.milliseconds, in_child});
    if (report.rung) {
      for (std::size_t i = step.candidate + 1; i < selection.order.size(); ++i)
        result_.reserves.push_back({facts_[selection.order[i].fact].solver, selection.order[i].tier});
      result_.rung = std::move(report.rung);
      result_.check = std::move(report.check);
      return std::move(result_);
    }
    result_.error = std::move(report.error);
    // The caller's stream is as wrong for all others.
    if (result_.error.code == ErrorCode::invalid_argument) break;
    // Nobody else can compute on a device that is lost, and none of them is to blame.
    if (const auto health = context_.device().health(); !health) {
      result_.error = health.error();
      break;
    }
  }
  if (result_.error.message.empty()) result_.error = {ErrorCode::unsupported, "no solver is left for this problem"};
  return std::move(result_);
}

}  // namespace

ClimbResult climb_ladder(DispatchContext& context, const Problem& problem, const Tensors& tensors,
                         const std::vector<std::string>& struck_off, CallersWorkspace workspace) {
  return Climb(context, problem, tensors, workspace).run(struck_off);
}

}  // namespace convoy
