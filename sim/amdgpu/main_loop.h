// The mix of instructions of a kernel's main loop, from its code alone.
#pragma once

#include "amdgpu.h"
#include "instruction.h"

namespace convoy::amdgpu {

// `entry`: the kernel's first byte in the code.
Statistics find_main_loop(const Code& code, uint64_t entry);

}  // namespace convoy::amdgpu
