// Reads MIOpenDriver command lines wherever they stand: bare, behind any log prefix ("MIOpen(HIP): Command
// [...] ./bin/MIOpenDriver conv ..."), with Windows' .exe, inside TSV, CSV, Markdown or quotes. Also reads
// canonical problem strings, one per line. Flags and defaults: MIOpenDriver's own (docs/problems.md lists
// them with their source).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace convoy {

struct SourcedProblem {
  Problem problem;
  std::string source;      // "file:line" of the first occurrence (1-based), or what the caller named
  std::int64_t count = 1;  // how often it occurred
};

struct InputError {
  std::string source;   // "file:line"
  std::string token;    // what was not understood
  std::string message;  // what is wrong and the cure
};

struct ProblemList {
  std::vector<SourcedProblem> problems;  // in order of first occurrence, each problem once
  std::vector<InputError> errors;        // bad lines do not stop the others
  std::int64_t lines = 0;                // lines read
};

// Reads a whole text. `name` is the file's name for sources. A line without a MIOpenDriver command or a
// canonical problem string is not an error (logs are full of them); a file in which no line has one is: one
// InputError says what was expected. -F sums expand to directions (0 = all three). Lines that begin with '#'
// are comments.
ProblemList read_problems(std::string_view text, std::string_view name);

// One problem as a MIOpenDriver line: "./bin/MIOpenDriver conv -n ... -F 1 -t 1". Explicit strides cannot be
// expressed: an Error.
Result<std::string> to_driver_line(const Problem& problem);

}  // namespace convoy
