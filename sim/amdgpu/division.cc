// The three steps with which the compilers divide exactly: scale, multiply-add, fix up; after the pseudo-code of AMD's instruction set
// manuals (e.g. "RDNA 2" ISA Reference Guide, V_DIV_SCALE_F32 and following).
#include <cmath>

#include "table.h"

namespace convoy::amdgpu {
namespace {

template <typename T>
struct Format;
template <>
struct Format<float> {
  static constexpr int k_fraction_bits = 23, k_exponent_mask = 255;
  static constexpr int k_scale = 64, k_far_apart = 96, k_small_numerator = 23, k_underflow = -150;
};
template <>
struct Format<double> {
  static constexpr int k_fraction_bits = 52, k_exponent_mask = 2047;
  static constexpr int k_scale = 128, k_far_apart = 768, k_small_numerator = 53, k_underflow = -1075;
};

template <typename T>
bool is_denormal(T value) {
  return std::fpclassify(value) == FP_SUBNORMAL;
}
template <typename T>
int biased_exponent(T value) {
  return static_cast<int>(to_word(value) >> Format<T>::k_fraction_bits) & Format<T>::k_exponent_mask;
}

template <typename T>
struct Scaled {
  T value;
  bool unscale;  // what div_fmas finds in VCC
};

// `scaled` is either the denominator or the numerator.
template <typename T>
Scaled<T> div_scale(T scaled, T denominator, T numerator) {
  using Of = Format<T>;
  const auto up = [&] { return std::ldexp(scaled, Of::k_scale); };
  if (numerator == 0 || denominator == 0) return {T{NAN}, false};
  if (biased_exponent(numerator) - biased_exponent(denominator) >= Of::k_far_apart) {
    return {scaled == denominator ? up() : scaled, true};
  }
  if (is_denormal(denominator)) return {up(), false};
  const bool tiny_reciprocal = is_denormal(1 / denominator), tiny_quotient = is_denormal(numerator / denominator);
  if (tiny_reciprocal && tiny_quotient) return {scaled == denominator ? up() : scaled, true};
  if (tiny_reciprocal) return {std::ldexp(scaled, -Of::k_scale), false};
  if (tiny_quotient) return {scaled == numerator ? up() : scaled, true};
  if (biased_exponent(numerator) <= Of::k_small_numerator) return {up(), false};
  return {scaled, false};
}

// Operands: destination, VCC, then the three.
template <typename T>
void run_div_scale(Wave& w, const Instruction& i) {
  Source<T> scaled, denominator, numerator;
  scaled.fetch(w, i, 2);
  denominator.fetch(w, i, 3);
  numerator.fetch(w, i, 4);
  Word<T> result[64];
  uint64_t unscale = 0;
  for (int l = 0; l < w.width; l++) {
    const auto step = div_scale(scaled[l], denominator[l], numerator[l]);
    result[l] = to_word(step.value);
    unscale |= static_cast<uint64_t>(step.unscale) << l;
  }
  if constexpr (sizeof(T) == 8) {
    store64(w, i, result);
  } else {
    store_plain(w, i, i.operands[0].index, result);
  }
  w.write_mask(i.operands[1].index, unscale & w.exec());
}

// What div_scale has scaled is scaled back: up where the quotient is large (the denominator was scaled), down where it is tiny.
template <typename T>
void run_div_fmas(Wave& w, const Instruction& i) {
  Source<T> a, b, c;
  a.fetch(w, i, 1);
  b.fetch(w, i, 2);
  c.fetch(w, i, 3);
  Word<T> result[64];
  for (int l = 0; l < w.width; l++) {
    const int back = biased_exponent(c[l]) > Format<T>::k_exponent_mask / 2 ? Format<T>::k_scale : -Format<T>::k_scale;
    const T value = std::fma(a[l], b[l], c[l]);
    result[l] = to_word(w.vcc() >> l & 1 ? std::ldexp(value, back) : value);
  }
  if constexpr (sizeof(T) == 8) {
    store64(w, i, result);
  } else {
    store32(w, i, result, Finish::f32);
  }
}

template <typename T>
T div_fixup(T quotient, T denominator, T numerator) {
  const auto quiet = [](T nan) { return from_word<T>(to_word(nan) | Word<T>{1} << (Format<T>::k_fraction_bits - 1)); };
  const T sign = std::signbit(denominator) != std::signbit(numerator) ? T{-1} : T{1};
  if (numerator != numerator) return quiet(numerator);
  if (denominator != denominator) return quiet(denominator);
  const bool both_zero = denominator == 0 && numerator == 0,
             both_infinite = std::isinf(denominator) && std::isinf(numerator);
  if (both_zero || both_infinite) return std::copysign(T{NAN}, T{-1});
  if (denominator == 0 || std::isinf(numerator)) return std::copysign(T{INFINITY}, sign);
  if (std::isinf(denominator) || numerator == 0) return std::copysign(T{0}, sign);
  if (biased_exponent(numerator) - biased_exponent(denominator) < Format<T>::k_underflow)
    return std::copysign(T{0}, sign);
  if (quotient != quotient) return std::copysign(T{INFINITY}, sign);  // the steps before have overflowed
  return std::copysign(quotient, sign);
}

}  // namespace

void add_division(Table& t) {
  t.add("v_div_scale_f32", {.run = run_div_scale<float>, .first_source = 2});
  t.add("v_div_scale_f64", {.run = run_div_scale<double>, .first_source = 2});
  t.add("v_div_fmas_f32", {run_div_fmas<float>});
  t.add("v_div_fmas_f64", {run_div_fmas<double>});
  t.lanes("v_div_fixup_f32", [](float a, float b, float c) { return div_fixup(a, b, c); });
  t.lanes("v_div_fixup_f16", [](F16 a, F16 b, F16 c) -> F16 { return div_fixup<float>(a, b, c); });
  t.lanes("v_div_fixup_f64", [](double a, double b, double c) { return div_fixup(a, b, c); });
}

}  // namespace convoy::amdgpu
