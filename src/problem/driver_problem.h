// From the flags of one MIOpenDriver command to problems: one for each direction that -F asks for.
#pragma once

#include <string_view>
#include <vector>

#include "problem/driver_flags.h"
#include "problem/driver_line.h"

namespace convoy {

// conv, convfp16, ...: the commands whose flags these are, convfp8 and convbfp8 included, which then are
// refused with a reason.
bool is_conv_verb(std::string_view verb);

struct DriverProblems {
  std::vector<Problem> problems;   // valid ones
  std::vector<InputError> errors;  // source left empty
};
DriverProblems problems_of(std::string_view verb, const DriverValues& values);

}  // namespace convoy
