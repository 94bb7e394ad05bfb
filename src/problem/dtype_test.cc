// The 16-bit conversions, over all patterns and against the definition of rounding.
#include "problem/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 20240611;

TEST(Dtype, NamesAndSizes) {
  const std::int64_t sizes[] = {4, 2, 2, 8, 1, 4};
  for (int i = 0; i < 6; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype);
    EXPECT_EQ(size_of(dtype), sizes[i]);
  }
  EXPECT_EQ(to_string(Dtype::bf16), "bf16");
  EXPECT_EQ(dtype_from_string("f8"), std::nullopt);
  EXPECT_EQ(dtype_from_string(""), std::nullopt);
}

// The value of a 16-bit pattern by the definition of the format.
double value_of(std::uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int implicit = exponent == 0 ? 0 : 1 << mantissa_bits;
  const double magnitude = std::ldexp(mantissa + implicit, std::max(exponent, 1) - bias - mantissa_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Dtype, EveryPatternSurvives) {
  for (int i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const bool f16_special = (bits & 0x7c00) == 0x7c00;
    const bool bf16_special = (bits & 0x7f80) == 0x7f80;
    if (!f16_special) {
      ASSERT_EQ(float_from_f16(bits), value_of(bits, 10)) << i;
    }
    if (!bf16_special) {
      ASSERT_EQ(float_from_bf16(bits), value_of(bits, 7)) << i;
    }
    ASSERT_EQ(std::isnan(float_from_f16(bits)), f16_special && (bits & 0x3ff) != 0) << i;
    ASSERT_EQ(std::isnan(float_from_bf16(bits)), bf16_special && (bits & 0x7f) != 0) << i;
    if (std::isnan(float_from_f16(bits))) {
      ASSERT_TRUE(std::isnan(float_from_f16(f16_from_float(float_from_f16(bits))))) << i;
    } else {
      ASSERT_EQ(f16_from_float(float_from_f16(bits)), bits) << i;
    }
    if (std::isnan(float_from_bf16(bits))) {
      ASSERT_TRUE(std::isnan(float_from_bf16(bf16_from_float(float_from_bf16(bits))))) << i;
    } else {
      ASSERT_EQ(bf16_from_float(float_from_bf16(bits)), bits) << i;
    }
  }
}

// Between neighbours a and b (adjacent patterns), the middle goes to the even one and the rest to the nearer
// one.
void check_between(std::uint16_t low, int mantissa_bits, std::uint16_t (*round)(float)) {
  const auto high = static_cast<std::uint16_t>(low + 1);
  const auto middle = static_cast<float>((value_of(low, mantissa_bits) + value_of(high, mantissa_bits)) / 2);
  ASSERT_EQ(round(middle), (low & 1) == 0 ? low : high) << low;
  ASSERT_EQ(round(std::nextafterf(middle, 0)), low) << low;
  ASSERT_EQ(round(std::nextafterf(middle, std::numeric_limits<float>::infinity())), high) << low;
  ASSERT_EQ(round(-middle), ((low & 1) == 0 ? low : high) | 0x8000) << low;
}

TEST(Dtype, RoundsToNearestEven) {
  // Up to the largest finite number, whose upper neighbour's pattern is infinity's: 65520 rounds to infinity.
  for (int i = 0; i < 0x7c00; ++i) check_between(static_cast<std::uint16_t>(i), 10, f16_from_float);
  for (int i = 0; i < 0x7f7f; ++i) check_between(static_cast<std::uint16_t>(i), 7, bf16_from_float);
}

TEST(Dtype, Extremes) {
  constexpr float k_infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(f16_from_float(65519.0F), 0x7bff);
  EXPECT_EQ(f16_from_float(65520.0F), 0x7c00);
  EXPECT_EQ(f16_from_float(1e30F), 0x7c00);
  EXPECT_EQ(f16_from_float(-k_infinity), 0xfc00);
  EXPECT_EQ(f16_from_float(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(f16_from_float(-0.0F), 0x8000);
  EXPECT_EQ(bf16_from_float(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(bf16_from_float(k_infinity), 0x7f80);
  // A NaN whose payload sits in the bits that are cut off must not become infinity.
  const auto quiet_payload = std::bit_cast<float>(0x7f800001U);
  EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(quiet_payload))));
  EXPECT_TRUE(std::isnan(float_from_f16(f16_from_float(quiet_payload))));
}

TEST(Dtype, RandomFloatsGoToANeighbour) {
  SCOPED_TRACE(k_seed);
  std::mt19937 engine(k_seed);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(engine()));
    if (std::isnan(value)) continue;
    const float narrow = float_from_bf16(bf16_from_float(value));
    if (std::isinf(narrow)) continue;
    ASSERT_LE(std::fabs(static_cast<double>(narrow) - value), std::fabs(static_cast<double>(value)) / 256 + 1e-40)
        << value;
  }
}

}  // namespace
}  // namespace convoy
