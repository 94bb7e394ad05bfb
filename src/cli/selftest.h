// The owner's check of `convoy doctor`: classes of convolutions, run as programs run them, through the engine, on one device: vendors'
// libraries and suspects are tried in a child first. Every number that is served is compared with the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "cli/finding.h"
#include "cli/interrupt.h"
#include "cli/run_report.h"
#include "cli/selftest_cases.h"
#include "dispatch/dispatcher.h"

namespace convoy {

// A solver that applied, or was asked, and did not serve: whose, what became of it, why.
struct PassedOver {
  std::string solver;
  Tier tier = Tier::reference;
  Outcome outcome = Outcome::unfit;
  std::string reason;
  std::int64_t cases = 0;
  std::string example;  // the first problem

  bool vendor() const { return tier == Tier::vendor; }
};

// Counts `more` with those of the same solver, outcome and reason; reasons may differ in numbers.
void merge_into(std::vector<PassedOver>& all, const PassedOver& more);

struct SelftestFailure {
  std::string problem;
  std::string reason;
};

struct SelftestClassResult {
  std::string name;
  std::string meaning;
  std::int64_t cases = 0;  // planned; fewer may be done
  std::int64_t passed = 0, failed = 0, left_out = 0;
  std::map<std::pair<Tier, std::string>, std::int64_t> served;
  std::string slowest;
  double slowest_ms = 0;
  std::string worst;  // by error in parts of the tolerance
  double worst_error = 0, worst_tolerance = 0;
  std::vector<PassedOver> passed_over;    // the first kinds
  std::vector<SelftestFailure> failures;  // the first ones

  std::int64_t done() const { return passed + failed + left_out; }
  void add(const ProblemReport& report);
};

struct SelftestReport {
  std::string device;  // "hip:0"
  std::string device_option;
  std::string device_line;  // with model, architecture and libraries
  bool gpu = false;         // a real one
  bool simulated = false;
  SelftestExtent extent = SelftestExtent::full;
  std::uint64_t seed = 0;
  std::string fault;  // that was armed
  double seconds = 0;
  bool interrupted = false;
  std::string stuck;                // the problem that did not come back in this process
  std::vector<std::string> absent;  // why backends offer no GPU
  std::vector<SelftestClassResult> classes;
};

struct SelftestOptions {
  std::string device = "auto";
  SelftestExtent extent = SelftestExtent::full;
  std::vector<std::string> only;  // classes; empty: all
  std::uint64_t seed = 17;
};

// An Error names the setting, the device or the class that is wrong. Shows progress on standard error where that is a terminal.
// Ends after the current case once `interrupt` asks. `on_stuck` gets what is known when a case does not come back in this process,
// where nothing can stop it: it should tell and end the program.
Result<SelftestReport> run_selftest(const Settings& settings, const SelftestOptions& options, InterruptWatch& interrupt,
                                    const std::function<void(const SelftestReport&)>& on_stuck);

// How a case is run: `work` computes and checks it. False: stop.
using RunCase = std::function<bool(const SourcedProblem& problem, const std::function<ProblemReport()>& work)>;
// Two steps of a stack, with the weights changed between them: forward, then backward weights and data from the last layer to the
// first, on tensors that go from layer to layer. Ends early where a layer fails: what follows would compute with its garbage.
void run_training_stack(Dispatcher& dispatcher, const TrainingStack& stack, std::uint64_t seed,
                        const RunCase& run_case);
inline constexpr int k_training_steps = 2;

// One finding for each class in which something went wrong, and what else is to be known.
std::vector<Finding> findings_of(const SelftestReport& report);
// A table and what follows from it, for people.
std::string selftest_as_text(const SelftestReport& report);

}  // namespace convoy
