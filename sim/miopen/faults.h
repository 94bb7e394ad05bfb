// Planned faults: CONVOY_SIM_MIOPEN_FAULT, rules KIND[=VALUE][:FUNCTION][@CONDITION] with commas between; docs/sim.md lists
// the kinds. Read once. A text that cannot be understood is an error of every call: a misspelt fault would let a test pass
// for the wrong reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/miopen/functions.h"

namespace convoy::miopen {

struct Problem;

enum class FaultKind { status, hang, crash, wrong, nan, workspace, slow, naive, absent };

// A size of the forward input against a number: hw>42.
struct Condition {
  std::string size;  // n, c, d, h, w or hw, the largest of the spatial sizes; empty: always
  std::string comparison;
  long long number = 0;

  bool holds(const Problem* problem) const;
};

struct Fault {
  FaultKind kind;
  int value = 0;         // the status, or milliseconds
  std::string function;  // a name or, with a * behind it, how it begins; empty: the kind's own
  Condition condition;

  bool concerns(Function called) const;
};

struct FaultPlan {
  std::vector<Fault> faults;
  std::string wrong;  // a sentence; empty: understood

  // The first that matches; null: none.
  const Fault* find(Function called, const Problem* problem) const;
};

FaultPlan parse_faults(std::string_view text);
const FaultPlan& planned_faults();

}  // namespace convoy::miopen
