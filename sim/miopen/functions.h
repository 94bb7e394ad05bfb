// The functions' names, as an enumeration and as text.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace convoy::miopen {

enum class Function : unsigned {
#define MIOPEN_FUNCTION(name, result, parameters) name,
#include "abi/miopen_functions.inc"
};

inline constexpr std::array k_function_names = {
#define MIOPEN_FUNCTION(name, result, parameters) std::string_view(#name),
#include "abi/miopen_functions.inc"
};

inline constexpr std::string_view name_of(Function function) {
  return k_function_names[static_cast<std::size_t>(function)];
}

}  // namespace convoy::miopen
