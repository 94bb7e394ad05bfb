// Numbers as registers hold them: 32-bit words, pairs of words, 16-bit halves. F16 computes in float and rounds once, which is what a
// half-precision add or multiply gives; the conversions are branch-free so that loops over lanes vectorise without F16C.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace convoy::amdgpu {

inline float half_to_float(uint32_t half) {
  // As a float's exponent and fraction, 112 too small; the multiplication is exact, also for denormals.
  uint32_t magnitude = std::bit_cast<uint32_t>(std::bit_cast<float>((half & 0x7fff) << 13) * 0x1p112f);
  magnitude |= (half & 0x7fff) >= 0x7c00 ? 0x7f800000 : 0;
  return std::bit_cast<float>(magnitude | (half & 0x8000) << 16);
}

inline uint16_t float_to_half(float value) {  // to nearest, ties to even
  const uint32_t word = std::bit_cast<uint32_t>(value), magnitude = word & 0x7fffffff;
  const uint32_t normal = (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  // One unit in the last place of 0.5 is the least denormal half: the addition rounds.
  const uint32_t denormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000;
  const uint32_t special = magnitude > 0x7f800000 ? 0x7e00 | (magnitude >> 13 & 0x3ff) : 0x7c00;
  const uint32_t half = magnitude >= 0x47800000 ? special : magnitude < 0x38800000 ? denormal : normal;
  return static_cast<uint16_t>(half | (word >> 16 & 0x8000));
}

// To the odd one of the two neighbours, where inexact: rounding that again to a half is as good as rounding once.
inline float to_odd_float(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || nearest != nearest) return nearest;
  uint32_t word = std::bit_cast<uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) word--;
  return std::bit_cast<float>(word | 1);
}

inline float bfloat_to_float(uint32_t value) {
  return std::bit_cast<float>(value << 16);
}
inline uint32_t float_to_bfloat(float value) {
  const uint32_t word = std::bit_cast<uint32_t>(value);
  if (value != value) return word >> 16 | 0x40;
  return (word + 0x7fff + (word >> 16 & 1)) >> 16;
}

struct F16 {
  uint16_t bits = 0;
  F16() = default;
  F16(float value) : bits(float_to_half(value)) {}
  F16(double value) : bits(float_to_half(to_odd_float(value))) {}
  operator float() const { return half_to_float(bits); }
  static F16 from_bits(uint32_t word) {
    F16 half;
    half.bits = static_cast<uint16_t>(word);
    return half;
  }
};

// The lane's word (or pair of words) that holds a T.
template <typename T>
using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T>
T from_word(Word<T> word) {
  if constexpr (std::is_same_v<T, F16>) {
    return F16::from_bits(word);
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::bit_cast<T>(word);
  } else {
    return static_cast<T>(word);
  }
}

template <typename T>
Word<T> to_word(T value) {
  if constexpr (std::is_same_v<T, F16>) {
    return value.bits;
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::bit_cast<Word<T>>(value);
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}

// AMD's minimum and maximum: the other one if one is not a number, and -0 below +0.
template <typename T>
T number_min(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}
template <typename T>
T number_max(T a, T b) {
  if (a != a) return b;
  if (b != b) return a;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}

}  // namespace convoy::amdgpu
