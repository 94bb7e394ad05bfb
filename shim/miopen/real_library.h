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
  // Of the HIP runtime that it is linked with; the last two may be missing.
  int (*hip_get_device)(int* device) = nullptr;
  int (*hip_stream_is_capturing)(Queue stream, int* status) = nullptr;
  int (*hip_memset_async)(void* memory, int value, std::size_t bytes, Queue stream) = nullptr;
  // All functions are there that Convoy needs; else calls can only be handed on.
  bool is_complete = false;

  // True while a graph is recorded on the stream of `handle`: then nothing may be waited for or allocated.
  bool is_capturing(Handle handle) const {
    Queue stream = nullptr;
    int status = 0;
    return hip_stream_is_capturing != nullptr && miopenGetStream(handle, &stream) == k_success &&
           hip_stream_is_capturing(stream, &status) == 0 && status != 0;
  }
};

// Null where there is none: said once on stderr. Thread-safe; stays for ever.
const RealLibrary* real_library();

}  // namespace convoy::miopen
