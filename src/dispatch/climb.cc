// Implementation of climb.h.
#include "dispatch/climb.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "base/log.h"
#include "base/timing.h"
#include "dispatch/find.h"
#include "dispatch/trial.h"
#include "problem/driver_line.h"

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

// What a step came to.
struct StepReport {
  Outcome outcome = Outcome::failed;
  std::string reason;
  double milliseconds = 0;
  Error error;
};

class Climb {
 public:
  Climb(DispatchContext& context, const Problem& problem, const Tensors& tensors)
      : context_(context),
        policy_(context.policy()),
        problem_(problem),
        ordinary_(problem.lowered()),
        tensors_(tensors),
        local_(lowered_tensors(problem, tensors)) {}

  ClimbResult run(const std::vector<std::string>& struck_off);

 private:
  CandidateFacts facts_of(const Solver& solver, const std::vector<std::string>& struck_off) const;
  int quarantined_kin(const Solver& solver) const;
  StepReport try_in_child(const Candidate& candidate);
  StepReport run_here(const Candidate& candidate);
  StepReport run_planned(const Candidate& candidate, const PlanOptions& options);
  std::optional<NumbersCheck> check(bool passed_before) const;
  NumbersCheck check_fully() const;
  void close(std::int64_t intent, const TrialKey& key, const StepReport& report, int signal);
  const Solver& solver_of(const Candidate& candidate) const { return *solvers()[candidate.fact]; }
  PlanOptions options_of(const Candidate& candidate) const;

  DispatchContext& context_;
  const Policy& policy_;
  const Problem& problem_;
  const Problem ordinary_;
  const Tensors& tensors_;
  const Tensors local_;
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
  facts.refusal = solver.fits(ordinary_, context_.device()).refusal();
  if (std::find(struck_off.begin(), struck_off.end(), facts.solver) != struck_off.end()) {
    facts.refusal = "failed earlier in this process";
  }
  if (facts.tier == Tier::reference || !facts.refusal.empty()) return facts;
  const TrialKey key = context_.key_of(solver, problem_);
  const auto passed = context_.store().passed_before(key);
  for (const Incident& incident : context_.store().incidents(key)) {
    // A pass on this very problem clears what came before it: an orphaned intent may have been a user's kill.
    if (passed && incident.key.problem == key.problem && incident.at < passed->at) continue;
    if (facts.strikes == 0) facts.strike_reason = fmt::format("{}: {}", to_string(incident.verdict), incident.reason);
    facts.strikes += incident.strikes;
  }
  facts.quarantined_kin = quarantined_kin(solver);
  facts.passed_before = passed.has_value() && facts.strikes == 0;
  facts.suspect = policy_.faults.armed(solver.id()) ||
                  !context_.store().incidents_of_solver(key.solver, key.device, key.library).empty();
  return facts;
}

PlanOptions Climb::options_of(const Candidate& candidate) const {
  PlanOptions options;
  options.allowed = candidate.allowed;
  options.threads = policy_.threads;
  options.workspace_limit = context_.workspace_limit(problem_.bytes(TensorRole::x) + problem_.bytes(TensorRole::w) +
                                                     problem_.bytes(TensorRole::y));
  return options;
}

void Climb::close(std::int64_t intent, const TrialKey& key, const StepReport& report, int signal) {
  if (report.outcome == Outcome::refused) return context_.cancel_intent(intent);
  VerdictRecord record;
  record.key = key;
  record.verdict = verdict_of(report.outcome);
  record.at = std::time(nullptr);
  if (result_.check) {
    record.error = result_.check->error;
    record.tolerance = result_.check->tolerance;
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
  request.threads = options.threads;
  request.faults = policy_.faults.text();
  request.seed = 1;
  const TrialKey key = context_.key_of(solver, problem_);
  const std::int64_t intent = context_.begin_intent(key);
  const ProbeResult probe = context_.try_in_child(request.to_line(), trial_deadline(problem_, policy_));
  const TrialDetail detail = parse_trial_detail(probe.detail);
  StepReport report;
  report.outcome = outcome_of(probe.verdict);
  report.milliseconds = probe.milliseconds;
  const bool spoke = probe.verdict != Verdict::crashed && probe.verdict != Verdict::timed_out && !detail.reason.empty();
  report.reason = spoke ? detail.reason : probe.reason();
  report.error = {ErrorCode::device, report.reason};
  if (probe.given_up)
    log(LogLevel::warning, "{}: the child that ran {} cannot be killed", problem_.to_string(), solver.id());
  // A pass here is not the last word: the run in this process follows and writes the verdict.
  if (report.outcome == Outcome::passed) {
    context_.cancel_intent(intent);
  } else {
    close(intent, key, report, probe.signal);
  }
  return report;
}

NumbersCheck Climb::check_fully() const {
  const TensorRole role = ordinary_.output_role();
  NumbersCheck impossible;
  auto expected = context_.device().allocate(ordinary_.bytes(role));
  if (expected) {
    Tensors reference = local_;
    (role == TensorRole::x ? reference.x : role == TensorRole::w ? reference.w : reference.y) = expected->data();
    const auto plan = find_solver("reference")->plan(ordinary_, context_.device(), {});
    if (plan && (*plan)->run(reference, nullptr)) return check_full(ordinary_, local_, expected->data());
  }
  log(LogLevel::warning, "{}: no memory for a full check, sampling instead", problem_.to_string());
  return check_sampled(ordinary_, local_, k_check_samples, 1);
}

std::optional<NumbersCheck> Climb::check(bool passed_before) const {
  if (policy_.verify == VerifyMode::off || problem_.elements(problem_.output_role()) == 0) return std::nullopt;
  if (passed_before && !policy_.verify_again) return std::nullopt;
  return policy_.verify == VerifyMode::full ? check_fully() : check_sampled(ordinary_, local_, k_check_samples, 1);
}

// Plans, runs, checks and, when asked, looks for something faster. On success result_.rung is set.
StepReport Climb::run_planned(const Candidate& candidate, const PlanOptions& options) {
  const Solver& solver = solver_of(candidate);
  const Stopwatch watch;
  const auto failed = [&watch](Error error) {
    const Outcome outcome = error.code == ErrorCode::unsupported ? Outcome::refused : Outcome::failed;
    return StepReport{outcome, error.message, watch.milliseconds(), std::move(error)};
  };
  auto plan = plan_with_faults(solver, ordinary_, context_.device(), options, policy_.faults);
  if (!plan) return failed(plan.error());
  auto rung = std::make_unique<Rung>(solver, candidate.tier, options.params, std::move(*plan));
  if (const auto ran = rung->run(context_.device(), local_, nullptr, 0); !ran) return failed(ran.error());
  const double first_run = watch.milliseconds();
  result_.check = check(facts_[candidate.fact].passed_before);
  if (result_.check && !result_.check->passed) {
    return {Outcome::wrong_result, result_.check->reason, first_run, {ErrorCode::device, result_.check->reason}};
  }
  result_.rung = std::move(rung);
  return {Outcome::passed, "", first_run, {}};
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
    // The deadline in this process is generous: it cannot stop anything, it only leaves a note of who hung.
    const auto guard = context_.watchdog().arm(4 * trial_deadline(problem_, policy_), [this, key] {
      log(LogLevel::warning, "{}: {} is overdue in this process", problem_.to_string(), key.solver);
      if (key.solver != "reference")
        context_.store().add_incident(key, Verdict::timed_out, 1, "overdue in the program's own process");
    });
    report = run_planned(candidate, options);
    // A recorded choice may be one that this run's switches exclude; the solver's own choice may still do.
    if (report.outcome == Outcome::refused && !options.params.empty()) {
      options.params.clear();
      report = run_planned(candidate, options);
    }
    const bool look = policy_.find == FindMode::find && !recorded && candidate.tier != Tier::reference;
    if (result_.rung && look) {
      result_.rung = find_fastest(context_, problem_, tensors_, std::move(result_.rung), report.milliseconds, options);
    }
  }
  if (needs_intent) close(intent, key, report, 0);
  return report;
}

ClimbResult Climb::run(const std::vector<std::string>& struck_off) {
  if (policy_.log_commands) {
    // As MIOpen does it, whatever the level of other lines.
    if (const auto line = to_driver_line(problem_)) log(LogLevel::warning, "Command [LogCmdConvolution] {}", *line);
  }
  for (const Solver* solver : solvers()) facts_.push_back(facts_of(*solver, struck_off));
  const Selection selection = select(problem_, facts_, policy_, context_.on_host());
  for (const Rejection& no : selection.rejected) {
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
    if (result_.rung) return std::move(result_);
    result_.error = std::move(report.error);
  }
  if (result_.error.message.empty()) result_.error = {ErrorCode::unsupported, "no solver is left for this problem"};
  return std::move(result_);
}

}  // namespace

ClimbResult climb_ladder(DispatchContext& context, const Problem& problem, const Tensors& tensors,
                         const std::vector<std::string>& struck_off) {
  return Climb(context, problem, tensors).run(struck_off);
}

}  // namespace convoy
