// Operations on bits that scalar and vector instructions share.
#pragma once

#include <bit>
#include <cstdint>

namespace convoy::amdgpu {

inline uint32_t low_word(uint64_t value) {
  return static_cast<uint32_t>(value);
}
inline uint32_t high_word(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

inline uint32_t reverse_bits(uint32_t value) {
  value = (value >> 1 & 0x55555555) | (value & 0x55555555) << 1;
  value = (value >> 2 & 0x33333333) | (value & 0x33333333) << 2;
  value = (value >> 4 & 0x0f0f0f0f) | (value & 0x0f0f0f0f) << 4;
  return __builtin_bswap32(value);
}

// Positions of bits; -1: there is none.
template <typename T>
uint32_t first_one(T value) {
  return value ? static_cast<uint32_t>(std::countr_zero(value)) : ~0u;
}
template <typename T>
uint32_t first_one_from_top(T value) {
  return value ? static_cast<uint32_t>(std::countl_zero(value)) : ~0u;
}
inline uint32_t first_not_sign(uint32_t value) {
  return first_one_from_top(static_cast<int32_t>(value) < 0 ? ~value : value);
}

// `bits` bits from `shift` on. bits < 32, as the vector instructions have it.
inline uint32_t field(uint32_t value, uint32_t shift, uint32_t bits) {
  return value >> shift & ((1u << bits) - 1);
}
inline uint32_t signed_field(uint32_t value, uint32_t shift, uint32_t bits) {
  if (bits == 0) return 0;
  const uint32_t up = 32 - bits;
  return static_cast<uint32_t>(static_cast<int32_t>(field(value, shift, bits) << up) >> up);
}

}  // namespace convoy::amdgpu
