// Reports as tables for terminals. Every text of a file passes printable(): it may hold what drives a terminal.
#include <algorithm>

#include <fmt/format.h>

#include "base/counted.h"
#include "cli/report.h"
#include "cli/time_text.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Cells = std::vector<std::string>;

constexpr std::size_t k_shown = 20;  // problems in a summary

// Rows under headings; columns align to the right but for the last, which may be as long as it likes.
std::string table(const Cells& headings, const std::vector<Cells>& rows) {
  std::vector<std::size_t> widths(headings.size());
  const auto widen = [&](const Cells& cells) {
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  };
  widen(headings);
  std::ranges::for_each(rows, widen);
  std::string text;
  const auto add = [&](const Cells& cells) {
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) text += fmt::format("  {:>{}}", cells[i], widths[i]);
    text += "  " + cells.back() + '\n';
  };
  add(headings);
  std::ranges::for_each(rows, add);
  return text;
}

std::string dash_or_time(double milliseconds) {
  return milliseconds > 0 ? time_text(milliseconds) : "-";
}

// One row a problem, and under it why others did not serve it.
std::string problem_table(const std::vector<const ReportedProblem*>& rows, bool timed, bool devices) {
  Cells headings{"calls", "tier", "solver", "first run"};
  if (timed) headings.insert(headings.begin() + 1, "one call");
  if (devices) headings.emplace_back("device");
  headings.emplace_back("problem");
  std::vector<Cells> cells;
  for (const ReportedProblem* row : rows) {
    Cells line{std::to_string(row->calls), std::string(tier_name(*row)), row->served() ? printable(row->solver) : "-",
               dash_or_time(row->attempts_ms())};
    const double one = row->timed_calls > 0 ? row->timed_ms / static_cast<double>(row->timed_calls) : 0;
    if (timed) line.insert(line.begin() + 1, dash_or_time(one));
    if (devices) line.push_back(printable(row->device));
    std::string last = printable(row->problem);
    if (!row->failure.empty()) last += "\n      failed: " + printable(row->failure);
    for (const ReportedAttempt& attempt : row->attempts) {
      if (is_notable(attempt)) last += "\n      " + attempt_text(attempt);
    }
    line.push_back(std::move(last));
    cells.push_back(std::move(line));
  }
  return table(headings, cells);
}

std::string tier_list(const ReportTotals& totals) {
  std::string text;
  for (std::size_t i = 0; i < k_tiers; ++i) {
    if (totals.calls_per_tier[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(static_cast<Tier>(i)), totals.calls_per_tier[i]);
  }
  return text;
}

// The words of `convoy run`'s summary.
std::string counter_lines(const Report& report, const ReportTotals& totals) {
  std::string text;
  for (const auto& [name, cause] : totals.causes) {
    text += fmt::format("fallback: {}, {}", printable(name), counted(cause.count, "time"));
    text += cause.milliseconds > 0 ? ", " + time_text(cause.milliseconds) + " lost\n" : "\n";
  }
  for (const auto& [solver, count] : totals.quarantined) {
    text += fmt::format("in quarantine: {}, not tried on {} (convoy db show)\n", printable(solver),
                        counted(count, "problem"));
  }
  if (report.children_started > 0) text += fmt::format("trial processes started: {}\n", report.children_started);
  if (report.kernels_compiled + report.kernels_from_cache > 0) {
    text += fmt::format("kernels: {} compiled in {}, {} from the cache\n", report.kernels_compiled,
                        report.compile_ms > 0 ? time_text(report.compile_ms) : "a time that is not told",
                        report.kernels_from_cache);
  }
  if (report.untuned > 0) {
    text += fmt::format("untuned: {}; `convoy tune` compiles and measures what may be faster\n",
                        counted(report.untuned, "problem"));
  }
  return text;
}

std::string tier_table(const ReportTotals& totals) {
  std::vector<Cells> rows;
  for (std::size_t i = 0; i < k_tiers; ++i) {
    if (totals.problems_per_tier[i] == 0) continue;
    const double share = 100.0 * static_cast<double>(totals.calls_per_tier[i]) /
                         static_cast<double>(std::max<std::int64_t>(totals.calls, 1));
    rows.push_back({std::to_string(totals.calls_per_tier[i]), fmt::format("{:.1f} %", share),
                    std::to_string(totals.problems_per_tier[i]), dash_or_time(totals.ms_per_tier[i]),
                    std::string(to_string(static_cast<Tier>(i)))});
  }
  return table({"calls", "share", "problems", "time", "tier"}, rows);
}

// What the first runs cost, dearest first: each attempt that took time.
std::string first_run_table(const Report& report) {
  struct Cost {
    const ReportedAttempt* attempt;
    const ReportedProblem* row;
  };
  std::vector<Cost> costs;
  for (const auto& [key, row] : report.rows) {
    for (const ReportedAttempt& attempt : row.attempts) {
      if (attempt.milliseconds > 0) costs.push_back({&attempt, &row});
    }
  }
  std::ranges::stable_sort(
      costs, [](const Cost& a, const Cost& b) { return a.attempt->milliseconds > b.attempt->milliseconds; });
  std::vector<Cells> rows;
  rows.reserve(costs.size());
  for (const auto& [attempt, row] : costs) {
    rows.push_back({time_text(attempt->milliseconds), std::to_string(attempt->count), printable(attempt->solver),
                    fmt::format("{}{}", to_string(attempt->outcome), attempt->in_child ? " in a child" : ""),
                    printable(row->problem)});
  }
  return table({"time", "times", "solver", "outcome", "problem"}, rows);
}

}  // namespace

std::string report_as_summary(const Report& report) {
  const ReportTotals totals = totals_of(report);
  std::vector<const ReportedProblem*> rows = sorted_rows(report);
  const std::string tiers = tier_list(totals);
  std::string text = fmt::format("convoy: {} computed convolutions; {}, {}{}{}{}\n",
                                 report.processes == 1 ? "1 process" : fmt::format("{} processes", report.processes),
                                 counted(totals.problems, "problem"), counted(totals.calls, "call"),
                                 tiers.empty() ? "" : " (", tiers, tiers.empty() ? "" : ")");
  if (rows.empty()) return text;
  const std::size_t hidden = rows.size() > k_shown ? rows.size() - k_shown : 0;
  rows.resize(rows.size() - hidden);
  text += problem_table(rows, false, false);
  if (hidden > 0) text += fmt::format("  and {} more (--report FILE writes all)\n", hidden);
  return text + counter_lines(report, totals);
}

std::string cpu_fallbacks_as_text(const Report& report) {
  std::int64_t successes = 0, failures = 0;
  std::string lines;
  std::size_t shown = 0;
  for (const ReportedProblem* row : sorted_rows(report)) {
    for (const ReportedAttempt& attempt : row->attempts) {
      const bool on_cpu = attempt.tier == to_string(Tier::cpu) || attempt.tier == to_string(Tier::reference);
      if (on_cpu && is_failure(attempt.outcome)) failures += attempt.count;
    }
    if (!row->served() || row->calls == 0 || (row->tier != Tier::cpu && row->tier != Tier::reference)) continue;
    successes += row->calls;
    if (++shown > k_shown) continue;
    lines += fmt::format("[MIOpen Fallback] Using CPU computation as last resort: {}, {}\n", printable(row->problem),
                         counted(row->calls, "time"));
  }
  if (successes + failures == 0) return {};
  return fmt::format("=== MIOpen Fallback Statistics ===\nCPU fallback attempts: {}, successes: {}\n{}{:=<35}\n",
                     successes + failures, successes, lines, "");
}

std::string report_as_text(const Report& report) {
  const ReportTotals totals = totals_of(report);
  const bool devices = std::ranges::any_of(report.rows, [](const auto& row) { return !row.second.device.empty(); });
  std::string text = fmt::format("{}, {}, {}{}{}\n",
                                 report.processes == 1 ? "1 process" : fmt::format("{} processes", report.processes),
                                 counted(totals.problems, "problem"), counted(totals.calls, "call"),
                                 totals.failed > 0 ? fmt::format(", {} failed", totals.failed) : "",
                                 report.skipped > 0 ? fmt::format(", {} skipped", report.skipped) : "");
  if (report.rows.empty()) return text;
  text += "\nPer tier\n" + tier_table(totals);
  text += "\nPer problem\n" + problem_table(sorted_rows(report), totals.timed_calls > 0, devices);
  text += "\nFallbacks and what it took\n";
  const std::string counters = counter_lines(report, totals);
  text += counters.empty() ? "  none\n" : counters;
  if (totals.attempts_ms > 0) {
    text += fmt::format("\nFirst runs: {} in all\n", time_text(totals.attempts_ms)) + first_run_table(report);
  }
  return text;
}

}  // namespace convoy
