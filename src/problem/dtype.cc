// Names, sizes and 16-bit conversions of the element types. The conversions are bit manipulation because the
// 16-bit types of GCC 12 and clang 14 differ in what they support; dtype_test.cc checks them over all 65536
// patterns.
#include "problem/dtype.h"

#include <array>
#include <bit>

namespace convoy {
namespace {

struct DtypeRow {
  std::string_view name;
  std::int64_t size;
};

// Indexed by Dtype.
constexpr std::array<DtypeRow, 6> k_dtypes{{{"f32", 4}, {"f16", 2}, {"bf16", 2}, {"f64", 8}, {"i8", 1}, {"i32", 4}}};

const DtypeRow& row_of(Dtype dtype) {
  return k_dtypes[static_cast<std::size_t>(dtype)];
}

// Drops the low `count` bits (1 to 31), rounding to nearest, ties to even. A carry runs into the exponent,
// which is what IEEE formats want: the largest mantissa rounds up to the next power of two, the largest
// number to infinity.
std::uint32_t round_off(std::uint32_t bits, int count) {
  const std::uint32_t half = (1U << (count - 1)) - 1;
  const std::uint32_t odd = (bits >> count) & 1;
  return (bits + half + odd) >> count;
}

}  // namespace

std::string_view to_string(Dtype dtype) {
  return row_of(dtype).name;
}

std::int64_t size_of(Dtype dtype) {
  return row_of(dtype).size;
}

std::optional<Dtype> dtype_from_string(std::string_view text) {
  for (std::size_t i = 0; i < k_dtypes.size(); ++i) {
    if (k_dtypes[i].name == text) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

std::uint16_t f16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  std::uint32_t half = 0x7c00;  // infinity
  if (magnitude > 0x7f800000) {
    half = 0x7e00;  // NaN, made quiet
  } else if (exponent >= -14 && exponent <= 15) {
    half = round_off(magnitude - ((127U - 15U) << 23), 13);
  } else if (exponent < -14) {
    // Subnormal: units of 2^-24. Below half of the smallest everything rounds to zero.
    const std::uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    half = exponent < -25 ? 0 : round_off(mantissa, -exponent - 1);
  }
  return static_cast<std::uint16_t>(sign | half);
}

std::uint16_t bf16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // Rounding could carry a NaN into infinity: keep its sign, make it quiet.
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>(round_off(bits, 16));
}

}  // namespace convoy
