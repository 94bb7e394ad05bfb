// Implementation of facts.h.
#include "dispatch/facts.h"

#include <algorithm>
#include <map>

#include "dispatch/external.h"
#include "dispatch/find.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Other problem classes of the same direction, type and rank on which the solver is in quarantine.
int quarantined_kin(DispatchContext& context, const TrialKey& key, const Problem& problem) {
  std::map<std::string, int> strikes;
  for (const Incident& incident : context.store().incidents_of_solver(key.solver, key.device, key.library)) {
    if (incident.key.problem_class == key.problem_class) continue;
    const auto other = parse_problem(incident.key.problem);
    if (!other || other->direction != problem.direction || other->dtype != problem.dtype ||
        other->rank != problem.rank) {
      continue;
    }
    strikes[incident.key.problem_class] += incident.strikes;
  }
  return static_cast<int>(std::count_if(strikes.begin(), strikes.end(),
                                        [](const auto& entry) { return entry.second >= k_quarantine_strikes; }));
}

// What the caller brought along it would have run without us: it is spared what cannot be had for it.
void add_external_facts(const ExternalSolver& external, const DispatchContext& context, bool struck,
                        CandidateFacts& facts) {
  const Policy& policy = context.policy();
  const bool by_strategy = policy.strategy == Strategy::gemm || policy.strategy == Strategy::implicit_gemm;
  const bool by_rules = (policy.vendor_without & policy.allowed_elsewhere) != 0;
  if ((by_strategy || by_rules) && facts.tier == Tier::vendor)
    facts.refusal =
        fmt::format("cannot be told which algorithms to use{}{}", facts.note.empty() ? "" : ": ", facts.note);
  facts.trusted = external.stand_in() == nullptr;
  // One strike may have been a user's kill. Where no child can tell: another try here, behind its intent. Two are quarantine.
  const bool deadly = policy.faults.deadly(facts.solver);
  facts.suspect = deadly || (struck && !facts.trusted);
  facts.survivable = !deadly && (facts.trusted || context.on_host());
}

}  // namespace

CandidateFacts facts_of(DispatchContext& context, const Solver& solver, const FactsQuestion& question) {
  const Policy& policy = context.policy();
  CandidateFacts facts;
  facts.solver = solver.id();
  facts.tier = solver.tier(context.device());
  const auto* external = dynamic_cast<const ExternalSolver*>(&solver);
  const Fit fit = solver.fits(question.ordinary, context.device());
  facts.refusal = fit.refusal();
  facts.elsewhere = fit.is_elsewhere();
  if (std::find(question.struck_off.begin(), question.struck_off.end(), facts.solver) != question.struck_off.end()) {
    facts.refusal = "failed earlier in this process";
  }
  const DeviceRules& rules = context.rules();
  if (facts.refusal.empty()) facts.refusal = rules.refusal_of(facts.solver, facts.tier, question.problem);
  // A solver that is banned is banned in whatever calls it, too.
  const Solver* stand_in = external == nullptr ? nullptr : external->stand_in();
  if (stand_in != nullptr && facts.refusal.empty())
    facts.refusal = rules.refusal_of(stand_in->id(), facts.tier, question.problem);
  facts.first = rules.puts_first(facts.solver, facts.tier, question.problem);
  facts.note = rules.note_on(facts.solver, facts.tier, question.problem);
  if (external != nullptr && question.tensors.context == nullptr)
    facts.refusal = "computes calls of its own caller only";
  if (facts.tier == Tier::reference || !facts.refusal.empty()) return facts;
  const TrialKey key = context.key_of(solver, question.problem);
  for (const Incident& incident : context.store().incidents(key)) {
    const bool by_naive_alone = policy.strategy == Strategy::vendor;
    if (incident.verdict == Verdict::refused && facts.tier == Tier::vendor && !by_naive_alone && facts.refusal.empty())
      facts.refusal = "refused before: " + incident.reason;
    if (incident.strikes == 0) continue;
    if (facts.strikes == 0) facts.strike_reason = fmt::format("{}: {}", to_string(incident.verdict), incident.reason);
    facts.strikes += incident.strikes;
  }
  facts.quarantined_kin = quarantined_kin(context, key, question.problem);
  facts.passed_before = facts.strikes == 0 && context.store().passed_before(key);
  const auto anywhere = context.store().incidents_of_solver(key.solver, key.device, key.library);
  const bool struck =
      std::any_of(anywhere.begin(), anywhere.end(), [](const Incident& one) { return one.strikes > 0; });
  facts.suspect = struck || policy.faults.armed(solver.id());
  if (policy.find != FindMode::immediate) {
    if (const auto record = newest_record(context, question.problem, solver)) facts.measured_ms = record->time_ms;
  }
  if (external != nullptr) add_external_facts(*external, context, struck, facts);
  return facts;
}

}  // namespace convoy
