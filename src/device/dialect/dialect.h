// The portable dialect: one language for kernels, three compilers. opencl.h, cuda.h and hip.h map it to each.
#pragma once

#include <string>
#include <string_view>

#include "device/device.h"
#include "device/program.h"

namespace convoy {

// A whole program for a backend's compiler: the source's definitions, the dialect, the source. Lines are numbered as in the
// source's own file, so that a compiler's message can be followed.
std::string program_text(DeviceKind kind, const ProgramSource& source);

// What program_text() puts before a source: part of Device::compiler_key().
std::string_view dialect_of(DeviceKind kind);

}  // namespace convoy
