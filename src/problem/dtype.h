// Element types of tensors, and conversions of the two 16-bit floats.
#pragma once

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
float float_from_f16(std::uint16_t bits);
std::uint16_t bf16_from_float(float value);
float float_from_bf16(std::uint16_t bits);

}  // namespace convoy
