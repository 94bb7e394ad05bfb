// Element types of tensors, and conversions of the two 16-bit floats.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace convoy {

// The numbers are part of the C ABI: never renumber.
enum class Dtype { f32 = 0, f16 = 1, bf16 = 2, f64 = 3, i8 = 4, i32 = 5 };

std::string_view to_string(Dtype dtype);  // "f32"
std::optional<Dtype> dtype_from_string(std::string_view text);
std::int64_t size_of(Dtype dtype);  // bytes

// IEEE 754 binary16 and bfloat16, round to nearest even; NaN stays NaN, overflow becomes infinity.
std::uint16_t f16_from_float(float value);
std::uint16_t bf16_from_float(float value);

// Widening stands here, without branches, so that loops over elements become vector code.
inline float float_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7fffU;
  const std::uint32_t special = magnitude >= 0x7c00 ? 0x38000000U : 0U;  // infinity and NaN: exponent 31 becomes 255
  const std::uint32_t normal = (magnitude << 13) + 0x38000000U + special;
  // Zero and subnormals: units of 2^-24, exact in a float.
  const auto subnormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
  return std::bit_cast<float>(sign | (magnitude < 0x400 ? subnormal : normal));
}
inline float float_from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace convoy
