// What ran where: counted per problem, summed on demand. The hot path adds one to an atomic, nothing more.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "device/program.h"
#include "dispatch/outcome.h"

namespace convoy {

inline constexpr std::size_t k_tiers = 5;

struct ProblemStatistics {
  std::string problem;
  std::string solver;  // that serves it now; empty before the first call
  Tier tier = Tier::reference;
  std::string detail;
  std::int64_t calls = 0;
  std::vector<Attempt> attempts;
};

struct Statistics {
  std::int64_t problems = 0;
  std::int64_t calls = 0;
  std::array<std::int64_t, k_tiers> calls_per_tier{};
  std::array<std::int64_t, k_tiers> problems_per_tier{};
  std::int64_t fallbacks = 0;                       // tries that went wrong
  std::map<std::string, std::int64_t> causes;       // "onednn timed_out" -> how often
  std::map<std::string, std::int64_t> quarantined;  // solver -> problems on which it was not tried
  int children_started = 0;
  ProgramLibrary::Counters kernels;  // of GPU devices
  std::int64_t untuned = 0;          // problems whose alternatives are not compiled: `convoy tune` would
  std::vector<ProblemStatistics> per_problem;
};

// Sums `per_problem` into the other counts.
Statistics sum_statistics(std::vector<ProblemStatistics> per_problem, int children_started);

}  // namespace convoy
