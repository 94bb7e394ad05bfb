// How a trial of a solver ended. Written into databases and reports: names are fixed, never reused.
#pragma once

#include <optional>
#include <string_view>

namespace convoy {

enum class Verdict {
  passed,        // ran, and the numbers were right
  wrong_result,  // ran, and the numbers were wrong (NaN where none belongs counts)
  crashed,       // the process died of a signal or left without a verdict
  timed_out,     // still running at the deadline
  failed,        // reported an error of its own
  refused,       // said beforehand that it cannot do this problem
};

std::string_view to_string(Verdict verdict);
std::optional<Verdict> verdict_from_string(std::string_view text);

}  // namespace convoy
