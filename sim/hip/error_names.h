// Names and sentences of error codes, for hipGetErrorName() and hipGetErrorString().
#pragma once

#include "sim/hip/abi.h"

namespace convoy::hip {

const char* error_name(Error error);
const char* error_sentence(Error error);

}  // namespace convoy::hip
