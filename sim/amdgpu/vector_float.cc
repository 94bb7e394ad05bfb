// Vector instructions on float and double. Reciprocals, roots, exponentials and logarithms are correctly rounded or the host's libm;
// hardware may differ in the last place. Denormals are kept, whatever the kernel's mode says.
#include <algorithm>
#include <cmath>

#include "float_functions.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

void add_sums(Table& t) {
  t.lanes(
      "v_add_f32", [](float a, float b) { return a + b; }, 1);
  t.lanes(
      "v_sub_f32", [](float a, float b) { return a - b; }, 1);
  t.lanes(
      "v_subrev_f32", [](float a, float b) { return b - a; }, 1);
  t.lanes(
      "v_mul_f32", [](float a, float b) { return a * b; }, 1);
  t.lanes(
      "v_mul_legacy_f32", [](float a, float b) { return a == 0 || b == 0 ? 0.0F : a * b; }, 1);
  t.alias("v_mul_dx9_zero_f32", "v_mul_legacy_f32");
  // "mac" and "mad" round twice, "fma" once.
  for (const char* name : {"v_mad_f32", "v_madmk_f32", "v_madak_f32"}) {
    t.lanes(
        name, [](float a, float b, float c) { return a * b + c; }, 2, Class::fma);
  }
  for (const char* name : {"v_fma_f32", "v_fmamk_f32", "v_fmaak_f32"}) {
    t.lanes(
        name, [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }, 2, Class::fma);
  }
  t.accumulate(
      "v_mac_f32", [](float a, float b, float sum) { return a * b + sum; }, 2, Class::fma);
  t.accumulate(
      "v_fmac_f32", [](float a, float b, float sum) { return __builtin_fmaf(a, b, sum); }, 2, Class::fma);
}

void add_order(Table& t) {
  t.lanes("v_min_f32", [](float a, float b) { return number_min(a, b); });
  t.lanes("v_max_f32", [](float a, float b) { return number_max(a, b); });
  t.lanes("v_min3_f32", [](float a, float b, float c) { return number_min(number_min(a, b), c); });
  t.lanes("v_max3_f32", [](float a, float b, float c) { return number_max(number_max(a, b), c); });
  t.lanes("v_med3_f32", [](float a, float b, float c) { return median(a, b, c); });
  t.lanes("v_maxmin_f32", [](float a, float b, float c) { return number_min(number_max(a, b), c); });
  t.lanes("v_minmax_f32", [](float a, float b, float c) { return number_max(number_min(a, b), c); });
}

void add_functions(Table& t) {
  t.lanes("v_rcp_f32", [](float a) { return 1.0F / a; });
  t.alias("v_rcp_iflag_f32", "v_rcp_f32");
  t.lanes("v_rsq_f32", [](float a) { return 1.0F / std::sqrt(a); });
  t.lanes("v_sqrt_f32", [](float a) { return std::sqrt(a); });
  t.lanes("v_log_f32", [](float a) { return std::log2(a); });
  t.lanes("v_exp_f32", [](float a) { return std::exp2(a); });
  t.lanes("v_sin_f32", [](float a) { return sine_of_turns(a); });
  t.lanes("v_cos_f32", [](float a) { return cosine_of_turns(a); });
  t.lanes("v_floor_f32", [](float a) { return std::floor(a); });
  t.lanes("v_ceil_f32", [](float a) { return std::ceil(a); });
  t.lanes("v_trunc_f32", [](float a) { return std::trunc(a); });
  t.lanes("v_rndne_f32", [](float a) { return std::nearbyint(a); });
  t.lanes("v_fract_f32", [](float a) { return fraction_above_floor(a); });
  t.lanes("v_ldexp_f32", [](float a, int32_t b) { return std::ldexp(a, b); });
  t.lanes("v_frexp_mant_f32", [](float a) { return fraction_of(a); });
  t.lanes("v_frexp_exp_i32_f32", [](float a) { return exponent_of(a); });
}

void add_double(Table& t) {
  t.lanes(
      "v_add_f64", [](double a, double b) { return a + b; }, 1);
  t.lanes(
      "v_mul_f64", [](double a, double b) { return a * b; }, 1);
  t.lanes(
      "v_fma_f64", [](double a, double b, double c) { return __builtin_fma(a, b, c); }, 2, Class::fma);
  t.accumulate(
      "v_fmac_f64", [](double a, double b, double sum) { return __builtin_fma(a, b, sum); }, 2, Class::fma);
  t.lanes("v_min_f64", [](double a, double b) { return number_min(a, b); });
  t.lanes("v_max_f64", [](double a, double b) { return number_max(a, b); });
  t.lanes("v_rcp_f64", [](double a) { return 1 / a; });
  t.lanes("v_rsq_f64", [](double a) { return 1 / std::sqrt(a); });
  t.lanes("v_sqrt_f64", [](double a) { return std::sqrt(a); });
  t.lanes("v_floor_f64", [](double a) { return std::floor(a); });
  t.lanes("v_ceil_f64", [](double a) { return std::ceil(a); });
  t.lanes("v_trunc_f64", [](double a) { return std::trunc(a); });
  t.lanes("v_rndne_f64", [](double a) { return std::nearbyint(a); });
  t.lanes("v_fract_f64", [](double a) { return std::min(a - std::floor(a), 0x1.fffffffffffffp-1); });
  t.lanes("v_ldexp_f64", [](double a, int32_t b) { return std::ldexp(a, b); });
  t.lanes("v_frexp_mant_f64", [](double a) { return fraction_of(a); });
  t.lanes("v_frexp_exp_i32_f64", [](double a) { return exponent_of(a); });
}

}  // namespace

void add_vector_float(Table& t) {
  add_sums(t);
  add_order(t);
  add_functions(t);
  add_double(t);
}

}  // namespace convoy::amdgpu
