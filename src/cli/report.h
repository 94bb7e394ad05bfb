// What programs told about their convolutions, merged: the statistics that `convoy exec` collects and the JSON lines of
// `convoy run --json`. A row is one problem as one solver served it. Whatever is read here may come from anybody.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "dispatch/outcome.h"
#include "dispatch/statistics.h"

namespace convoy {

// The same thing may have happened in many processes.
struct ReportedAttempt {
  std::string solver;
  std::string tier;  // empty: not told
  Outcome outcome = Outcome::unfit;
  std::string reason;
  bool in_child = false;
  std::int64_t count = 1;
  double milliseconds = 0;  // of all of them
};

struct ReportedProblem {
  std::string problem;
  std::string device;  // empty: not told
  std::string solver;  // empty: nothing has served it
  Tier tier = Tier::reference;
  std::string detail;
  std::string failure;     // why nothing has, where that is known
  std::int64_t calls = 0;  // of `convoy run`: how often its input named the problem
  // Only `convoy run` measures single calls; other programs would have to be slowed down for it.
  double timed_ms = 0;
  std::int64_t timed_calls = 0;
  std::vector<ReportedAttempt> attempts;

  bool served() const { return !solver.empty(); }
  double attempts_ms() const;
};

struct Report {
  using Key = std::tuple<std::string, std::string, std::string, Tier>;  // problem, device, solver, tier

  std::int64_t processes = 0;
  std::map<Key, ReportedProblem> rows;
  std::int64_t skipped = 0;
  std::int64_t children_started = 0;
  std::int64_t kernels_compiled = 0, kernels_from_cache = 0;
  double compile_ms = 0;
  std::int64_t untuned = 0;

  void add(ReportedProblem row);
  void merge(Report&& other);
};

struct ReportTotals {
  std::int64_t problems = 0, calls = 0, failed = 0;
  std::array<std::int64_t, k_tiers> calls_per_tier{};
  std::array<std::int64_t, k_tiers> problems_per_tier{};
  std::array<double, k_tiers> ms_per_tier{};  // of single calls, times their calls
  struct Cause {
    std::int64_t count = 0;
    double milliseconds = 0;
  };
  std::int64_t fallbacks = 0;
  std::map<std::string, Cause> causes;              // "miopen timed_out"
  std::map<std::string, std::int64_t> quarantined;  // solver -> problems on which it was not tried
  double attempts_ms = 0;
  std::int64_t timed_calls = 0;
};
ReportTotals totals_of(const Report& report);

// By calls, then by what the first run cost. Pointers into the report.
std::vector<const ReportedProblem*> sorted_rows(const Report& report);

// A tier's name; "-" where nothing served.
std::string_view tier_name(const ReportedProblem& row);
// "miopen timed_out in a child (2.01 s), twice: why"; one line of printable text.
std::string attempt_text(const ReportedAttempt& attempt);
// True for what a reader wants to know of: a solver that fits and yet did not serve.
bool is_notable(const ReportedAttempt& attempt);

// Any of the three formats. Errors name line and place within the text, not the file.
Result<Report> read_report(const std::string& text);
// Keys as convoy_statistics_json() has them, and what only a merged report knows; read_report() takes it.
std::string report_as_json(const Report& report);
// Tables for `convoy report`.
std::string report_as_text(const Report& report);
// What `convoy exec` says at the end.
std::string report_as_summary(const Report& report);
// The lines that users of an older tool look for, which it printed only when the processor had to help: empty otherwise.
std::string cpu_fallbacks_as_text(const Report& report);
// One page that needs nothing else.
std::string report_as_html(const Report& report, const std::string& title);

}  // namespace convoy
