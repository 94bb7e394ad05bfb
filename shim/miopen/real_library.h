// The MIOpen that the program uses: the file that it has loaded, found without RTLD_NEXT, which fails when a Python extension
// brought the library in (its scope is local). The functions are looked up on that very file, at the first call.
#pragma once

#include <string>

#include "abi/miopen.h"

namespace convoy::miopen {

struct RealLibrary {
#define MIOPEN_FUNCTION(name, result, parameters) result(*name) parameters = nullptr;
#include "abi/miopen_functions.inc"
  std::string file;
  int (*hip_get_device)(int* device) = nullptr;  // of the HIP runtime that it is linked with
};

// Null where there is none, or one that lacks a function: said once on stderr. Thread-safe; stays for ever.
const RealLibrary* real_library();

}  // namespace convoy::miopen
