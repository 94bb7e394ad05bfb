// Vector instructions on one 16-bit float a lane. Each computes in float or double and rounds once.
#include <cmath>

#include "float_functions.h"
#include "half_arithmetic.h"
#include "table.h"

namespace convoy::amdgpu {

void add_vector_half(Table& t) {
  t.lanes(
      "v_add_f16", [](F16 a, F16 b) -> F16 { return float{a} + float{b}; }, 1);
  t.lanes(
      "v_sub_f16", [](F16 a, F16 b) -> F16 { return float{a} - float{b}; }, 1);
  t.lanes(
      "v_subrev_f16", [](F16 a, F16 b) -> F16 { return float{b} - float{a}; }, 1);
  t.lanes(
      "v_mul_f16", [](F16 a, F16 b) -> F16 { return float{a} * float{b}; }, 1);
  t.lanes(
      "v_fma_f16", [](F16 a, F16 b, F16 c) { return fused(a, b, c); }, 2, Class::fma);
  t.accumulate(
      "v_fmac_f16", [](F16 a, F16 b, F16 sum) { return fused(a, b, sum); }, 2, Class::fma);
  t.lanes(
      "v_mad_f16", [](F16 a, F16 b, F16 c) { return rounded_twice(a, b, c); }, 2, Class::fma);
  t.accumulate(
      "v_mac_f16", [](F16 a, F16 b, F16 sum) { return rounded_twice(a, b, sum); }, 2, Class::fma);
  t.lanes("v_min_f16", [](F16 a, F16 b) -> F16 { return number_min<float>(a, b); });
  t.lanes("v_max_f16", [](F16 a, F16 b) -> F16 { return number_max<float>(a, b); });
  t.lanes("v_min3_f16", [](F16 a, F16 b, F16 c) -> F16 { return number_min(number_min<float>(a, b), float{c}); });
  t.lanes("v_max3_f16", [](F16 a, F16 b, F16 c) -> F16 { return number_max(number_max<float>(a, b), float{c}); });
  t.lanes("v_med3_f16", [](F16 a, F16 b, F16 c) -> F16 { return median(a, b, c); });
  t.lanes("v_fract_f16", [](F16 a) -> F16 { return std::min(float{a} - std::floor(float{a}), 0x1.ffcp-1F); });
  t.lanes("v_sin_f16", [](F16 a) -> F16 { return sine_of_turns(a); });
  t.lanes("v_cos_f16", [](F16 a) -> F16 { return cosine_of_turns(a); });
  t.lanes("v_ldexp_f16", [](F16 a, int16_t b) -> F16 { return std::ldexp(float{a}, b); });
  t.lanes("v_frexp_mant_f16", [](F16 a) -> F16 { return fraction_of(float{a}); });
  t.lanes("v_frexp_exp_i16_f16", [](F16 a) { return static_cast<int16_t>(exponent_of(float{a})); });
  t.lanes("v_rcp_f16", [](F16 a) -> F16 { return 1 / float{a}; });
  t.lanes("v_sqrt_f16", [](F16 a) -> F16 { return std::sqrt(float{a}); });
  t.lanes("v_rsq_f16", [](F16 a) -> F16 { return 1 / std::sqrt(float{a}); });
  t.lanes("v_exp_f16", [](F16 a) -> F16 { return std::exp2(float{a}); });
  t.lanes("v_log_f16", [](F16 a) -> F16 { return std::log2(float{a}); });
  t.lanes("v_floor_f16", [](F16 a) -> F16 { return std::floor(float{a}); });
  t.lanes("v_ceil_f16", [](F16 a) -> F16 { return std::ceil(float{a}); });
  t.lanes("v_trunc_f16", [](F16 a) -> F16 { return std::trunc(float{a}); });
  t.lanes("v_rndne_f16", [](F16 a) -> F16 { return std::nearbyint(float{a}); });
}

}  // namespace convoy::amdgpu
