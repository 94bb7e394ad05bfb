// What the self test says: findings in doctor's form, and a table.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/counted.h"
#include "cli/selftest.h"
#include "cli/time_text.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Cells = std::vector<std::string>;

// As printable(), without its limit: a reason may be a compiler's.
std::string one_line(const std::string& text) {
  constexpr std::size_t k_longest = 400;
  std::string line = text.substr(0, k_longest);
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c > '~'; }, ' ');
  return line;
}

// What shows it again: on the same device, with the same fault.
std::string explain(const SelftestReport& report, const std::string& problem) {
  const bool chosen = !report.device_option.empty() && report.device_option != "auto";
  return fmt::format("convoy run --explain{}{} {}", chosen ? " --device " + report.device_option : "",
                     report.fault.empty() ? "" : fmt::format(" --fault '{}'", report.fault), problem);
}

void add_failure(const SelftestReport& report, const SelftestClassResult& row, std::vector<Finding>& findings) {
  if (row.failed == 0) return;
  const SelftestFailure& first = row.failures.front();
  findings.push_back(
      {"selftest." + row.name, Severity::broken,
       fmt::format("{} of {} of the self test's class {} ({}) did not come to right numbers on {}: {}", row.failed,
                   counted(row.done(), "case"), row.name, row.meaning, report.device, one_line(first.reason)),
       first.problem, explain(report, first.problem), ""});
}

// What failed and was replaced, all solvers of a class in one finding.
void add_replaced(const SelftestReport& report, const SelftestClassResult& row, std::vector<Finding>& findings) {
  std::string text;
  const PassedOver* first = nullptr;
  for (const PassedOver& one : row.passed_over) {
    if (!is_failure(one.outcome) && one.outcome != Outcome::quarantined) continue;
    text += fmt::format("{}{} {} {} in {}", text.empty() ? "" : ", ",
                        one.vendor() ? "the vendor's library" : to_string(one.tier), one.solver, to_string(one.outcome),
                        counted(one.cases, "case"));
    if (first == nullptr) first = &one;
  }
  if (first == nullptr) return;
  findings.push_back({"selftest." + row.name, Severity::warning,
                      fmt::format("In the self test's class {} ({}) on {}: {}. Others did that work. First reason: {}",
                                  row.name, row.meaning, report.device, text, one_line(first->reason)),
                      first->example, explain(report, first->example), ""});
}

void add_device(const SelftestReport& report, std::vector<Finding>& findings) {
  if (report.gpu) return;
  if (report.simulated) {
    findings.push_back({"selftest.simulated", Severity::note,
                        "No GPU was tested: the self test ran on a simulated one, which says nothing about cards here.",
                        report.device, "", ""});
    return;
  }
  std::string why;
  for (const std::string& reason : report.absent) why += (why.empty() ? " " : "; ") + one_line(reason);
  findings.push_back({"selftest.no_gpu", Severity::note,
                      fmt::format("No GPU was tested: the self test ran on the processor.{}", why), report.device,
                      "convoy devices tells which devices can be used, and why others cannot", ""});
}

Cells row_of(const SelftestClassResult& row) {
  std::string served;
  for (const auto& [who, count] : row.served)
    served += fmt::format("{}{} {} {}", served.empty() ? "" : ", ", to_string(who.first), who.second, count);
  return {row.name,
          std::to_string(row.cases),
          std::to_string(row.passed),
          served.empty() ? "-" : served,
          row.slowest.empty() ? "-" : time_text(row.slowest_ms),
          row.worst.empty() ? "-" : fmt::format("{:.1e} / {:.1e}", row.worst_error, row.worst_tolerance)};
}

std::string table_of(const SelftestReport& report) {
  std::vector<Cells> rows{
      {"class", "cases", "right", "served by (tier, solver, cases)", "slowest", "worst / allowed error"}};
  std::ranges::transform(report.classes, std::back_inserter(rows), row_of);
  std::vector<std::size_t> widths(rows.front().size());
  for (const Cells& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text;
  for (const Cells& cells : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < cells.size(); ++i) line += fmt::format("{:<{}}  ", cells[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

// The same reason in several classes is one line.
std::string passed_over_text(const SelftestReport& report) {
  std::vector<PassedOver> all;
  for (const SelftestClassResult& row : report.classes) {
    for (const PassedOver& one : row.passed_over) merge_into(all, one);
  }
  std::string text;
  for (const PassedOver& one : all) {
    text += fmt::format("  passed over: {} ({}) {} in {}{}{}, as {}\n", one.solver, to_string(one.tier),
                        to_string(one.outcome), counted(one.cases, "case"), one.reason.empty() ? "" : ": ",
                        one_line(one.reason), one.example);
  }
  if (std::ranges::any_of(all, &PassedOver::vendor)) return text;
  const bool served = std::ranges::any_of(report.classes, [](const SelftestClassResult& row) {
    return std::ranges::any_of(row.served, [](const auto& one) { return one.first.first == Tier::vendor; });
  });
  return text + (served ? "  The vendor's library was passed over nowhere.\n"
                        : "  Convoy knows no vendor's library for this device.\n");
}

}  // namespace

std::vector<Finding> findings_of(const SelftestReport& report) {
  std::vector<Finding> findings;
  if (!report.stuck.empty()) {
    findings.push_back(
        {"selftest.stuck", Severity::broken,
         "A case of the self test did not come back, in this process, where nothing can stop it. The test ended there.",
         report.stuck, "convoy doctor --selftest goes on without what hung: it is remembered", ""});
  }
  for (const SelftestClassResult& row : report.classes) {
    add_failure(report, row, findings);
    add_replaced(report, row, findings);
  }
  if (report.interrupted) {
    findings.push_back({"selftest.interrupted", Severity::warning, "The self test was interrupted.", "",
                        "run it again; --quick takes some seconds", ""});
  }
  add_device(report, findings);
  return findings;
}

std::string selftest_as_text(const SelftestReport& report) {
  std::string text = fmt::format("Self test{}, {}\n", report.extent == SelftestExtent::quick ? " (quick)" : "",
                                 one_line(report.device_line));
  text += table_of(report) + passed_over_text(report);
  std::int64_t passed = 0, cases = 0, left_out = 0;
  for (const SelftestClassResult& row : report.classes) {
    passed += row.passed;
    cases += row.cases;
    left_out += row.left_out;
  }
  text += fmt::format("  {} of {} right in {:.1f} s, seed {}{}{}{}\n", passed, counted(cases, "case"), report.seconds,
                      report.seed, left_out > 0 ? fmt::format(", {} too large to simulate", left_out) : "",
                      report.fault.empty() ? "" : ", with the fault " + one_line(report.fault),
                      report.interrupted || !report.stuck.empty() ? ", ended early" : "");
  return text;
}

}  // namespace convoy
