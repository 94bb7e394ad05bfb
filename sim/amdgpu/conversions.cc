// Vector conversions between number formats. Integers saturate, and what is no number becomes 0.
#include <algorithm>
#include <cmath>

#include "table.h"

namespace convoy::amdgpu {
namespace {

// Of float or double; a float's neighbours of 2^31 and 2^32 are far enough away for both comparisons.
template <typename T>
uint32_t to_unsigned(T value) {
  if (!(value > 0)) return 0;
  return value >= static_cast<T>(4294967295.0) ? ~0u : static_cast<uint32_t>(value);
}
template <typename T>
int32_t to_signed(T value) {
  if (value != value) return 0;
  if (value <= static_cast<T>(-2147483648.0)) return INT32_MIN;
  return value >= static_cast<T>(2147483647.0) ? INT32_MAX : static_cast<int32_t>(value);
}

uint32_t half_towards_zero(float value) {
  uint32_t half = float_to_half(value);
  const float nearest = half_to_float(half);
  if (std::isinf(nearest) && !std::isinf(value)) return (half & 0x8000) | 0x7bff;
  if (std::fabs(nearest) > std::fabs(value)) half--;
  return half;
}

void add_to_float(Table& t) {
  t.lanes("v_cvt_f32_u32", [](uint32_t a) { return static_cast<float>(a); });
  t.lanes("v_cvt_f32_i32", [](int32_t a) { return static_cast<float>(a); });
  t.lanes("v_cvt_f32_ubyte0", [](uint32_t a) { return static_cast<float>(a & 255); });
  t.lanes("v_cvt_f32_ubyte1", [](uint32_t a) { return static_cast<float>(a >> 8 & 255); });
  t.lanes("v_cvt_f32_ubyte2", [](uint32_t a) { return static_cast<float>(a >> 16 & 255); });
  t.lanes("v_cvt_f32_ubyte3", [](uint32_t a) { return static_cast<float>(a >> 24); });
  t.lanes("v_cvt_f32_f16", [](F16 a) { return float{a}; });
  t.lanes("v_cvt_f32_f64", [](double a) { return static_cast<float>(a); });
  t.lanes("v_cvt_f64_f32", [](float a) { return static_cast<double>(a); });
  t.lanes("v_cvt_f64_i32", [](int32_t a) { return static_cast<double>(a); });
  t.lanes("v_cvt_f64_u32", [](uint32_t a) { return static_cast<double>(a); });
}

void add_to_integer(Table& t) {
  t.lanes("v_cvt_u32_f32", [](float a) { return to_unsigned(a); });
  t.lanes("v_cvt_i32_f32", [](float a) { return to_signed(a); });
  t.lanes("v_cvt_rpi_i32_f32", [](float a) { return to_signed(std::floor(a + 0.5F)); });
  t.lanes("v_cvt_flr_i32_f32", [](float a) { return to_signed(std::floor(a)); });
  t.alias("v_cvt_nearest_i32_f32", "v_cvt_rpi_i32_f32");
  t.alias("v_cvt_floor_i32_f32", "v_cvt_flr_i32_f32");
  t.lanes("v_cvt_u32_f64", [](double a) { return to_unsigned(a); });
  t.lanes("v_cvt_i32_f64", [](double a) { return to_signed(a); });
  t.lanes("v_cvt_pk_u16_u32", [](uint32_t a, uint32_t b) { return std::min(a, 65535u) | std::min(b, 65535u) << 16; });
  t.lanes("v_cvt_pk_i16_i32", [](int32_t a, int32_t b) {
    const auto half = [](int32_t x) { return static_cast<uint32_t>(std::clamp(x, -32768, 32767)) & 0xffff; };
    return half(a) | half(b) << 16;
  });
}

void add_halves(Table& t) {
  t.lanes("v_cvt_f16_f32", [](float a) { return F16(a); });
  t.lanes("v_cvt_f16_u16", [](uint16_t a) { return F16(static_cast<float>(a)); });
  t.lanes("v_cvt_f16_i16", [](int16_t a) { return F16(static_cast<float>(a)); });
  t.lanes("v_cvt_u16_f16", [](F16 a) { return static_cast<uint16_t>(std::min(to_unsigned(float{a}), 65535u)); });
  t.lanes("v_cvt_i16_f16", [](F16 a) { return static_cast<int16_t>(std::clamp(to_signed(float{a}), -32768, 32767)); });
  t.lanes("v_cvt_pkrtz_f16_f32", [](float a, float b) { return half_towards_zero(a) | half_towards_zero(b) << 16; });
  t.alias("v_cvt_pk_rtz_f16_f32", "v_cvt_pkrtz_f16_f32");
  t.lanes("v_pack_b32_f16", [](F16 a, F16 b) { return a.bits | static_cast<uint32_t>(b.bits) << 16; });
}

}  // namespace

void add_conversions(Table& t) {
  add_to_float(t);
  add_to_integer(t);
  add_halves(t);
}

}  // namespace convoy::amdgpu
