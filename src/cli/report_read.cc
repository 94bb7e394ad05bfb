// Reads reports from JSON. Liberal with what is missing or null, strict with what is there: a wrong kind of value is an error
// that names its place, because half of a report would look like a whole one.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/report.h"
#include "problem/printable.h"

namespace convoy {
namespace {

using Json = nlohmann::json;

// One object and how it is called in errors: "per_problem[3]", "line 7".
struct Place {
  const Json& json;
  std::string name;

  const Json* find(const char* key) const {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
  tl::unexpected<Error> wrong(const std::string& key, std::string_view expected) const {
    const auto found = json.find(key);
    std::string got = "nothing";
    // Writing what is deeply nested would take as deep a stack.
    if (found != json.end())
      got = found->is_structured() ? found->type_name() : printable(found->dump(-1, ' ', true).substr(0, 40));
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {} is expected, not {}", path_to(key), expected, got));
  }
  // "calls", "per_problem[3].calls", "line 7: count"
  std::string path_to(const std::string& key) const {
    const bool is_line = name.starts_with("line ") && name.find(':') == std::string::npos;
    return name.empty() ? key : name + (is_line ? ": " : ".") + key;
  }

  Result<std::string> text(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::string();
    if (!value->is_string()) return wrong(key, "a text");
    return value->get<std::string>();
  }
  Result<std::int64_t> count(const char* key, std::int64_t missing = 0) const {
    const Json* value = find(key);
    if (value == nullptr) return missing;
    constexpr std::uint64_t k_most = std::uint64_t{1} << 53;  // what every reader of JSON can hold
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > k_most) return wrong(key, "a count");
    return static_cast<std::int64_t>(value->get<std::uint64_t>());
  }
  Result<double> milliseconds(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return 0.0;
    const double number = value->is_number() ? value->get<double>() : -1;
    if (!(number >= 0 && std::isfinite(number))) return wrong(key, "a time in milliseconds");
    return number;
  }
  Result<bool> flag(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return wrong(key, "true or false");
    return value->get<bool>();
  }
  // The objects of an array; none where there is no such key.
  Result<std::vector<Place>> objects(const char* key) const {
    std::vector<Place> result;
    const Json* list = find(key);
    if (list == nullptr) return result;
    if (!list->is_array()) return wrong(key, "an array");
    for (std::size_t i = 0; i < list->size(); ++i) {
      result.push_back({(*list)[i], fmt::format("{}[{}]", path_to(key), i)});
      if (!(*list)[i].is_object())
        return fail(ErrorCode::invalid_argument, result.back().name + ": an object is expected");
    }
    return result;
  }
};

std::optional<Tier> tier_called(std::string_view name) {
  for (std::size_t i = 0; i < k_tiers; ++i) {
    if (to_string(static_cast<Tier>(i)) == name) return static_cast<Tier>(i);
  }
  return std::nullopt;
}

std::optional<Outcome> outcome_called(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Outcome::quarantined); ++i) {
    if (to_string(static_cast<Outcome>(i)) == name) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

Result<ReportedAttempt> read_attempt(const Place& place) {
  ReportedAttempt attempt;
  CONVOY_TRY(attempt.solver, place.text("solver"));
  CONVOY_TRY(attempt.tier, place.text("tier"));
  CONVOY_TRY(attempt.reason, place.text("reason"));
  CONVOY_TRY(attempt.in_child, place.flag("child"));
  CONVOY_TRY(attempt.count, place.count("count", 1));
  CONVOY_TRY(attempt.milliseconds, place.milliseconds("ms"));
  CONVOY_TRY(const std::string outcome, place.text("outcome"));
  const auto known = outcome_called(outcome);
  if (!known) return place.wrong("outcome", "an outcome as \"passed\" or \"timed_out\"");
  if (!attempt.tier.empty() && !tier_called(attempt.tier)) return place.wrong("tier", "a tier as \"vendor\"");
  attempt.outcome = *known;
  return attempt;
}

// What all formats share of a problem.
Result<ReportedProblem> read_problem(const Place& place) {
  ReportedProblem row;
  CONVOY_TRY(row.problem, place.text("problem"));
  if (row.problem.empty()) return place.wrong("problem", "a problem's string");
  CONVOY_TRY(row.device, place.text("device"));
  CONVOY_TRY(row.solver, place.text("solver"));
  CONVOY_TRY(row.detail, place.text("detail"));
  if (row.served()) {
    CONVOY_TRY(const std::string tier, place.text("tier"));
    const auto known = tier_called(tier);
    if (!known) return place.wrong("tier", "a tier as \"vendor\"");
    row.tier = *known;
  }
  CONVOY_TRY(const std::vector<Place> attempts, place.objects("attempts"));
  for (const Place& one : attempts) {
    CONVOY_TRY(ReportedAttempt attempt, read_attempt(one));
    row.attempts.push_back(std::move(attempt));
  }
  return row;
}

void set_time(ReportedProblem& row, double one_call_ms) {
  if (one_call_ms <= 0 || row.calls == 0) return;
  row.timed_calls = row.calls;
  row.timed_ms = std::min(one_call_ms * static_cast<double>(row.calls), 1e300);
}

// convoy_statistics_json(), or what `convoy exec --report` made of many.
Result<Report> read_statistics(const Json& json) {
  const Place top{json, ""};
  Report report;
  CONVOY_TRY(report.processes, top.count("processes", 1));
  CONVOY_TRY(report.children_started, top.count("children_started"));
  CONVOY_TRY(report.untuned, top.count("untuned"));
  CONVOY_TRY(report.skipped, top.count("skipped"));
  if (const Json* kernels = top.find("kernels")) {
    if (!kernels->is_object()) return top.wrong("kernels", "an object");
    const Place place{*kernels, "kernels"};
    CONVOY_TRY(report.kernels_compiled, place.count("compiled"));
    CONVOY_TRY(report.kernels_from_cache, place.count("from_cache"));
    CONVOY_TRY(report.compile_ms, place.milliseconds("compile_ms"));
  }
  CONVOY_TRY(const std::vector<Place> problems, top.objects("per_problem"));
  for (const Place& place : problems) {
    CONVOY_TRY(ReportedProblem row, read_problem(place));
    CONVOY_TRY(row.calls, place.count("calls"));
    CONVOY_TRY(row.failure, place.text("failure"));
    CONVOY_TRY(const double milliseconds, place.milliseconds("time_ms"));
    set_time(row, milliseconds);
    report.add(std::move(row));
  }
  return report;
}

// One line of `convoy run --json`.
Result<void> read_line(const Place& line, Report& report) {
  if (const Json* summary = line.find("summary")) {
    if (!summary->is_object()) return line.wrong("summary", "an object");
    const Place place{*summary, line.path_to("summary")};
    CONVOY_TRY(report.children_started, place.count("children_started"));
    CONVOY_TRY(report.kernels_compiled, place.count("kernels_compiled"));
    CONVOY_TRY(report.kernels_from_cache, place.count("kernels_from_cache"));
    return {};
  }
  CONVOY_TRY(const std::string status, line.text("status"));
  if (status != "completed" && status != "failed" && status != "skipped")
    return line.wrong("status", "completed, failed or skipped");
  CONVOY_TRY(ReportedProblem row, read_problem(line));
  if (status == "skipped") return ++report.skipped, Result<void>();
  CONVOY_TRY(row.calls, line.count("count", 1));
  CONVOY_TRY(const double milliseconds, line.milliseconds("time_ms"));
  if (status == "failed") {
    CONVOY_TRY(row.failure, line.text("reason"));
    if (row.failure.empty()) row.failure = "no reason is told";
    row.solver.clear();
  }
  set_time(row, milliseconds);
  report.add(std::move(row));
  return {};
}

// nlohmann says what is wrong after its own number and place: "[json.exception.parse_error.101] parse error at line 1, column 9:".
Result<Json> parse(std::string_view text, const std::string& line) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    const std::string_view what = error.what();
    const auto place = what.find("at line ");
    const std::string told(place == std::string_view::npos ? what : what.substr(place));
    if (line.empty()) return fail(ErrorCode::invalid_argument, "no JSON " + printable(told));
    const auto column = told.find("column ");
    return fail(ErrorCode::invalid_argument,
                line + ": no JSON at " + printable(column == std::string::npos ? told : told.substr(column)));
  }
}

Result<Report> read_lines(std::string_view text) {
  Report report;
  report.processes = 1;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string name = fmt::format("line {}", number);
    CONVOY_TRY(const Json json, parse(line, name));
    if (!json.is_object()) return fail(ErrorCode::invalid_argument, name + ": an object is expected");
    CONVOY_CHECK(read_line({json, name}, report));
  }
  return report;
}

// The first line alone is an object in JSON lines, and nothing or the whole in statistics.
bool are_lines(const std::string& text) {
  const Json first = Json::parse(text.substr(0, text.find('\n')), nullptr, false);
  return first.is_object() && !first.contains("per_problem") &&
         (first.contains("problem") || first.contains("summary"));
}

}  // namespace

Result<Report> read_report(const std::string& text) {
  if (are_lines(text)) return read_lines(text);
  CONVOY_TRY(const Json json, parse(text, ""));
  if (!json.is_object() || !json.contains("per_problem")) {
    return fail(
        ErrorCode::invalid_argument,
        "no report: expected what `convoy exec --report`, `convoy run --json` or convoy_statistics_json() writes");
  }
  return read_statistics(json);
}

std::string report_as_json(const Report& report) {
  using Ordered = nlohmann::ordered_json;
  const ReportTotals totals = totals_of(report);
  Ordered tiers;
  for (std::size_t i = 0; i < k_tiers; ++i)
    tiers[std::string(to_string(static_cast<Tier>(i)))] = totals.calls_per_tier[i];
  Ordered causes = Ordered::object();
  for (const auto& [name, cause] : totals.causes) causes[name] = cause.count;
  Ordered problems = Ordered::array();
  for (const ReportedProblem* row : sorted_rows(report)) {
    Ordered attempts = Ordered::array();
    for (const ReportedAttempt& one : row->attempts) {
      attempts.push_back({{"solver", one.solver},
                          {"tier", one.tier.empty() ? Ordered(nullptr) : Ordered(one.tier)},
                          {"outcome", to_string(one.outcome)},
                          {"reason", one.reason},
                          {"ms", one.milliseconds},
                          {"child", one.in_child},
                          {"count", one.count}});
    }
    Ordered object{{"problem", row->problem}};
    if (!row->device.empty()) object["device"] = row->device;
    object["solver"] = row->solver;
    object["tier"] = row->served() ? Ordered(to_string(row->tier)) : Ordered(nullptr);
    object["detail"] = row->detail;
    object["calls"] = row->calls;
    if (row->timed_calls > 0) object["time_ms"] = row->timed_ms / static_cast<double>(row->timed_calls);
    if (!row->failure.empty()) object["failure"] = row->failure;
    object["attempts"] = std::move(attempts);
    problems.push_back(std::move(object));
  }
  const Ordered json{{"processes", report.processes},
                     {"problems", totals.problems},
                     {"calls", totals.calls},
                     {"calls_per_tier", tiers},
                     {"fallbacks", totals.fallbacks},
                     {"causes", causes},
                     {"quarantined", totals.quarantined},
                     {"children_started", report.children_started},
                     {"kernels",
                      {{"compiled", report.kernels_compiled},
                       {"from_cache", report.kernels_from_cache},
                       {"compile_ms", report.compile_ms}}},
                     {"untuned", report.untuned},
                     {"skipped", report.skipped},
                     {"per_problem", std::move(problems)}};
  return json.dump(2, ' ', false, Ordered::error_handler_t::replace) + '\n';
}

}  // namespace convoy
