// What `convoy run` is asked to do: files, standard input, canonical strings or MIOpenDriver lines, merged into one list.
#pragma once

#include <string>
#include <vector>

#include "problem/driver_line.h"

namespace convoy {

// Reads every argument; each problem appears once, with its first source and how often it occurred. Errors carry file:line.
// An argument is a problem when it begins with a direction ("fwd:") or holds a MIOpenDriver command; "-" is standard input.
ProblemList collect_problems(const std::vector<std::string>& arguments);

}  // namespace convoy
