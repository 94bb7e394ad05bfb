// libMIOpen.so, opened at run time: the functions of abi/miopen_functions.inc. Which file: the setting miopen_library, else the one
// that the process has loaded (PyTorch brings its own), else the system's. A simulated card has none of its own: there only
// the first two count.
#pragma once

#include <string>
#include <string_view>

#include "abi/miopen.h"
#include "base/dynlib.h"
#include "base/result.h"
#include "device/device.h"

namespace convoy {
namespace miopen {

struct Functions {
#define MIOPEN_FUNCTION(name, result, parameters) result(*name) parameters = nullptr;
#include "abi/miopen_functions.inc"
};

// A static text for logs, also for numbers that MIOpen does not have.
std::string_view status_name(Status status);

}  // namespace miopen

struct MiopenLibrary {
  miopen::Functions functions;
  std::string version;  // "3.2.0"
};

// For `device`; an Error says why there is none. Opened once for the process; stays for ever. Thread-safe.
const Result<const MiopenLibrary*>& miopen_library(const Device& device);

// "3.2.0" of the library that was opened last; empty before.
std::string miopen_version();

// "miopenFindConvolutionForwardAlgorithm: miopenStatusUnknownError (7)"; out_of_memory where MIOpen says so.
Result<void> check_miopen(std::string_view function, miopen::Status status);

}  // namespace convoy
