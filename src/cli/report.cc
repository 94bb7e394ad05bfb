// Merging and counting of reports.
#include "cli/report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/counted.h"
#include "cli/time_text.h"
#include "problem/printable.h"

namespace convoy {
namespace {

// Files may say anything; sums of what they say stay where they are.
void add_to(std::int64_t& sum, std::int64_t more) {
  if (__builtin_add_overflow(sum, more, &sum)) sum = std::numeric_limits<std::int64_t>::max();
}

void add_to(double& sum, double more) {
  sum = std::min(sum + more, std::numeric_limits<double>::max());
}

bool same(const ReportedAttempt& a, const ReportedAttempt& b) {
  return a.solver == b.solver && a.outcome == b.outcome && a.in_child == b.in_child && a.reason == b.reason &&
         a.tier == b.tier;
}

void add_attempt(std::vector<ReportedAttempt>& attempts, ReportedAttempt attempt) {
  const auto known = std::ranges::find_if(attempts, [&](const auto& one) { return same(one, attempt); });
  if (known == attempts.end()) {
    attempts.push_back(std::move(attempt));
  } else {
    add_to(known->count, attempt.count);
    add_to(known->milliseconds, attempt.milliseconds);
  }
}

}  // namespace

double ReportedProblem::attempts_ms() const {
  double sum = 0;
  for (const ReportedAttempt& attempt : attempts) add_to(sum, attempt.milliseconds);
  return sum;
}

void Report::add(ReportedProblem row) {
  const auto [place, is_new] = rows.try_emplace(Key{row.problem, row.device, row.solver, row.tier});
  ReportedProblem& into = place->second;
  if (is_new) {
    into.problem = row.problem;
    into.device = row.device;
    into.solver = row.solver;
    into.tier = row.tier;
  }
  if (!row.detail.empty()) into.detail = std::move(row.detail);
  if (!row.failure.empty()) into.failure = std::move(row.failure);
  add_to(into.calls, row.calls);
  add_to(into.timed_ms, row.timed_ms);
  add_to(into.timed_calls, row.timed_calls);
  for (ReportedAttempt& attempt : row.attempts) add_attempt(into.attempts, std::move(attempt));
}

void Report::merge(Report&& other) {
  add_to(processes, other.processes);
  add_to(skipped, other.skipped);
  add_to(children_started, other.children_started);
  add_to(kernels_compiled, other.kernels_compiled);
  add_to(kernels_from_cache, other.kernels_from_cache);
  add_to(compile_ms, other.compile_ms);
  untuned = std::max(untuned, other.untuned);  // the same problems, mostly
  for (auto& [key, row] : other.rows) add(std::move(row));
}

ReportTotals totals_of(const Report& report) {
  ReportTotals totals;
  std::set<std::string_view> problems;
  for (const auto& [key, row] : report.rows) {
    problems.insert(row.problem);
    if (row.served()) {
      const auto tier = static_cast<std::size_t>(row.tier);
      add_to(totals.calls, row.calls);
      add_to(totals.calls_per_tier[tier], row.calls);
      ++totals.problems_per_tier[tier];
      add_to(totals.ms_per_tier[tier], row.timed_ms);
      add_to(totals.timed_calls, row.timed_calls);
    } else if (!row.failure.empty()) {
      ++totals.failed;
    }
    for (const ReportedAttempt& attempt : row.attempts) {
      add_to(totals.attempts_ms, attempt.milliseconds);
      if (attempt.outcome == Outcome::quarantined) ++totals.quarantined[attempt.solver];
      if (!is_failure(attempt.outcome)) continue;
      add_to(totals.fallbacks, attempt.count);
      ReportTotals::Cause& cause = totals.causes[fmt::format("{} {}", attempt.solver, to_string(attempt.outcome))];
      add_to(cause.count, attempt.count);
      add_to(cause.milliseconds, attempt.milliseconds);
    }
  }
  totals.problems = static_cast<std::int64_t>(problems.size());
  return totals;
}

std::vector<const ReportedProblem*> sorted_rows(const Report& report) {
  std::vector<const ReportedProblem*> rows;
  for (const auto& [key, row] : report.rows) rows.push_back(&row);
  std::ranges::stable_sort(rows, [](const ReportedProblem* a, const ReportedProblem* b) {
    return std::tuple(a->calls, a->attempts_ms()) > std::tuple(b->calls, b->attempts_ms());
  });
  return rows;
}

std::string_view tier_name(const ReportedProblem& row) {
  return row.served() ? to_string(row.tier) : "-";
}

bool is_notable(const ReportedAttempt& attempt) {
  return attempt.outcome != Outcome::passed && attempt.outcome != Outcome::unfit;
}

std::string attempt_text(const ReportedAttempt& attempt) {
  std::string text = fmt::format("{} {}", printable(attempt.solver), to_string(attempt.outcome));
  if (attempt.in_child) text += " in a child";
  if (attempt.milliseconds > 0) text += fmt::format(" ({})", time_text(attempt.milliseconds));
  if (attempt.count > 1) text += ", " + counted(attempt.count, "time");
  if (!attempt.reason.empty()) text += ": " + printable(attempt.reason);
  return text;
}

}  // namespace convoy
