// Reports as one HTML page that needs nothing else. Everything that a file said passes escaped(), and the page forbids itself
// to load anything.
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/counted.h"
#include "cli/report.h"
#include "cli/time_text.h"
#include "report_texts.h"

namespace convoy {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += (c >= 0 && c < ' ') || c == '\x7f' ? "\uFFFD" : std::string(1, c);
    }
  }
  return result;
}

double percent(double part, double whole) {
  return whole > 0 ? std::min(100 * (part / whole), 100.0) : 0;
}

std::string bar_piece(std::string_view colour, double width, const std::string& title) {
  if (width <= 0) return {};
  return fmt::format("<i class=\"{}\" style=\"width:{:.3f}%\" title=\"{}\"></i>", colour, width, escaped(title));
}

std::string bar_cell(double value, const std::string& pieces) {
  return fmt::format("<td class=bar data-value={:.6g}><span class=track>{}</span></td>", value, pieces);
}

std::string number_cell(double value, const std::string& text) {
  return fmt::format("<td class=number data-value={:.17g}>{}</td>", value, text);
}

std::string time_cell(double milliseconds) {
  return number_cell(milliseconds, milliseconds > 0 ? time_text(milliseconds) : "");
}

std::string count_cell(std::int64_t count) {
  return number_cell(static_cast<double>(count), std::to_string(count));
}

// "number:calls" is a column of numbers called calls.
std::string table_head(std::initializer_list<std::string_view> columns) {
  std::string text = "<div class=wide><table><thead><tr>";
  for (const std::string_view column : columns) {
    const auto colon = column.find(':');
    text += colon == std::string_view::npos
                ? fmt::format("<th>{}</th>", column)
                : fmt::format("<th class={}>{}</th>", column.substr(0, colon), column.substr(colon + 1));
  }
  return text + "</tr></thead><tbody>\n";
}

constexpr std::string_view k_table_end = "</tbody></table></div>\n";

std::string tier_cell(const ReportedProblem& row) {
  if (!row.served()) return "<td>none</td>";
  return fmt::format("<td><span class=\"tier {0}\">{0}</span></td>", to_string(row.tier));
}

std::string tiers_section(const ReportTotals& totals) {
  const bool timed = totals.timed_calls > 0;
  std::string text = "<h2>Tiers</h2>\n";
  text += timed ? table_head({"tier", "number:calls", "number:problems", "number:time", "bar:share of calls"})
                : table_head({"tier", "number:calls", "number:problems", "bar:share of calls"});
  for (std::size_t i = 0; i < k_tiers; ++i) {
    const std::string_view name = to_string(static_cast<Tier>(i));
    const auto calls = static_cast<double>(totals.calls_per_tier[i]);
    const double width = percent(calls, static_cast<double>(totals.calls));
    text += fmt::format("<tr><td><span class=\"tier {0}\">{0}</span></td>", name) +
            count_cell(totals.calls_per_tier[i]) + count_cell(totals.problems_per_tier[i]);
    if (timed) text += time_cell(totals.ms_per_tier[i]);
    text += bar_cell(calls, bar_piece(name, width, fmt::format("{:.1f} %", width))) + "</tr>\n";
  }
  return text + std::string(k_table_end);
}

// Where every call's time is known the bars show time, else calls.
std::string problems_section(const Report& report, const ReportTotals& totals) {
  const bool some_timed = totals.timed_calls > 0;
  const bool timed = some_timed && totals.timed_calls == totals.calls;
  const auto weight = [timed](const ReportedProblem& row) {
    return timed ? row.timed_ms : static_cast<double>(row.calls);
  };
  double most = 0;
  for (const auto& [key, row] : report.rows) most = std::max(most, weight(row));
  std::string text = "<h2>Problems</h2>\n";
  const std::string_view bar = timed ? "bar:calls &times; time" : "bar:calls";
  text += some_timed ? table_head({"problem", "tier", "solver", "number:calls", "number:one call", bar})
                     : table_head({"problem", "tier", "solver", "number:calls", bar});
  for (const ReportedProblem* row : sorted_rows(report)) {
    text += "<tr><td class=problem>" + escaped(row->problem);
    if (!row->failure.empty()) text += "<span class=why>failed: " + escaped(row->failure) + "</span>";
    text += "</td>" + tier_cell(*row) + "<td>" + escaped(row->solver);
    const std::string beside = row->device + (row->device.empty() || row->detail.empty() ? "" : ", ") + row->detail;
    if (!beside.empty()) text += "<br><span class=dim>" + escaped(beside) + "</span>";
    text += "</td>" + count_cell(row->calls);
    if (some_timed) text += time_cell(row->timed_calls > 0 ? row->timed_ms / static_cast<double>(row->timed_calls) : 0);
    const std::string told = timed ? time_text(row->timed_ms) : counted(row->calls, "call");
    text += bar_cell(weight(*row), bar_piece(tier_name(*row), percent(weight(*row), most), told)) + "</tr>\n";
  }
  return text + std::string(k_table_end);
}

std::string fallbacks_section(const Report& report, const ReportTotals& totals) {
  std::string text = "<h2>Fallbacks and their causes</h2>\n";
  if (totals.causes.empty() && totals.quarantined.empty())
    return text + "<p>None: what was tried first held everywhere.</p>\n";
  double most = 0;
  for (const auto& [name, cause] : totals.causes) most = std::max(most, static_cast<double>(cause.count));
  text += table_head({"cause", "number:times", "number:time lost", "bar:times"});
  for (const auto& [name, cause] : totals.causes) {
    const auto count = static_cast<double>(cause.count);
    text += "<tr><td>" + escaped(name) + "</td>" + count_cell(cause.count) + time_cell(cause.milliseconds) +
            bar_cell(count, bar_piece("lost", percent(count, most), counted(cause.count, "time"))) + "</tr>\n";
  }
  text += std::string(k_table_end) + table_head({"problem", "served by", "what happened before"});
  for (const ReportedProblem* row : sorted_rows(report)) {
    std::string before;
    for (const ReportedAttempt& one : row->attempts) {
      if (!is_notable(one)) continue;
      before +=
          fmt::format("<span class=why>{} {}{}{}{}</span>", escaped(one.solver), to_string(one.outcome),
                      one.in_child ? " in a child" : "", one.count > 1 ? fmt::format(" ({} times)", one.count) : "",
                      one.reason.empty() ? "" : ": " + escaped(one.reason));
    }
    if (before.empty()) continue;
    text +=
        "<tr><td class=problem>" + escaped(row->problem) + "</td>" + tier_cell(*row) + "<td>" + before + "</td></tr>\n";
  }
  text += k_table_end;
  for (const auto& [solver, count] : totals.quarantined) {
    text += fmt::format("<p>In quarantine: {}, not tried on {}.</p>\n", escaped(solver), counted(count, "problem"));
  }
  return text;
}

std::string first_runs_section(const Report& report, const ReportTotals& totals) {
  std::string text = "<h2>What first runs cost</h2>\n";
  std::vector<const ReportedProblem*> rows = sorted_rows(report);
  std::erase_if(rows, [](const ReportedProblem* row) { return row->attempts_ms() <= 0; });
  if (rows.empty()) return text + "<p>No attempt took measurable time.</p>\n";
  std::ranges::stable_sort(rows, [](const auto* a, const auto* b) { return a->attempts_ms() > b->attempts_ms(); });
  const double most = rows.front()->attempts_ms();
  text += fmt::format(
      "<p class=dim>{} in all: choosing, compiling, trying and checking. "
      "<span class=\"key passed\">attempts that passed</span><span class=\"key lost\">attempts that did "
      "not</span></p>\n",
      time_text(totals.attempts_ms));
  text += table_head({"problem", "served by", "number:milliseconds", "bar:attempts"});
  for (const ReportedProblem* row : rows) {
    std::string pieces;
    for (const ReportedAttempt& one : row->attempts) {
      pieces += bar_piece(one.outcome == Outcome::passed ? "passed" : "lost", percent(one.milliseconds, most),
                          fmt::format("{} {}, {}", one.solver, to_string(one.outcome), time_text(one.milliseconds)));
    }
    text += "<tr><td class=problem>" + escaped(row->problem) + "</td>" + tier_cell(*row) +
            number_cell(row->attempts_ms(), fmt::format("{:.2f}", row->attempts_ms())) +
            bar_cell(row->attempts_ms(), pieces) + "</tr>\n";
  }
  text += k_table_end;
  if (report.kernels_compiled + report.kernels_from_cache > 0) {
    text += fmt::format("<p>Kernels: {} compiled{}, {} from the cache.</p>\n", report.kernels_compiled,
                        report.compile_ms > 0 ? " in " + time_text(report.compile_ms) : "", report.kernels_from_cache);
  }
  if (report.children_started > 0) text += fmt::format("<p>Trial processes: {}.</p>\n", report.children_started);
  return text;
}

}  // namespace

std::string report_as_html(const Report& report, const std::string& title) {
  const ReportTotals totals = totals_of(report);
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
      "'unsafe-inline'\">\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
      "<title>Convoy: {0}</title>\n<style>\n{1}</style>\n</head>\n<body>\n<h1>Convolutions of {0}</h1>\n",
      escaped(title), k_report_page_css);
  text += fmt::format("<p>{}, {}, {}{}{}</p>\n",
                      report.processes == 1 ? "1 process" : fmt::format("{} processes", report.processes),
                      counted(totals.problems, "problem"), counted(totals.calls, "call"),
                      totals.failed > 0 ? fmt::format(", {} failed", totals.failed) : "",
                      report.skipped > 0 ? fmt::format(", {} skipped", report.skipped) : "");
  if (totals.timed_calls == 0) {
    text +=
        "<p class=dim>Single calls of a program are not timed: that would slow it down. Bars show calls, and what "
        "first "
        "runs took.</p>\n";
  }
  text += tiers_section(totals) + problems_section(report, totals) + fallbacks_section(report, totals) +
          first_runs_section(report, totals);
  return text + "<script>\n" + std::string(k_report_page_js) + "</script>\n</body>\n</html>\n";
}

}  // namespace convoy
