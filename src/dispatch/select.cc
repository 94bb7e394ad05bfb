// The selection rules; each "no" is one sentence.
#include "dispatch/select.h"

#include <algorithm>
#include <optional>

#include "store/store.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// "strategy cpu", and whose wish that is where it is not the user's.
std::string strategy_text(const Policy& policy, std::string_view name) {
  return policy.strategy_rule.empty() ? fmt::format("strategy {}", name)
                                      : fmt::format("strategy {} by rule {}", name, policy.strategy_rule);
}

std::int64_t largest_size(const Problem& problem) {
  return *std::max_element(problem.in.begin(), problem.in.begin() + problem.rank);
}

}  // namespace

std::optional<std::string> strategy_refusal(Tier tier, const Problem& problem, const Policy& policy) {
  switch (policy.strategy) {
    case Strategy::automatic:
    case Strategy::implicit_gemm:
    case Strategy::gemm: return std::nullopt;
    case Strategy::selective:
      if (tier == Tier::vendor && largest_size(problem) > policy.size_threshold) {
        return fmt::format("{}: size {} is above the threshold {}", strategy_text(policy, "selective"),
                           largest_size(problem), policy.size_threshold);
      }
      return std::nullopt;
    case Strategy::cpu:
      if (tier == Tier::cpu || tier == Tier::reference) return std::nullopt;
      return strategy_text(policy, "cpu");
    case Strategy::vendor:
      if (tier == Tier::own || tier == Tier::generic) return strategy_text(policy, "vendor");
      return std::nullopt;
  }
  return std::nullopt;
}

// The strategies gemm and implicit_gemm restrict the vendor only: own solvers are what they are.
AlgorithmSet allowed_for(Tier tier, const Policy& policy) {
  if (tier == Tier::reference) return k_all_algorithms;
  if (tier != Tier::vendor) return policy.allowed;
  const AlgorithmSet allowed = policy.allowed & ~policy.vendor_without;
  if (policy.strategy == Strategy::gemm) return allowed & static_cast<AlgorithmSet>(Algorithm::gemm);
  if (policy.strategy == Strategy::implicit_gemm) return allowed & static_cast<AlgorithmSet>(Algorithm::implicit_gemm);
  return allowed;
}

namespace {

// A GPU vendor's library: it may hang the card. What the caller brought along it would have called without us.
bool is_foreign(const CandidateFacts& facts, Tier tier, bool on_host) {
  return tier == Tier::vendor && !on_host && !facts.trusted;
}

bool needs_trial(const CandidateFacts& facts, Tier tier, const Policy& policy, bool on_host) {
  if (tier == Tier::reference || facts.passed_before || policy.trial == TrialMode::never) return false;
  if (policy.trial == TrialMode::always) return true;
  return facts.suspect || is_foreign(facts, tier, on_host);
}

std::optional<Rejection> reject(std::size_t index, const CandidateFacts& facts, const Policy& policy) {
  if (!facts.refusal.empty()) return Rejection{index, Outcome::unfit, facts.refusal};
  if (facts.tier == Tier::reference) return std::nullopt;
  if (!policy.only_solver.empty() && policy.only_solver != facts.solver) {
    return Rejection{index, Outcome::unfit, fmt::format("MIOPEN_DEBUG_FIND_ONLY_SOLVER is {}", policy.only_solver)};
  }
  if (facts.strikes >= k_quarantine_strikes) return Rejection{index, Outcome::quarantined, facts.strike_reason};
  if (facts.quarantined_kin >= k_kin_limit && !facts.passed_before) {
    return Rejection{index, Outcome::quarantined,
                     fmt::format("in quarantine on {} other problems of this kind", facts.quarantined_kin)};
  }
  return std::nullopt;
}

// Among themselves; the places of the others stay.
void sort_measured(std::span<const CandidateFacts> facts, std::vector<Candidate>& order) {
  std::vector<std::size_t> places;
  std::vector<Candidate> measured;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!competes(order[i].tier) || facts[order[i].fact].measured_ms <= 0) continue;
    places.push_back(i);
    measured.push_back(order[i]);
  }
  std::stable_sort(measured.begin(), measured.end(), [facts](const Candidate& a, const Candidate& b) {
    return facts[a.fact].measured_ms < facts[b.fact].measured_ms;
  });
  for (std::size_t i = 0; i < places.size(); ++i) order[places[i]] = measured[i];
}

}  // namespace

Selection select(const Problem& problem, std::span<const CandidateFacts> facts, const Policy& policy, bool on_host) {
  Selection selection;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (auto rejection = reject(i, facts[i], policy)) {
      selection.rejected.push_back(std::move(*rejection));
      continue;
    }
    Tier tier = facts[i].tier;
    auto refusal = strategy_refusal(tier, problem, policy);
    if (refusal && on_host && tier == Tier::vendor) {
      tier = Tier::cpu;
      refusal.reset();
    }
    // As the vendor that it is, whatever tier it stands in for: so does its name in the ledger.
    const AlgorithmSet allowed = allowed_for(facts[i].tier, policy);
    if (!refusal && allowed == 0) refusal = "every algorithm is switched off";
    if (refusal) {
      selection.rejected.push_back({i, Outcome::unfit, std::move(*refusal)});
      continue;
    }
    const bool trial = needs_trial(facts[i], tier, policy, on_host);
    // Where no child can try what may hang the card, it is not tried at all.
    const bool suspect = (facts[i].suspect || (trial && is_foreign(facts[i], tier, on_host))) && !facts[i].survivable;
    selection.order.push_back({i, tier, allowed, trial, suspect});
  }
  std::stable_sort(selection.order.begin(), selection.order.end(),
                   [](const Candidate& a, const Candidate& b) { return a.tier < b.tier; });
  sort_measured(facts, selection.order);
  std::stable_partition(selection.order.begin(), selection.order.end(),
                        [facts](const Candidate& one) { return facts[one.fact].first; });
  return selection;
}

}  // namespace convoy
