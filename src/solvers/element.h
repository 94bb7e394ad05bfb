// Reading and writing single elements of any type as double: for the reference, checks and random fills,
// where correctness is plain to see and speed is not the point.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "problem/dtype.h"

namespace convoy {

inline double load_element(const void* data, Dtype dtype, std::int64_t index) {
  switch (dtype) {
    case Dtype::f32: return static_cast<double>(static_cast<const float*>(data)[index]);
    case Dtype::f16: return static_cast<double>(float_from_f16(static_cast<const std::uint16_t*>(data)[index]));
    case Dtype::bf16: return static_cast<double>(float_from_bf16(static_cast<const std::uint16_t*>(data)[index]));
    case Dtype::f64: return static_cast<const double*>(data)[index];
    case Dtype::i8: return static_cast<double>(static_cast<const std::int8_t*>(data)[index]);
    case Dtype::i32: return static_cast<double>(static_cast<const std::int32_t*>(data)[index]);
  }
  return 0;
}

// Reads `count` elements, `step` apart, into every `target_step`-th double: load_element in a loop, with the type decided
// outside of it.
inline void load_row(const void* data, Dtype dtype, std::int64_t offset, std::int64_t step, std::int64_t count,
                     double* target, std::int64_t target_step = 1) {
  const auto each = [&](const auto* source, auto convert) {
    for (std::int64_t i = 0; i < count; ++i)
      target[i * target_step] = static_cast<double>(convert(source[offset + i * step]));
  };
  const auto same = [](auto value) { return value; };
  switch (dtype) {
    case Dtype::f32: return each(static_cast<const float*>(data), same);
    case Dtype::f16: return each(static_cast<const std::uint16_t*>(data), float_from_f16);
    case Dtype::bf16: return each(static_cast<const std::uint16_t*>(data), float_from_bf16);
    case Dtype::f64: return each(static_cast<const double*>(data), same);
    case Dtype::i8: return each(static_cast<const std::int8_t*>(data), same);
    case Dtype::i32: return each(static_cast<const std::int32_t*>(data), same);
  }
}

// Integers are rounded and clamped to their range (a sum of int8 products beyond 2^31 has no right answer in
// int32).
template <typename T>
T clamp_to_integer(double value) {
  constexpr double k_low = static_cast<double>(std::numeric_limits<T>::min());
  constexpr double k_high = static_cast<double>(std::numeric_limits<T>::max());
  if (!(value > k_low)) return std::numeric_limits<T>::min();
  return value < k_high ? static_cast<T>(std::nearbyint(value)) : std::numeric_limits<T>::max();
}

// Doubles become 16-bit floats by way of float: two roundings, which differ from one by at most half a unit
// of float.
inline void store_element(void* data, Dtype dtype, std::int64_t index, double value) {
  switch (dtype) {
    case Dtype::f32: static_cast<float*>(data)[index] = static_cast<float>(value); break;
    case Dtype::f16: static_cast<std::uint16_t*>(data)[index] = f16_from_float(static_cast<float>(value)); break;
    case Dtype::bf16: static_cast<std::uint16_t*>(data)[index] = bf16_from_float(static_cast<float>(value)); break;
    case Dtype::f64: static_cast<double*>(data)[index] = value; break;
    case Dtype::i8: static_cast<std::int8_t*>(data)[index] = clamp_to_integer<std::int8_t>(value); break;
    case Dtype::i32: static_cast<std::int32_t*>(data)[index] = clamp_to_integer<std::int32_t>(value); break;
  }
}

}  // namespace convoy
