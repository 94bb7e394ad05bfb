// The names that the library exports, from symbols.list; generate_exports.cmake writes the sources behind these.
#pragma once

#include <string_view>

namespace convoy::hip {

// True for calls with an implementation of ours, which alone can be made to fail.
bool is_emulated(std::string_view name);
// What all the others do: counts the call, notes it, returns hipErrorNotSupported.
int answer_unsupported(const char* name);

}  // namespace convoy::hip
