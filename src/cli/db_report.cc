// Tables and JSON of the store's contents.
#include "cli/db_report.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/transfer.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;
using Cells = std::vector<std::string>;

constexpr std::int64_t k_clock_tolerance = std::int64_t{24} * 3600;

std::string time_text(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

// A title and rows under aligned headings; nothing when there are no rows.
std::string table(std::string_view title, const Cells& headings, const std::vector<Cells>& rows) {
  if (rows.empty()) return {};
  std::vector<std::size_t> widths(headings.size());
  const auto widen = [&](const Cells& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  };
  widen(headings);
  std::for_each(rows.begin(), rows.end(), widen);
  std::string text = fmt::format("{} ({}, times are UTC)\n", title, rows.size());
  const auto add = [&](const Cells& cells) {
    std::string line = " ";
    for (std::size_t i = 0; i < cells.size(); ++i) line += fmt::format(" {:<{}}", cells[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  add(headings);
  std::for_each(rows.begin(), rows.end(), add);
  return text + '\n';
}

template <typename Records, typename Row>
std::vector<Cells> rows_of(const Records& records, Row row) {
  std::vector<Cells> rows;
  for (const auto& record : records) rows.push_back(row(record));
  return rows;
}

template <typename Records>
Json array_of(const Records& records) {
  Json array = Json::array();
  for (const auto& record : records) {
    Json object = to_json(record);
    object.erase("kind");
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace

std::vector<Quarantine> quarantines(const std::vector<Incident>& incidents, std::chrono::hours forgiveness,
                                    std::int64_t now) {
  // As the store counts: incidents dated more than a day ahead of our clock do not.
  const std::int64_t forgiven_after = std::chrono::seconds(forgiveness).count();
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::vector<const Incident*>> groups;
  for (const Incident& i : incidents) {
    if (i.at <= now - forgiven_after || i.at > now + k_clock_tolerance) continue;
    groups[{i.key.solver, i.key.problem_class, i.key.device, i.key.library}].push_back(&i);
  }
  std::vector<Quarantine> found;
  for (auto& [key, group] : groups) {
    Quarantine quarantine{group.front()->key, 0, 0};
    quarantine.key.problem.clear();
    for (const Incident* incident : group) quarantine.strikes += incident->strikes;
    if (quarantine.strikes < k_quarantine_strikes) continue;
    // Incidents are forgiven oldest first, until those that remain are too few.
    std::sort(group.begin(), group.end(), [](const auto* a, const auto* b) { return a->at < b->at; });
    int remaining = quarantine.strikes;
    for (const Incident* incident : group) {
      remaining -= incident->strikes;
      quarantine.until = incident->at + forgiven_after;
      if (remaining < k_quarantine_strikes) break;
    }
    found.push_back(std::move(quarantine));
  }
  return found;
}

void keep_matching(Store::Contents& contents, const std::string& text) {
  const auto misses = [&](const std::string& name) { return name.find(text) == std::string::npos; };
  const auto key_misses = [&](const auto& r) { return misses(r.key.problem) && misses(r.key.problem_class); };
  std::erase_if(contents.finds, [&](const FindRecord& r) { return misses(r.problem); });
  std::erase_if(contents.verdicts, key_misses);
  std::erase_if(contents.incidents, key_misses);
  std::erase_if(contents.intents, key_misses);
  if (!text.empty()) contents.kernels.clear();  // they are about no problem
}

void keep_kernels(Store::Contents& contents) {
  std::vector<KernelInfo> kernels = std::move(contents.kernels);
  contents = {};
  contents.kernels = std::move(kernels);
}

std::uint64_t stored_bytes(const Store::Contents& contents) {
  return std::accumulate(contents.kernels.begin(), contents.kernels.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const KernelInfo& kernel) { return sum + kernel.stored_bytes; });
}

std::string contents_as_tables(const Store::Contents& contents, const std::vector<Quarantine>& quarantined) {
  std::string text = table("In quarantine", {"SOLVER", "PROBLEM CLASS", "DEVICE", "LIBRARY", "STRIKES", "UNTIL"},
                           rows_of(quarantined, [](const Quarantine& q) -> Cells {
                             return {q.key.solver,           or_dash(q.key.problem_class), or_dash(q.key.device),
                                     or_dash(q.key.library), std::to_string(q.strikes),    time_text(q.until)};
                           }));
  text += table("Trials now running", {"SOLVER", "PROBLEM", "DEVICE", "HOST", "PID", "SINCE"},
                rows_of(contents.intents, [](const OpenIntent& i) -> Cells {
                  return {i.key.solver,    i.key.problem,         or_dash(i.key.device),
                          or_dash(i.host), std::to_string(i.pid), time_text(i.at)};
                }));
  text += table("Incidents", {"ID", "WHEN", "SOLVER", "PROBLEM", "DEVICE", "VERDICT", "STRIKES", "HOST", "REASON"},
                rows_of(contents.incidents, [](const Incident& i) -> Cells {
                  return {std::to_string(i.id),
                          time_text(i.at),
                          i.key.solver,
                          i.key.problem,
                          or_dash(i.key.device),
                          std::string(to_string(i.verdict)),
                          std::to_string(i.strikes),
                          or_dash(i.host),
                          i.reason};
                }));
  text += table("Verdicts", {"WHEN", "SOLVER", "PROBLEM", "DEVICE", "LIBRARY", "VERDICT", "ERROR", "TOLERANCE"},
                rows_of(contents.verdicts, [](const VerdictRecord& r) -> Cells {
                  return {time_text(r.at),
                          r.key.solver,
                          r.key.problem,
                          or_dash(r.key.device),
                          or_dash(r.key.library),
                          std::string(to_string(r.verdict)),
                          fmt::format("{:.3g}", r.error),
                          fmt::format("{:.3g}", r.tolerance)};
                }));
  text += table("Find results", {"WHEN", "PROBLEM", "DEVICE", "SOLVER", "PARAMS", "MS", "WORKSPACE"},
                rows_of(contents.finds, [](const FindRecord& r) -> Cells {
                  return {time_text(r.measured_at),
                          r.problem,
                          or_dash(r.device),
                          r.solver,
                          or_dash(r.params),
                          fmt::format("{:.4g}", r.time_ms),
                          std::to_string(r.workspace_bytes)};
                }));
  text += table("Kernels", {"COMPILED", "USED", "NAME", "ARCHITECTURE", "BYTES", "ON DISK", "COMPILE MS", "KEY"},
                rows_of(contents.kernels, [](const KernelInfo& k) -> Cells {
                  return {time_text(k.created),
                          time_text(k.last_used),
                          k.name,
                          or_dash(k.architecture),
                          std::to_string(k.bytes),
                          std::to_string(k.stored_bytes),
                          fmt::format("{:.0f}", k.compile_ms),
                          k.key};
                }));
  return text.empty() ? "Nothing is remembered.\n" : text.substr(0, text.size() - 1);
}

std::string contents_as_json(const Store::Contents& contents, const std::vector<Quarantine>& quarantined) {
  Json json;
  json["quarantined"] = Json::array();
  for (const Quarantine& q : quarantined) {
    json["quarantined"].push_back({{"solver", q.key.solver},
                                   {"problem_class", q.key.problem_class},
                                   {"device", q.key.device},
                                   {"library", q.key.library},
                                   {"strikes", q.strikes},
                                   {"until", q.until}});
  }
  json["running"] = Json::array();
  for (const OpenIntent& i : contents.intents) {
    json["running"].push_back({{"solver", i.key.solver},
                               {"problem", i.key.problem},
                               {"device", i.key.device},
                               {"library", i.key.library},
                               {"pid", i.pid},
                               {"host", i.host},
                               {"at", i.at}});
  }
  json["incidents"] = array_of(contents.incidents);
  for (std::size_t i = 0; i < contents.incidents.size(); ++i) json["incidents"][i]["id"] = contents.incidents[i].id;
  json["verdicts"] = array_of(contents.verdicts);
  json["finds"] = array_of(contents.finds);
  json["kernels"] = array_of(contents.kernels);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace convoy
