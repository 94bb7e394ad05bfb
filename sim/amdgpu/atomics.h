// Read-modify-write of memory, for global memory and LDS alike. They are atomic on the host too: groups run in several threads.
#pragma once

#include "wave.h"

namespace convoy::amdgpu {

enum class Atomic : uint8_t {
  swap,
  compare_swap,
  add,
  subtract,
  signed_min,
  unsigned_min,
  signed_max,
  unsigned_max,
  bit_and,
  bit_or,
  bit_xor,
  increment,
  decrement,
  reverse_subtract,
  float_add,
  float_min,
  float_max,
  double_add,
  packed_half_add,
  packed_bfloat_add,
};

// In Instruction::arg: the operation and these.
constexpr uint32_t k_atomic_wide = 256;     // 64 bits
constexpr uint32_t k_atomic_returns = 512;  // LDS: there is a destination

uint32_t atomic_word(uint8_t* memory, Atomic operation, uint32_t value, uint32_t compare);
uint64_t atomic_pair(uint8_t* memory, Atomic operation, uint64_t value, uint64_t compare);

// With the lane's registers from `data` on (compare_swap: value, then what to compare with). Returns what was there.
uint64_t atomic_lane(Wave& w, const Instruction& i, int lane, uint8_t* memory, uint32_t data);
void return_old(Wave& w, const Instruction& i, int lane, uint64_t old);

inline Atomic operation_of(const Instruction& i) {
  return static_cast<Atomic>(i.arg & 255);
}
inline bool is_wide(const Instruction& i) {
  return i.arg & k_atomic_wide;
}
inline uint64_t lane_pair(Wave& w, uint32_t reg, int lane) {
  return w.vgpr(reg)[lane] | static_cast<uint64_t>(w.vgpr(reg + 1)[lane]) << 32;
}

}  // namespace convoy::amdgpu
