// MIOpen's functions as a client sees them: linked, or looked up in a library that was opened. A client calls through the
// table, so that the same call sequence runs either way. An interposer in LD_PRELOAD sits behind the linked ones only:
// dlsym on a library's handle passes it by, as it does for TensorFlow.
#pragma once

#include <stdexcept>
#include <string>

#include "abi/miopen.h"

// NOLINTBEGIN(readability-identifier-naming,bugprone-macro-parentheses): MIOpen's names
extern "C" {
using namespace convoy::miopen;  // The list names the types without it.
#define MIOPEN_FUNCTION(name, result, parameters) result name parameters;
#define MIOPEN_OPTIONAL(name, result, parameters) result name parameters __attribute__((weak));
#include "abi/miopen_functions.inc"
}

namespace convoy::client {

struct Api {
#define MIOPEN_FUNCTION(name, result, parameters) decltype(&::name) name;
#include "abi/miopen_functions.inc"
};
// NOLINTEND(readability-identifier-naming,bugprone-macro-parentheses)

Api linked_api();
// Throws std::runtime_error for a function that every release has and this one lacks.
Api loaded_api(void* library);

// What a framework throws, or dies of.
struct MiopenError : std::runtime_error {
  MiopenError(const Api& api, const char* called, Status result)
      : std::runtime_error(std::string(called) + ": " + api.miopenGetErrorString(result)),
        function(called),
        status(result) {}
  const char* function;
  Status status;
};

inline void check(const Api& api, const char* function, Status status) {
  if (status != k_success) throw MiopenError(api, function, status);
}

// CONVOY_CALL(api, miopenCreate, &handle)
#define CONVOY_CALL(api, function, ...) ::convoy::client::check((api), #function, (api).function(__VA_ARGS__))

}  // namespace convoy::client
