// Fills the table of MIOpen's functions.
#include "miopen_api.h"

#include <dlfcn.h>

namespace convoy::client {

Api linked_api() {
  return {
#define MIOPEN_FUNCTION(name, result, parameters) &::name,  // NOLINT(readability-identifier-naming)
#include "abi/miopen_functions.inc"
  };
}

Api loaded_api(void* library) {
  Api api{};
  const auto look_up = [&](auto& function, const char* name, bool needed) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr && needed) throw std::runtime_error(std::string("the library lacks ") + name);
  };
// NOLINTBEGIN(readability-identifier-naming): the list's names
#define MIOPEN_FUNCTION(name, result, parameters) look_up(api.name, #name, true);
#define MIOPEN_OPTIONAL(name, result, parameters) look_up(api.name, #name, false);
#include "abi/miopen_functions.inc"
  // NOLINTEND(readability-identifier-naming)
  return api;
}

}  // namespace convoy::client
