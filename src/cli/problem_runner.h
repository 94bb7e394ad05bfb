// Problems on random tensors through one dispatcher, one after the other: what `convoy run`, `convoy tune` and the self test of
// `convoy doctor` share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/run_report.h"
#include "dispatch/dispatcher.h"
#include "solvers/numbers.h"

namespace convoy {

struct ProblemLimits {
  double max_gflop = 0;        // 0: none
  std::int64_t max_bytes = 0;  // 0: none

  // Why a problem is left out; nothing when it is not.
  std::optional<std::string> refusal(const Problem& problem) const;
};

struct RunnerOptions {
  ProblemLimits limits;
  std::uint64_t seed = 17;
  // Compares every number of the last run with the reference, whatever the setting verify lets the first run do.
  bool check_every_number = false;
};

class ProblemRunner {
 public:
  ProblemRunner(Dispatcher& dispatcher, const RunnerOptions& options) : dispatcher_(dispatcher), options_(options) {}

  // Never fails: what went wrong is in the report, which keeps a pointer to `input`.
  ProblemReport run(const SourcedProblem& input);

 private:
  Result<void> allocate(const Problem& problem);
  Result<void> time(Convolution& convolution, ProblemReport& report) const;
  Result<NumbersCheck> check_next_run(Convolution& convolution) const;

  Dispatcher& dispatcher_;
  RunnerOptions options_;
  RandomTensors random_;
};

// Compares every number that `problem` left in `tensors`, which are a device's, with the reference. An Error where there is
// no memory for it.
Result<NumbersCheck> check_every_number(const Problem& problem, Device& device, const Tensors& tensors);

// What became of a convolution after its first run, successful or not: who served and how, what was tried before.
void describe(const Convolution::Report& outcome, bool completed, ProblemReport& report);

// For programs that show this run's errors, whatever the ledger remembers, and that serve their own trials.
void use_own_trials(Policy& policy);

// "device hip:0 (AMD Radeon RX 5600 XT, gfx1010, driver ..., MIOpen 2.19)".
std::string device_line(const DispatchContext& context);

}  // namespace convoy
