// What the user asked for, as one value: settings and MIOpen's variables boiled down to what select, ladder and find read.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "dispatch/fault.h"
#include "solvers/solver.h"

namespace convoy {

enum class Strategy {
  automatic,      // vendor, own kernels, generic, CPU, reference
  implicit_gemm,  // of the vendor's algorithms only implicit GEMM; everything else as automatic
  gemm,           // of the vendor's algorithms only GEMM; everything else as automatic
  selective,      // the vendor up to size_threshold, everything but the vendor above
  cpu,            // no GPU kernel at all
  vendor,         // no own kernels; CPU and reference stay as the net below
};
// dynamic_hybrid, MIOpen's default: alternatives are compared as far as nothing has to be compiled for it.
enum class FindMode { find, dynamic_hybrid, immediate };
enum class VerifyMode { off, sample, full };
enum class TrialMode { automatic, always, never };

struct Policy {
  Strategy strategy = Strategy::automatic;
  std::string strategy_rule;        // the device rule that chose it; empty: the user or nobody did
  AlgorithmSet vendor_without = 0;  // that device rules forbid the vendor's library
  std::int64_t size_threshold = 42;
  FindMode find = FindMode::dynamic_hybrid;
  bool use_find_records = true;   // of earlier processes
  bool keep_find_records = true;  // for later ones
  VerifyMode verify = VerifyMode::sample;
  bool verify_again = false;  // also what the ledger says has passed: the command line shows errors of this run
  TrialMode trial = TrialMode::automatic;
  std::chrono::milliseconds deadline{0};  // of one trial; 0: from the problem's arithmetic
  AlgorithmSet allowed = k_all_algorithms;
  // What switches in the environment leave, which others in this process who call MIOpen obey, too.
  AlgorithmSet allowed_elsewhere = k_all_algorithms;
  std::string only_solver;    // MIOPEN_DEBUG_FIND_ONLY_SOLVER when it names one of ours; the reference stays
  bool log_commands = false;  // MIOPEN_ENABLE_LOGGING_CMD: each new problem as a MIOpenDriver line
  FaultPlan faults;
  bool deterministic = false;
  int threads = 0;
  std::int64_t memory_limit = 0;     // bytes; 0: 80 % of what the device has available
  std::int64_t workspace_limit = 0;  // bytes; 0: what memory_limit leaves beside the tensors
  std::string probe;                 // program started for trials; empty: found beside the library
  bool disabled = false;             // first candidate only: no trials, no find, no checks, no store
};

std::vector<std::string> strategy_names();
Strategy strategy_named(std::string_view name);  // automatic for names that are none

// An Error names the setting that cannot be used (a malformed fault, say).
Result<Policy> policy_from(const Settings& settings);

}  // namespace convoy
