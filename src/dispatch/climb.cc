// Implementation of climb.h.
#include "dispatch/climb.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

#include "base/log.h"
#include "base/timing.h"
#include "dispatch/facts.h"
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

// One search takes some seconds. Whoever waits longer, a process group with a watchdog say, rather goes without.
constexpr std::chrono::seconds k_search_patience{30};
constexpr double k_too_long_ms = 2000;  // for runs of which a search would need many

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
  Climb(DispatchContext& context, const ClimbTask& task, CallersWorkspace workspace)
      : context_(context),
        policy_(context.policy()),
        problem_(task.problem),
        ordinary_(problem_.lowered()),
        tensors_(task.tensors),
        local_(lowered_tensors(problem_, tensors_)),
        external_(task.external),
        workspace_(workspace) {
    if (external_ != nullptr) candidates_.push_back(external_);
    candidates_.insert(candidates_.end(), solvers().begin(), solvers().end());
  }

  ClimbResult run(const std::vector<std::string>& struck_off);

 private:
  Result<void> check_memory() const;
  Selection look_around(const std::vector<std::string>& struck_off);
  bool wants_search(const Selection& selection) const;
  Result<void> check_soundness() const;
  StepReport take(const Step& step, const Candidate& candidate);
  StepReport try_in_child(const Candidate& candidate);
  StepReport run_here(const Candidate& candidate);
  StepReport run_planned(const Candidate& candidate, const PlanOptions& options);
  StepReport find(const Candidate& candidate, const PlanOptions& options, StepReport found);
  bool wants_check(const Candidate& candidate) const;
  std::optional<NumbersCheck> check(const Candidate& candidate) const;
  NumbersCheck check_fully(const Tensors& on_host, const Leniency& leniency) const;
  void hold(const Selection& selection, std::size_t candidate, StepReport report);
  bool searches_on(const Selection& selection, std::size_t next) const;
  void finish(const Selection& selection);
  void close(std::int64_t intent, const TrialKey& key, const StepReport& report, int signal);
  const Solver& solver_of(const Candidate& candidate) const { return *candidates_[candidate.fact]; }
  bool is_external(const Candidate& candidate) const { return &solver_of(candidate) == external_; }
  PlanOptions options_of(const Candidate& candidate) const;

  DispatchContext& context_;
  const Policy& policy_;
  const Problem& problem_;
  const Problem ordinary_;
  const Tensors& tensors_;
  const Tensors local_;
  const ExternalSolver* external_;
  const CallersWorkspace workspace_;
  std::vector<const Solver*> candidates_;
  std::vector<CandidateFacts> facts_;
  bool searching_ = false;
  std::string failed_stand_in_;  // a solver that has just failed in a child in the external's place
  // The rung that holds so far, while a search goes on.
  std::size_t held_ = 0;  // its place in the selection's order
  StepReport held_report_;
  bool output_is_held_ = false;
  std::vector<std::size_t> passed_;  // places of all that hold
  ClimbResult result_;
};

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
  const bool external = is_external(candidate);
  if (external && external_->stand_in() == nullptr) {
    const std::string reason = fmt::format("no child can stand in for {}", external_->id());
    return {Outcome::refused, reason, 0, {ErrorCode::unsupported, reason}, {}, {}};
  }
  const Solver& solver = external ? *external_->stand_in() : solver_of(candidate);
  const PlanOptions options = options_of(candidate);
  TrialRequest request;
  request.device = context_.device().info().name;
  request.problem = problem_.to_string();
  request.solver = solver.id();
  if (external) request.name = external_->id();
  request.allowed = options.allowed;
  request.params = recorded_choice(context_, problem_, solver).value_or("");
  request.workspace_limit = options.workspace_limit;
  request.naive = options.naive;
  request.deterministic = options.deterministic;
  request.threads = options.threads;
  request.libraries = DynamicLibrary::opened();
  request.faults = policy_.faults.text();
  request.seed = 1;
  const TrialKey key = context_.key_of(solver_of(candidate), problem_);
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
    if (external && !policy_.faults.armed(external_->id())) failed_stand_in_ = solver.id();
  }
  // A vendor's search that ends in a refusal is as long as one that does not: once is enough.
  // But what our oneDNN does not serve says nothing about the one in PyTorch.
  const bool lasting = detail.lasting && !(external && context_.on_host());
  if (report.outcome == Outcome::refused && lasting && candidate.tier == Tier::vendor && !options.naive)
    context_.store().add_incident(key, Verdict::refused, 0, report.reason);
  return report;
}

NumbersCheck Climb::check_fully(const Tensors& on_host, const Leniency& leniency) const {
  if (auto check = check_with_reference(ordinary_, on_host, leniency)) return std::move(*check);
  log(LogLevel::warning, "{}: no memory for a full check, sampling instead", problem_.to_string());
  return check_sampled(ordinary_, on_host, k_check_samples, 1, leniency);
}

bool Climb::wants_check(const Candidate& candidate) const {
  if (policy_.verify == VerifyMode::off || problem_.elements(problem_.output_role()) == 0) return false;
  return policy_.verify_again || !facts_[candidate.fact].passed_before;
}

// Nothing when the host has no room for copies of a GPU's tensors.
std::optional<NumbersCheck> Climb::check(const Candidate& candidate) const {
  const auto staged = HostTensors::download(ordinary_, context_.device(), local_, HostTensors::Output::keep);
  if (!staged) {
    log(LogLevel::warning, "{}: numbers are not checked: {}", problem_.to_string(), staged.error().message);
    return std::nullopt;
  }
  const Tensors& on_host = staged->tensors();
  const Leniency leniency = is_external(candidate) ? Leniency{external_->external().allowance, true} : Leniency{};
  return policy_.verify == VerifyMode::full ? check_fully(on_host, leniency)
                                            : check_sampled(ordinary_, on_host, k_check_samples, 1, leniency);
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
  if (wants_check(candidate)) report.check = check(candidate);
  // Of the reference the check says how far sums in another order are: it is the last word itself.
  if (report.check && !report.check->passed && candidate.tier == Tier::reference) {
    log(LogLevel::warning, "{}: reference: {}", problem_.to_string(), report.check->reason);
  } else if (report.check && !report.check->passed) {
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
                    return wants_check(candidate) ? check(candidate) : std::nullopt;
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
    const bool look = (searching_ || policy_.find == FindMode::dynamic_hybrid) && !recorded && trusted &&
                      candidate.tier != Tier::reference;
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

Selection Climb::look_around(const std::vector<std::string>& struck_off) {
  facts_.clear();
  const FactsQuestion question{problem_, ordinary_, tensors_, struck_off};
  for (const Solver* solver : candidates_) facts_.push_back(facts_of(context_, *solver, question));
  return select(problem_, facts_, policy_, context_.on_host());
}

// Not when earlier searches have measured what serves and whatever competes with it.
bool Climb::wants_search(const Selection& selection) const {
  if (policy_.find != FindMode::find) return false;
  if (!policy_.use_find_records) return true;
  // Suspects and the reference are never searched.
  const auto unmeasured = [this](const Candidate& one) {
    return facts_[one.fact].measured_ms <= 0 && !one.trial && one.tier != Tier::reference;
  };
  const Candidate& front = selection.order.front();
  if (facts_[front.fact].first) return unmeasured(front);  // nothing competes with what a rule puts first
  return unmeasured(front) ||
         std::any_of(selection.order.begin(), selection.order.end(),
                     [&unmeasured](const Candidate& one) { return competes(one.tier) && unmeasured(one); });
}

// What is broken already is not ours.
Result<void> Climb::check_soundness() const {
  auto sound = context_.device().synchronize(tensors_.stream);
  if (sound || sound.error().code != ErrorCode::invalid_argument) {
    if (auto health = context_.device().health(); !health) sound = std::move(health);
  }
  if (sound) sound = check_memory();
  return sound;
}

StepReport Climb::take(const Step& step, const Candidate& candidate) {
  const bool in_child = step.action == Action::try_in_child;
  const CandidateFacts& facts = facts_[candidate.fact];
  StepReport report;
  if (!failed_stand_in_.empty() && facts.solver == failed_stand_in_) {
    report = {Outcome::refused, fmt::format("has just failed in the place of {}", external_->id()), 0, {}, {}, {}};
    report.error = {ErrorCode::unsupported, report.reason};
  } else {
    report = in_child ? try_in_child(candidate) : run_here(candidate);
  }
  if (report.outcome == Outcome::passed && report.reason.empty()) report.reason = facts.note;
  log(LogLevel::info, "{}: {} ({}{}) {} after {:.1f} ms{}{}", problem_.to_string(), facts.solver,
      to_string(candidate.tier), in_child ? ", in a child" : "", to_string(report.outcome), report.milliseconds,
      report.reason.empty() ? "" : ": ", report.reason);
  result_.attempts.push_back(
      {facts.solver, candidate.tier, report.outcome, report.reason, report.milliseconds, in_child});
  return report;
}

// Keeps the faster of what holds.
void Climb::hold(const Selection& selection, std::size_t candidate, StepReport report) {
  passed_.push_back(candidate);
  output_is_held_ = true;
  if (passed_.size() > 1) {
    const bool faster = is_faster(context_, problem_, tensors_, *held_report_.rung, *report.rung);
    output_is_held_ = false;
    log(LogLevel::info, "{}: {} is {} than {}", problem_.to_string(), facts_[selection.order[candidate].fact].solver,
        faster ? "faster" : "no faster", facts_[selection.order[held_].fact].solver);
    if (!faster) return;
  }
  held_ = candidate;
  held_report_ = std::move(report);
}

// A search times own kernels against the vendor's, unless an earlier one has.
bool Climb::searches_on(const Selection& selection, std::size_t next) const {
  if (!searching_ || next >= selection.order.size()) return false;
  const auto unmeasured = [this](const Candidate& one) {
    return competes(one.tier) && !one.suspect && (facts_[one.fact].measured_ms <= 0 || !policy_.use_find_records);
  };
  const bool held_competes = competes(selection.order[held_].tier) && !facts_[selection.order[held_].fact].first;
  return held_competes && held_report_.run_ms < k_too_long_ms &&
         std::any_of(selection.order.begin() + static_cast<std::ptrdiff_t>(next), selection.order.end(), unmeasured);
}

void Climb::finish(const Selection& selection) {
  for (std::size_t i = 0; i < selection.order.size(); ++i) {
    const bool holds = std::find(passed_.begin(), passed_.end(), i) != passed_.end();
    if (i == held_ || (i < passed_.back() && !holds)) continue;
    result_.reserves.push_back({facts_[selection.order[i].fact].solver, selection.order[i].tier});
  }
  result_.check = std::move(held_report_.check);
  result_.rung = std::move(held_report_.rung);
  if (output_is_held_) return;
  // Whoever lost wrote last.
  if (auto again = result_.rung->run(context_, local_, workspace_.data, workspace_.bytes); !again) {
    result_.error = again.error();
    result_.rung.reset();
  }
}

ClimbResult Climb::run(const std::vector<std::string>& struck_off) {
  if (policy_.log_commands) {
    // As MIOpen does it, whatever the level of other lines.
    if (const auto line = to_driver_line(problem_)) log(LogLevel::warning, "Command [LogCmdConvolution] {}", *line);
  }
  if (const auto sound = check_soundness(); !sound) {
    result_.error = sound.error();
    return std::move(result_);
  }
  Selection selection = look_around(struck_off);
  std::optional<SearchTurn> turn;
  if (wants_search(selection)) {
    turn = context_.store().take_search_turn(k_search_patience);
    searching_ = turn.has_value();
    if (!searching_) log(LogLevel::info, "{}: another process searches; this one goes without", problem_.to_string());
    selection = look_around(struck_off);  // what another has found meanwhile
  }
  for (const Rejection& no : selection.rejected) {
    if (facts_[no.fact].elsewhere) continue;
    result_.attempts.push_back({facts_[no.fact].solver, facts_[no.fact].tier, no.outcome, no.reason, 0, false});
  }
  std::vector<StepResult> done;
  for (Step step = next_step(selection, done); step.action != Action::give_up; step = next_step(selection, done)) {
    if (!passed_.empty() && !searches_on(selection, step.candidate)) break;
    const Candidate& candidate = selection.order[step.candidate];
    if (!passed_.empty() && !competes(candidate.tier)) break;
    StepReport report = take(step, candidate);
    done.push_back({step, report.outcome});
    if (step.action == Action::run_here) output_is_held_ = false;
    if (report.rung) {
      hold(selection, step.candidate, std::move(report));
      continue;
    }
    result_.error = std::move(report.error);
    // The caller's stream is as wrong for all others.
    if (result_.error.code == ErrorCode::invalid_argument) break;
    // Nobody else can compute on a device that is lost, and none of them is to blame.
    if (const auto health = context_.device().health(); !health) {
      result_.error = health.error();
      passed_.clear();
      break;
    }
  }
  if (!passed_.empty()) finish(selection);
  if (!result_.rung && result_.error.message.empty())
    result_.error = {ErrorCode::unsupported, "no solver is left for this problem"};
  return std::move(result_);
}

}  // namespace

ClimbResult climb_ladder(DispatchContext& context, const ClimbTask& task, const std::vector<std::string>& struck_off,
                         CallersWorkspace workspace) {
  return Climb(context, task, workspace).run(struck_off);
}

}  // namespace convoy
