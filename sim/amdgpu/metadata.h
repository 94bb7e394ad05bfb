// The metadata note of a code object: MessagePack, "amdhsa.kernels" with each kernel's arguments and resources
// (LLVM, "User Guide for AMDGPU Backend", code object metadata).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "amdgpu.h"

namespace convoy::amdgpu {

struct KernelMetadata {
  Kernel kernel;           // without what the descriptor says
  std::string descriptor;  // its symbol
};

// Throws Fault where the note is damaged.
std::vector<KernelMetadata> read_metadata(std::span<const uint8_t> note);

}  // namespace convoy::amdgpu
