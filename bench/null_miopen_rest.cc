// Every function of the subset, doing nothing; null_miopen.cc has those that must answer.
#include "abi/miopen.h"

namespace convoy::miopen {

#define MIOPEN_FUNCTION(name, result, parameters)                                  \
  extern "C" __attribute__((visibility("default"), weak)) result name parameters { \
    return {};                                                                     \
  }
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "abi/miopen_functions.inc"

}  // namespace convoy::miopen
