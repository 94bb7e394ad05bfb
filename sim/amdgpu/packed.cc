// Packed instructions: two halves in a register, two floats in a pair of registers (gfx90a), the mixed-precision multiply-add, and the
// dot products. For these op_sel and op_sel_hi pick, for the low and for the high result, which part each source gives.
#include <algorithm>
#include <cmath>

#include "half_arithmetic.h"
#include "integer_bits.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

// F: on F16, uint16_t or int16_t.
template <typename F>
struct PackedHalves {
  using T = typename Signature<F>::template Parameter<0>;
  static constexpr int k_arity = Signature<F>::k_arity;
  static constexpr bool k_float = std::is_same_v<T, F16>;
  static constexpr bool k_saturated = Destination<typename Signature<F>::Result>::k_saturated;

  static T plain(T value) { return value; }
  static T plain(Saturated<T> value) { return value.value; }

  [[gnu::always_inline]] static void run(Wave& w, const Instruction& i) {
    if (!k_float && !k_saturated && i.clamp) w.fault("clamp of this operation on packed integers is not modelled");
    uint32_t store[3][64], result[64] = {};
    const uint32_t* source[3] = {};
    for (int k = 0; k < k_arity; k++) source[k] = fetch32(w, i, k + 1, store[k]);
    for (int half = 0; half < 2; half++) {
      uint32_t shift[3] = {}, flip[3] = {};
      for (int k = 0; k < k_arity; k++) {
        shift[k] = (half ? i.op_sel_hi : i.op_sel) >> k & 1 ? 16 : 0;
        flip[k] = k_float && ((half ? i.neg_hi : i.neg_lo) >> k & 1) ? 0x8000 : 0;
      }
      const auto value = [&](int k, int l) { return from_word<T>((source[k][l] >> shift[k] & 0xffff) ^ flip[k]); };
      for (int l = 0; l < w.width; l++) {
        T x;
        if constexpr (k_arity == 2) x = plain(F{}(value(0, l), value(1, l)));
        if constexpr (k_arity == 3) x = plain(F{}(value(0, l), value(1, l), value(2, l)));
        if constexpr (k_float) {
          if (i.clamp) x = clamped(x);
        }
        result[l] |= (to_word(x) & 0xffff) << (16 * half);
      }
    }
    store_plain(w, i, i.operands[0].index, result);
  }
};

// F: on float.
template <typename F>
struct PackedFloats {
  static constexpr int k_arity = Signature<F>::k_arity;

  [[gnu::always_inline]] static void run(Wave& w, const Instruction& i) {
    alignas(64) uint32_t store[3][64], result[2][64];
    for (int half = 0; half < 2; half++) {
      const uint32_t* source[3] = {};
      for (int k = 0; k < k_arity; k++) {
        const Operand& o = i.operands[k + 1];
        const uint16_t part = (half ? i.op_sel_hi : i.op_sel) >> k & 1;
        const uint32_t flip = (half ? i.neg_hi : i.neg_lo) >> k & 1 ? 0x80000000 : 0;
        if (o.kind == Kind::vector && !flip) {
          source[k] = w.vgpr(static_cast<uint32_t>(o.index) + part);
          continue;
        }
        for (int l = 0; l < w.width; l++) {
          const uint32_t word = o.kind == Kind::vector     ? w.vgpr(static_cast<uint32_t>(o.index) + part)[l]
                                : o.kind == Kind::constant ? o.word
                                                           : w.read(static_cast<uint32_t>(o.index) + part);
          store[k][l] = word ^ flip;
        }
        source[k] = store[k];
      }
      for (int l = 0; l < w.width; l++) {
        const auto value = [&](int k) { return from_word<float>(source[k][l]); };
        if constexpr (k_arity == 2) result[half][l] = to_word(F{}(value(0), value(1)));
        if constexpr (k_arity == 3) result[half][l] = to_word(F{}(value(0), value(1), value(2)));
      }
    }
    for (int half = 0; half < 2; half++)
      store_plain(w, i, static_cast<uint16_t>(i.operands[0].index + half), result[half]);
  }
};

// The low word of the first source's and the high word of the second source's selected register.
void packed_move(Wave& w, const Instruction& i) {
  uint32_t result[2][64];
  for (int half = 0; half < 2; half++) {
    const Operand& o = i.operands[1 + half];
    const uint32_t index = o.index + (i.op_sel >> half & 1u);
    for (int l = 0; l < w.width; l++) {
      result[half][l] = o.kind == Kind::vector ? w.vgpr(index)[l] : o.kind == Kind::constant ? o.word : w.read(index);
    }
  }
  for (int half = 0; half < 2; half++)
    store_plain(w, i, static_cast<uint16_t>(i.operands[0].index + half), result[half]);
}

// Both halves of the destination; no op_sel.
void packed_fmac_half(Wave& w, const Instruction& i) {
  uint32_t store_a[64], store_b[64], result[64];
  const uint32_t *a = fetch32(w, i, 1, store_a), *b = fetch32(w, i, 2, store_b), *sum = w.vgpr(i.operands[0].index);
  const auto half = [](uint32_t word, int shift) { return F16::from_bits(word >> shift); };
  for (int l = 0; l < w.width; l++) {
    result[l] = fused(half(a[l], 0), half(b[l], 0), half(sum[l], 0)).bits |
                static_cast<uint32_t>(fused(half(a[l], 16), half(b[l], 16), half(sum[l], 16)).bits) << 16;
  }
  store_plain(w, i, i.operands[0].index, result);
}

// A source is a half where op_sel_hi says so, and op_sel which; neg_hi is "absolute" here. DESTINATION: which half, or the whole word.
enum class Mixed { word, low_half, high_half };
template <Mixed destination>
struct MixedFma {
  [[gnu::always_inline]] static void run(Wave& w, const Instruction& i) {
    uint32_t store[3][64], result[64];
    const uint32_t* source[3];
    for (int k = 0; k < 3; k++) source[k] = fetch32(w, i, k + 1, store[k]);
    const uint32_t halves = i.op_sel_hi_given ? i.op_sel_hi : 0;
    const uint32_t* old = w.vgpr(i.operands[0].index);
    const auto value = [&](int k, int l) {
      const uint32_t word = source[k][l];
      float x = halves >> k & 1 ? half_to_float(word >> (i.op_sel >> k & 1 ? 16 : 0) & 0xffff) : from_word<float>(word);
      if (i.neg_hi >> k & 1) x = std::fabs(x);
      return i.neg_lo >> k & 1 ? -x : x;
    };
    for (int l = 0; l < w.width; l++) {
      float x = __builtin_fmaf(value(0, l), value(1, l), value(2, l));
      if (i.clamp) x = clamped(x);
      if constexpr (destination == Mixed::word) result[l] = to_word(x);
      if constexpr (destination == Mixed::low_half) result[l] = (old[l] & 0xffff0000) | to_word(F16(x));
      if constexpr (destination == Mixed::high_half) result[l] = (old[l] & 0xffff) | to_word(F16(x)) << 16;
    }
    store_plain(w, i, i.operands[0].index, result);
  }
};

uint32_t dot_signed(uint32_t a, uint32_t b, uint32_t sum, int bits) {
  for (uint32_t n = 0; n < 32; n += static_cast<uint32_t>(bits)) {
    const auto part = [&](uint32_t x) { return signed_field(x, n, static_cast<uint32_t>(bits)); };
    sum += part(a) * part(b);
  }
  return sum;
}
uint32_t dot_unsigned(uint32_t a, uint32_t b, uint32_t sum, int bits) {
  for (uint32_t n = 0; n < 32; n += static_cast<uint32_t>(bits)) {
    const auto part = [&](uint32_t x) { return field(x, n, static_cast<uint32_t>(bits)); };
    sum += part(a) * part(b);
  }
  return sum;
}

// How hardware rounds inside these sums is not documented alike for all generations; this rounds after each step.
float dot2_half(uint32_t a, uint32_t b, float sum) {
  return half_to_float(a & 0xffff) * half_to_float(b & 0xffff) + half_to_float(a >> 16) * half_to_float(b >> 16) + sum;
}
float dot2_bfloat(uint32_t a, uint32_t b, float sum) {
  return bfloat_to_float(a & 0xffff) * bfloat_to_float(b & 0xffff) +
         bfloat_to_float(a >> 16) * bfloat_to_float(b >> 16) + sum;
}

// gfx11's mixed-sign product of parts: neg_lo says which of the sources is signed.
template <int bits>
void dot_any_sign(Wave& w, const Instruction& i) {
  if (i.clamp) w.fault("clamp of a dot product is not modelled");
  uint32_t store_a[64], store_b[64], store_c[64], result[64];
  const uint32_t *a = fetch32(w, i, 1, store_a), *b = fetch32(w, i, 2, store_b), *c = fetch32(w, i, 3, store_c);
  const bool a_signed = i.neg_lo & 1, b_signed = i.neg_lo & 2;
  for (int l = 0; l < w.width; l++) {
    result[l] = c[l];
    for (uint32_t n = 0; n < 32; n += bits) {
      result[l] += (a_signed ? signed_field(a[l], n, bits) : field(a[l], n, bits)) *
                   (b_signed ? signed_field(b[l], n, bits) : field(b[l], n, bits));
    }
  }
  store_plain(w, i, i.operands[0].index, result);
}

template <typename F>
void halves(Table& t, const char* name, F, uint8_t flops = 0, Class kind = Class::valu) {
  t.add(name, {tuned<PackedHalves<F>>(), kind, flops});
}
template <typename F>
void floats(Table& t, const char* name, F, uint8_t flops, Class kind = Class::valu) {
  t.add(name, {tuned<PackedFloats<F>>(), kind, flops});
}

void add_packed_floats(Table& t) {
  halves(
      t, "v_pk_add_f16", [](F16 a, F16 b) -> F16 { return float{a} + float{b}; }, 2);
  halves(
      t, "v_pk_mul_f16", [](F16 a, F16 b) -> F16 { return float{a} * float{b}; }, 2);
  halves(
      t, "v_pk_fma_f16", [](F16 a, F16 b, F16 c) { return fused(a, b, c); }, 4, Class::fma);
  halves(t, "v_pk_min_f16", [](F16 a, F16 b) -> F16 { return number_min<float>(a, b); });
  halves(t, "v_pk_max_f16", [](F16 a, F16 b) -> F16 { return number_max<float>(a, b); });
  t.add("v_pk_fmac_f16", {packed_fmac_half, Class::fma, 4});
  floats(
      t, "v_pk_fma_f32", [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }, 4, Class::fma);
  floats(
      t, "v_pk_mul_f32", [](float a, float b) { return a * b; }, 2);
  floats(
      t, "v_pk_add_f32", [](float a, float b) { return a + b; }, 2);
  t.add("v_pk_mov_b32", {packed_move});
  for (const char* kind : {"v_mad_mix", "v_fma_mix"}) {
    t.add(std::string(kind) + "_f32", {tuned<MixedFma<Mixed::word>>(), Class::fma, 2});
    t.add(std::string(kind) + "lo_f16", {tuned<MixedFma<Mixed::low_half>>(), Class::fma, 2});
    t.add(std::string(kind) + "hi_f16", {tuned<MixedFma<Mixed::high_half>>(), Class::fma, 2});
  }
}

void add_packed_integers(Table& t) {
  const auto add = [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a + b); };
  const auto subtract = [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a - b); };
  const auto multiply_add = [](uint16_t a, uint16_t b, uint16_t c) {
    return static_cast<uint16_t>(static_cast<uint32_t>(a) * b + c);
  };
  halves(t, "v_pk_add_u16", add);
  halves(t, "v_pk_add_i16", add);
  halves(t, "v_pk_sub_u16", subtract);
  halves(t, "v_pk_sub_i16", subtract);
  halves(t, "v_pk_add_u16 clamp", [](uint16_t a, uint16_t b) { return saturate<uint16_t>(a + b); });
  halves(t, "v_pk_add_i16 clamp", [](int16_t a, int16_t b) { return saturate<int16_t>(a + b); });
  halves(t, "v_pk_sub_u16 clamp", [](uint16_t a, uint16_t b) { return saturate<uint16_t>(a - b); });
  halves(t, "v_pk_sub_i16 clamp", [](int16_t a, int16_t b) { return saturate<int16_t>(a - b); });
  halves(t, "v_pk_mad_u16", multiply_add);
  halves(t, "v_pk_mad_i16", multiply_add);
  halves(t, "v_pk_mul_lo_u16",
         [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b); });
  halves(t, "v_pk_lshlrev_b16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b << (a & 15)); });
  halves(t, "v_pk_lshrrev_b16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b >> (a & 15)); });
  halves(t, "v_pk_ashrrev_i16", [](int16_t a, int16_t b) { return static_cast<int16_t>(b >> (a & 15)); });
  halves(t, "v_pk_min_u16", [](uint16_t a, uint16_t b) { return std::min(a, b); });
  halves(t, "v_pk_max_u16", [](uint16_t a, uint16_t b) { return std::max(a, b); });
  halves(t, "v_pk_min_i16", [](int16_t a, int16_t b) { return std::min(a, b); });
  halves(t, "v_pk_max_i16", [](int16_t a, int16_t b) { return std::max(a, b); });
}

void add_dots(Table& t) {
  t.lanes(
      "v_dot4_i32_i8", [](uint32_t a, uint32_t b, uint32_t c) { return dot_signed(a, b, c, 8); }, 8, Class::fma);
  t.lanes(
      "v_dot4_u32_u8", [](uint32_t a, uint32_t b, uint32_t c) { return dot_unsigned(a, b, c, 8); }, 8, Class::fma);
  t.lanes(
      "v_dot8_i32_i4", [](uint32_t a, uint32_t b, uint32_t c) { return dot_signed(a, b, c, 4); }, 16, Class::fma);
  t.lanes(
      "v_dot8_u32_u4", [](uint32_t a, uint32_t b, uint32_t c) { return dot_unsigned(a, b, c, 4); }, 16, Class::fma);
  t.lanes(
      "v_dot2_i32_i16", [](uint32_t a, uint32_t b, uint32_t c) { return dot_signed(a, b, c, 16); }, 4, Class::fma);
  t.lanes(
      "v_dot2_u32_u16", [](uint32_t a, uint32_t b, uint32_t c) { return dot_unsigned(a, b, c, 16); }, 4, Class::fma);
  t.accumulate(
      "v_dot4c_i32_i8", [](uint32_t a, uint32_t b, uint32_t sum) { return dot_signed(a, b, sum, 8); }, 8, Class::fma);
  t.add("v_dot4_i32_iu8", {dot_any_sign<8>, Class::fma, 8});
  t.add("v_dot8_i32_iu4", {dot_any_sign<4>, Class::fma, 16});
  t.lanes(
      "v_dot2_f32_f16", [](uint32_t a, uint32_t b, float c) { return dot2_half(a, b, c); }, 4, Class::fma);
  t.lanes(
      "v_dot2_f32_bf16", [](uint32_t a, uint32_t b, float c) { return dot2_bfloat(a, b, c); }, 4, Class::fma);
  t.accumulate(
      "v_dot2c_f32_f16", [](uint32_t a, uint32_t b, float sum) { return dot2_half(a, b, sum); }, 4, Class::fma);
  t.alias("v_dot2acc_f32_f16", "v_dot2c_f32_f16");
}

}  // namespace

void add_packed(Table& t) {
  add_packed_floats(t);
  add_packed_integers(t);
  add_dots(t);
}

}  // namespace convoy::amdgpu
