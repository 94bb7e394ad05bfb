// Trials of suspects in a child process: what is asked (a JSON object on one line), and both ends of the asking. The child
// runs the very plan on random tensors of the very problem and checks the numbers; only when its tensors would not fit into
// memory beside the caller's is the batch cut.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/dynlib.h"
#include "base/result.h"
#include "dispatch/policy.h"
#include "guard/probe_worker.h"
#include "solvers/solver.h"

namespace convoy {

struct TrialRequest {
  std::string device;   // name for open_device()
  std::string problem;  // canonical, as the user has it (transposed stays transposed)
  std::string solver;
  std::string name;  // under which faults know it; empty: the solver's own
  AlgorithmSet allowed = k_all_algorithms;
  std::string params;
  std::int64_t workspace_limit = 0;
  bool naive = false;
  bool deterministic = false;
  int threads = 0;
  LibraryFiles libraries;  // the files that the parent has opened: the child takes the same
  std::string faults;
  std::uint64_t seed = 0;

  std::string to_line() const;
};
Result<TrialRequest> parse_trial_request(std::string_view line);

// What the child measured: the detail of its verdict.
struct TrialDetail {
  double error = 0;
  double tolerance = 0;
  std::string reason;
  bool lasting = false;  // a refusal that would be the same tomorrow
};
std::string to_line(const TrialDetail& detail);
TrialDetail parse_trial_detail(std::string_view line);

// How long each phase of a trial may take: two seconds, and what the work would take on a slow machine (2 GFLOP/s, 0.2 GB/s).
std::chrono::milliseconds trial_deadline(const Problem& problem, const Policy& policy);
// The same for a trial of a solver of that tier: a GPU vendor's library may compile for a minute before it runs.
Patience trial_patience(const Problem& problem, const Policy& policy, Tier tier);

// The program to start: `policy.probe`, else convoy beside or in ../bin from the library's own folder. An Error names what
// was looked for. PATH is never searched.
Result<std::string> probe_program(const Policy& policy);

// The child's main loop, behind the hidden command `convoy probe`. Returns the exit status.
int run_probe();

}  // namespace convoy
