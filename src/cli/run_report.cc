// Implementation of run_report.h.
#include "cli/run_report.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/settings.h"
#include "cli/time_text.h"

#include <fmt/format.h>

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* k_green = "\033[32m";
constexpr const char* k_yellow = "\033[33m";
constexpr const char* k_red = "\033[31m";

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

// "after onednn timed_out (in a child), skipped x quarantined": what was wrong before the rung that held.
std::string history_text(const ProblemReport& report) {
  std::string text;
  for (const Attempt& attempt : report.attempts) {
    if (attempt.outcome == Outcome::passed || attempt.outcome == Outcome::unfit) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", attempt.solver, to_string(attempt.outcome));
    if (attempt.in_child) text += fmt::format(" in a child ({})", time_text(attempt.milliseconds));
  }
  return text;
}

Json attempts_json(const ProblemReport& report) {
  Json list = Json::array();
  for (const Attempt& attempt : report.attempts) {
    list.push_back({{"solver", attempt.solver},
                    {"outcome", to_string(attempt.outcome)},
                    {"reason", attempt.reason},
                    {"ms", number(attempt.milliseconds)},
                    {"child", attempt.in_child}});
  }
  return list;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string_view to_string(RunStatus status) {
  switch (status) {
    case RunStatus::completed: return "completed";
    case RunStatus::skipped: return "skipped";
    case RunStatus::failed: return "failed";
  }
  return "failed";
}

void ProblemReport::take(const NumbersCheck& check) {
  checked = true;
  error = check.error;
  tolerance = check.tolerance;
  if (check.passed) return;
  status = RunStatus::failed;
  reason = fmt::format("{} served wrong numbers: {}", solver, check.reason);
}

Result<std::unique_ptr<JsonLines>> JsonLines::open(const std::string& path) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  if (file == nullptr) {
    return fail(ErrorCode::io,
                fmt::format("--json {}: {}; give a file in a folder that can be written", path, std::strerror(errno)));
  }
  return std::unique_ptr<JsonLines>(new JsonLines(file, path));
}

JsonLines::~JsonLines() {
  if (file_ != stdout) std::fclose(file_);
}

Result<void> JsonLines::write_line(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() || std::fputc('\n', file_) == EOF ||
      std::fflush(file_) != 0) {
    return fail(ErrorCode::io, fmt::format("--json {}: {}", path_, std::strerror(errno)));
  }
  return {};
}

Result<void> JsonLines::write(const ProblemReport& report, const std::string& device) {
  const bool completed = report.status == RunStatus::completed;
  Json line;
  line["problem"] = report.input->problem.to_string();
  line["source"] = report.input->source;
  line["count"] = report.input->count;
  line["device"] = device;
  line["status"] = to_string(report.status);
  if (!report.reason.empty()) line["reason"] = report.reason;
  line["tier"] = completed ? Json(to_string(report.tier)) : Json(nullptr);
  line["solver"] = completed ? Json(report.solver) : Json(nullptr);
  line["detail"] = completed ? Json(report.detail) : Json(nullptr);
  line["time_ms"] = completed ? number(report.time_ms) : Json(nullptr);
  line["gflops"] = completed ? number(report.gflops) : Json(nullptr);
  line["error"] = report.checked ? number(report.error) : Json(nullptr);
  line["tolerance"] = report.checked ? number(report.tolerance) : Json(nullptr);
  line["attempts"] = attempts_json(report);
  return write_line(dump(line));
}

Result<void> JsonLines::write(const RunSummary& summary, const std::string& device) {
  const Statistics& s = summary.statistics;
  Json tiers;
  for (std::size_t i = 0; i < k_tiers; ++i)
    tiers[std::string(to_string(static_cast<Tier>(i)))] = s.problems_per_tier[i];
  Json line;
  line["summary"] = {{"device", device},
                     {"completed", summary.completed},
                     {"skipped", summary.skipped},
                     {"failed", summary.failed},
                     {"input_errors", summary.input_errors},
                     {"interrupted", summary.interrupted},
                     {"problems_per_tier", tiers},
                     {"fallbacks", s.fallbacks},
                     {"causes", s.causes},
                     {"quarantined", s.quarantined},
                     {"children_started", s.children_started},
                     {"kernels_compiled", s.kernels.compiled},
                     {"kernels_from_cache", s.kernels.from_cache},
                     {"seconds", summary.seconds}};
  return write_line(dump(line));
}

Table::Table(std::FILE* out, const std::vector<SourcedProblem>& problems, bool explain) : out_(out), explain_(explain) {
  for (const SourcedProblem& one : problems)
    width_ = std::max(width_, static_cast<int>(one.problem.to_string().size()));
  width_ = std::clamp(width_, 20, 90);
  const bool plain = !Settings::environment("NO_COLOR").empty();
  colour_ = isatty(fileno(out)) == 1 && !plain;
  progress_ = isatty(STDERR_FILENO) == 1;
}

std::string Table::paint(std::string_view text, const char* colour) const {
  return colour_ ? fmt::format("{}{}\033[0m", colour, text) : std::string(text);
}

void Table::clear_progress() const {
  if (progress_) fmt::print(stderr, "\r\033[K");
}

void Table::header() const {
  fmt::print(out_, "{:<{}}  {:<9} {:<10} {:>10} {:>10}  {}\n", "problem", width_, "tier", "solver", "time", "GFLOP/s",
             "error / tolerance   tried before");
}

void Table::progress(std::size_t index, std::size_t count, const SourcedProblem& input) const {
  if (!progress_) return;
  fmt::print(stderr, "\r\033[K[{}/{}] {}", index + 1, count, input.problem.to_string().substr(0, 100));
  std::fflush(stderr);
}

void Table::row(const ProblemReport& report) const {
  clear_progress();
  const std::string problem = report.input->problem.to_string();
  if (report.status != RunStatus::completed) {
    fmt::print(out_, "{:<{}}  {}: {}\n", problem, width_,
               paint(to_string(report.status), report.status == RunStatus::failed ? k_red : k_yellow), report.reason);
  } else {
    const std::string tier = fmt::format("{:<9}", to_string(report.tier));
    const std::string numbers =
        report.checked ? fmt::format("{:.1e} / {:.1e}", report.error, report.tolerance) : "not checked";
    fmt::print(out_, "{:<{}}  {} {:<10} {:>10} {:>10.1f}  {:<18}  {}\n", problem, width_,
               paint(tier, report.tier == Tier::reference ? k_yellow : k_green), report.solver,
               time_text(report.time_ms), report.gflops, numbers, paint(history_text(report), k_yellow));
  }
  if (explain_) {
    for (const Attempt& attempt : report.attempts) {
      fmt::print(out_, "    {} ({}): {}{}{}{}\n", attempt.solver, to_string(attempt.tier), to_string(attempt.outcome),
                 attempt.in_child ? " in a child" : "", attempt.reason.empty() ? "" : ": ", attempt.reason);
    }
    for (const Reserve& reserve : report.reserves)
      fmt::print(out_, "    {} ({}): not tried: {} served\n", reserve.solver, to_string(reserve.tier), report.solver);
    if (!report.detail.empty()) fmt::print(out_, "    ran {}; from {}\n", report.detail, report.input->source);
  }
  std::fflush(out_);
}

void Table::summary(const RunSummary& summary) const {
  clear_progress();
  const Statistics& s = summary.statistics;
  fmt::print(out_, "\n{} completed, {} skipped, {} failed in {:.1f} s{}\n", summary.completed, summary.skipped,
             summary.failed > 0 ? paint(std::to_string(summary.failed), k_red) : "0", summary.seconds,
             summary.interrupted ? ", interrupted" : "");
  std::string tiers;
  for (std::size_t i = 0; i < k_tiers; ++i) {
    if (s.problems_per_tier[i] == 0) continue;
    tiers += fmt::format("{}{} {}", tiers.empty() ? "" : ", ", to_string(static_cast<Tier>(i)), s.problems_per_tier[i]);
  }
  if (!tiers.empty()) fmt::print(out_, "problems per tier: {}\n", tiers);
  for (const auto& [cause, count] : s.causes) fmt::print(out_, "fallback: {}, {}\n", cause, counted(count, "time"));
  for (const auto& [solver, count] : s.quarantined) {
    fmt::print(out_, "in quarantine: {}, not tried on {} (convoy db show)\n", solver, counted(count, "problem"));
  }
  if (s.children_started > 0) fmt::print(out_, "trial processes started: {}\n", s.children_started);
  if (s.kernels.compiled + s.kernels.from_cache > 0) {
    fmt::print(out_, "kernels: {} compiled in {:.1f} s, {} from the cache\n", s.kernels.compiled,
               s.kernels.compile_ms / 1000, s.kernels.from_cache);
  }
  if (s.untuned > 0) {
    fmt::print(out_, "untuned: {}; `convoy tune` compiles and measures what may be faster\n",
               counted(s.untuned, "problem"));
  }
}

}  // namespace convoy
