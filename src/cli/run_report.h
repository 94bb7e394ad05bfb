// How `convoy run` tells what happened: a table for people as the work goes on, JSON lines for programs, a summary.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dispatch/statistics.h"
#include "problem/driver_line.h"
#include "solvers/numbers.h"

namespace convoy {

enum class RunStatus { completed, skipped, failed };
std::string_view to_string(RunStatus status);

struct ProblemReport {
  const SourcedProblem* input = nullptr;
  RunStatus status = RunStatus::failed;
  std::string reason;  // of skipped and failed
  Tier tier = Tier::reference;
  std::string solver;
  std::string detail;
  double time_ms = 0;
  double gflops = 0;  // 10^9 operations a second
  bool checked = false;
  double error = 0;
  double tolerance = 0;
  std::vector<Attempt> attempts;
  std::vector<Reserve> reserves;

  // A check of all numbers that were served. Where it did not pass, nothing has been completed.
  void take(const NumbersCheck& check);
};

struct RunSummary {
  int completed = 0, skipped = 0, failed = 0, input_errors = 0;
  bool interrupted = false;
  double seconds = 0;
  Statistics statistics;
};

// JSON lines, flushed one by one, so that an interrupted run leaves whole lines.
class JsonLines {
 public:
  static Result<std::unique_ptr<JsonLines>> open(const std::string& path);  // "-" is standard output
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;
  Result<void> write(const ProblemReport& report, const std::string& device);
  Result<void> write(const RunSummary& summary, const std::string& device);

 private:
  JsonLines(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  Result<void> write_line(const std::string& line);
  std::FILE* file_;
  std::string path_;
};

// The table, on `out`; colours and the progress line only where that is a terminal and NO_COLOR is not set.
class Table {
 public:
  Table(std::FILE* out, const std::vector<SourcedProblem>& problems, bool explain);
  void header() const;
  // Shows "[3/115] problem ..." while it runs; erased by the next row. Standard error, terminals only.
  void progress(std::size_t index, std::size_t count, const SourcedProblem& input) const;
  void row(const ProblemReport& report) const;
  void summary(const RunSummary& summary) const;

 private:
  std::string paint(std::string_view text, const char* colour) const;
  void clear_progress() const;
  std::FILE* out_;
  int width_ = 0;
  bool explain_;
  bool colour_;
  bool progress_;
};

}  // namespace convoy
