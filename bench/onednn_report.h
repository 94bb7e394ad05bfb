// What against_onednn found: one row per problem, and their summary.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/timing.h"

namespace convoy::bench {

struct Row {
  std::string problem;
  std::int64_t occurrences = 1;  // in the shapes file
  double flops = 0;
  Timing direct, convoy;  // milliseconds a call
  double ratio = 0;       // robust centre of convoy / direct over the pairs
  std::string direct_implementation;
  int direct_reorders = 0;
  std::string convoy_solver, convoy_implementation;
};

std::string table_head();
std::string table_line(const Row& row);
// One JSON object, without the line's end.
std::string json_line(const Row& row);
// Geometric means of the ratios by direction, by duration, and where both sides ended in the same implementation, which
// leaves Convoy's own cost; then the rows where Convoy is slowest.
std::string summary(const std::vector<Row>& rows);

}  // namespace convoy::bench
