// Which candidates, in which order, and why not the others: a pure function from facts to an order. It runs once per new
// problem; no clock, no file, no device.
//
// Order is by tier (vendor, own, generic, cpu, reference), within a tier as solvers.inc has it. The reference is always
// there and always last. On the host device the vendor's library (oneDNN) is also the cpu tier: a strategy that excludes
// vendors moves it there instead of throwing it out. Vendor and own solvers that a search has measured on this problem stand in
// the order of their times.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dispatch/outcome.h"
#include "dispatch/policy.h"

namespace convoy {

// Two strikes on a problem class quarantine a solver there. When so many different problems of one kind (direction, type
// and rank) are quarantined, the solver is not tried on new ones of that kind either: each would cost the user a deadline.
inline constexpr int k_kin_limit = 3;

struct CandidateFacts {
  std::string solver;
  Tier tier = Tier::reference;
  std::string refusal;         // from Solver::fits; empty: it fits
  bool elsewhere = false;      // the refusal goes without saying: Fit::elsewhere()
  int strikes = 0;             // young ones, on this problem class
  std::string strike_reason;   // of the newest
  int quarantined_kin = 0;     // other problem classes of this kind in quarantine
  bool passed_before = false;  // exactly this problem, device and library
  bool suspect = false;        // an incident of this solver anywhere on this device, or an armed fault
  bool trusted = false;        // brought along by the caller, and no child can stand in for it
  bool survivable = false;     // brought along, too: where no child has anything to say of it, it may run here untried
  double measured_ms = 0;      // by an earlier search; 0: none
  std::string note;            // how device rules have changed its way; told when it serves
  bool first = false;          // a device rule puts it before all others, whatever was measured
};

struct Candidate {
  std::size_t fact = 0;  // index into the facts
  Tier tier = Tier::reference;
  AlgorithmSet allowed = k_all_algorithms;
  bool trial = false;    // try in a child first
  bool suspect = false;  // must not run here untried
};

struct Rejection {
  std::size_t fact = 0;
  Outcome outcome = Outcome::unfit;
  std::string reason;
};

struct Selection {
  std::vector<Candidate> order;
  std::vector<Rejection> rejected;
};

// Whether solvers of that tier are compared with those of others by their times.
constexpr bool competes(Tier tier) {
  return tier == Tier::vendor || tier == Tier::own;
}

// Why the strategy leaves a tier out; nothing when it does not.
std::optional<std::string> strategy_refusal(Tier tier, const Problem& problem, const Policy& policy);
// The algorithms that strategy and switches leave to a tier.
AlgorithmSet allowed_for(Tier tier, const Policy& policy);

// `on_host`: the device is the processor itself.
Selection select(const Problem& problem, std::span<const CandidateFacts> facts, const Policy& policy, bool on_host);

}  // namespace convoy
