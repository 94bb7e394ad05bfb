// What the command processor does before a wave's first instruction: arguments, dispatch packet, initial registers
// (LLVM, "User Guide for AMDGPU Backend": kernel descriptor, initial kernel execution state; HSA runtime: kernel dispatch packet).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "amdgpu.h"
#include "code_object.h"
#include "wave.h"

namespace convoy::amdgpu {

// All that the groups of a launch share.
struct Job {
  const Kernel& kernel;
  const Launch& launch;
  const CodeObject& object;
  const Code& code;
  int generation;
  int width;  // lanes a wave
  uint32_t lds_bytes;
  std::vector<uint8_t> arguments;    // explicit and hidden
  std::array<uint8_t, 64> packet{};  // hsa_kernel_dispatch_packet_t
  std::array<uint64_t, 16> queue{};  // as much of amd_queue_t as code reads: the apertures
  std::vector<Range> memory;         // sorted; empty: no checks

  Job(const Kernel& launched, const Launch& how, const CodeObject& loaded, const Code& decoded, int target_generation);
  Job(const Job&) = delete;  // `memory` and the packet point into it
  Job& operator=(const Job&) = delete;

  uint64_t groups() const;
  // The size of this group: less at the edge of a grid that groups do not fill.
  std::array<uint32_t, 3> size_of_group(const uint32_t (&id)[3]) const;
};

// Registers of wave `id` of the group; `size`: the group's threads along x, y and z.
void start_wave(const Job& job, const std::array<uint32_t, 3>& size, Wave& w);

}  // namespace convoy::amdgpu
