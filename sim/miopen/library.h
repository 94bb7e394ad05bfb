// What every function of the stand-in begins with: it is counted, and a planned fault may end it. Start here.
//
//   CONVOY_MIOPEN Status miopenX(...) {
//     Call call(Function::miopenX);
//     if (call.ended) return call.status;
//
// The functions are declared from abi/miopen_functions.inc, and extern "C" does not overload: a definition whose parameters
// differ from that list does not compile.
#pragma once

#include <string>

#include "abi/miopen.h"
#include "sim/miopen/faults.h"

#define CONVOY_MIOPEN extern "C" __attribute__((visibility("default")))

namespace convoy::miopen {

#define MIOPEN_FUNCTION(name, result, parameters) CONVOY_MIOPEN result name parameters;
#include "abi/miopen_functions.inc"

struct Problem;

struct Call {
  // A planned hang or crash does not come back. `problem`: what conditions of faults compare; null where there is none.
  explicit Call(Function function, const Problem* problem = nullptr);

  bool fault_is(FaultKind kind) const { return fault != nullptr && fault->kind == kind; }

  Function function;
  const Fault* fault = nullptr;
  bool ended = false;
  Status status = k_success;
};

// One line on stderr, as the real library prints for each status but success.
Status refuse(Status status, const std::string& text);

}  // namespace convoy::miopen
