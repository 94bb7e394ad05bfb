// Puts a problem's kernel into the handle's stream.
#pragma once

#include <string>

#include "sim/miopen/handle.h"
#include "sim/miopen/problem.h"

namespace convoy::miopen {

// How the numbers are to differ from the right ones.
enum class Numbers { right, wrong, some_nan, garbage };

// `problem` has passed its check, `buffers` are in its terms. Waits for nothing.
Status run(HandleTag& handle, const Problem& problem, const Buffers& buffers, Numbers numbers);

// forward_f32; empty where the type is none that is computed.
std::string kernel_name(const char* kind, DataType type);

}  // namespace convoy::miopen
