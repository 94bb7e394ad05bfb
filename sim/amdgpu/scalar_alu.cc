// Scalar arithmetic. As for vectors, an instruction is a lambda whose types say the widths; SCC comes in as a last parameter of type
// Scc and goes out beside the value in a Flagged, or by "the result is not zero".
#include <bit>
#include <cstdlib>

#include "integer_bits.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

struct Scc {
  bool on;
};
template <typename T>
struct Flagged {
  T value;
  bool scc;
};
template <typename T>
struct ScalarResult : std::type_identity<T> {
  static constexpr bool k_flagged = false;
};
template <typename T>
struct ScalarResult<Flagged<T>> : std::type_identity<T> {
  static constexpr bool k_flagged = true;
};
enum class SccAfter { kept, nonzero };

template <typename T>
T read_as(Wave& w, const Operand& o) {
  if constexpr (sizeof(T) == 8) {
    return static_cast<T>(w.read64(o));
  } else {
    return static_cast<T>(w.read(o));
  }
}

template <typename F>
auto apply_scalar(Wave& w, const Instruction& i, int first) {
  using S = Signature<F>;
  using A = typename S::template Parameter<0>;
  using B = typename S::template Parameter<1>;
  const Scc scc{w.scalars[scalar::scc] != 0};
  const A a = read_as<A>(w, i.operands[first]);
  if constexpr (S::k_arity == 1) {
    return F{}(a);
  } else {
    const B b = read_as<B>(w, i.operands[first + 1]);
    if constexpr (S::k_arity == 3) {
      return F{}(a, b, scc);
    } else {
      return F{}(a, b);
    }
  }
}

template <typename F, SccAfter after>
void run_scalar(Wave& w, const Instruction& i) {
  using R = typename Signature<F>::Result;
  const auto result = apply_scalar<F>(w, i, 1);
  const auto write = [&](auto value) {
    if constexpr (sizeof value == 8) {
      w.write64(i.operands[0].index, static_cast<uint64_t>(value));
    } else {
      w.write(i.operands[0].index, static_cast<uint32_t>(value));
    }
  };
  if constexpr (ScalarResult<R>::k_flagged) {
    write(result.value);
    w.scalars[scalar::scc] = result.scc;
  } else {
    write(result);
    if (after == SccAfter::nonzero) w.scalars[scalar::scc] = result != 0;
  }
}

template <typename F>
void run_compare(Wave& w, const Instruction& i) {
  w.scalars[scalar::scc] = apply_scalar<F>(w, i, 0);
}

// The second operand is a 16-bit constant, with its sign where the comparison is signed.
template <typename F>
void run_compare_constant(Wave& w, const Instruction& i) {
  using T = typename Signature<F>::template Parameter<1>;
  const auto half = static_cast<uint16_t>(i.operands[1].integer);
  const T constant = std::is_signed_v<T> ? static_cast<T>(static_cast<int16_t>(half)) : static_cast<T>(half);
  w.scalars[scalar::scc] = F{}(read_as<T>(w, i.operands[0]), constant);
}

int32_t constant_of(const Instruction& i) {
  return static_cast<int16_t>(i.operands[1].integer);
}

template <typename F>
void kept(Table& t, const char* name, F) {
  t.add(name, {run_scalar<F, SccAfter::kept>, Class::salu});
}
template <typename F>
void nonzero(Table& t, const char* name, F) {
  t.add(name, {run_scalar<F, SccAfter::nonzero>, Class::salu});
}
template <typename F>
void compare(Table& t, const std::string& relation, F) {
  t.add("s_cmp_" + relation, {run_compare<F>, Class::salu});
  t.add("s_cmpk_" + relation, {run_compare_constant<F>, Class::salu});
}

Flagged<uint32_t> with_carry(uint64_t sum) {
  return {low_word(sum), (sum >> 32 & 1) != 0};
}
Flagged<uint32_t> with_overflow(int64_t sum) {
  return {static_cast<uint32_t>(sum), sum != static_cast<int32_t>(sum)};
}
template <int shift>
Flagged<uint32_t> shifted_sum(uint32_t a, uint32_t b) {
  const uint64_t sum = (static_cast<uint64_t>(a) << shift) + b;
  return {low_word(sum), sum > 0xffffffff};
}

void add_sums(Table& t) {
  using Wide = uint64_t;
  kept(t, "s_add_u32", [](uint32_t a, uint32_t b) { return with_carry(Wide{a} + b); });
  kept(t, "s_addc_u32", [](uint32_t a, uint32_t b, Scc carry) { return with_carry(Wide{a} + b + carry.on); });
  kept(t, "s_sub_u32", [](uint32_t a, uint32_t b) { return with_carry(Wide{a} - b); });
  kept(t, "s_subb_u32", [](uint32_t a, uint32_t b, Scc borrow) { return with_carry(Wide{a} - b - borrow.on); });
  kept(t, "s_add_i32", [](int32_t a, int32_t b) { return with_overflow(static_cast<int64_t>(a) + b); });
  kept(t, "s_sub_i32", [](int32_t a, int32_t b) { return with_overflow(static_cast<int64_t>(a) - b); });
  kept(t, "s_lshl1_add_u32", [](uint32_t a, uint32_t b) { return shifted_sum<1>(a, b); });
  kept(t, "s_lshl2_add_u32", [](uint32_t a, uint32_t b) { return shifted_sum<2>(a, b); });
  kept(t, "s_lshl3_add_u32", [](uint32_t a, uint32_t b) { return shifted_sum<3>(a, b); });
  kept(t, "s_lshl4_add_u32", [](uint32_t a, uint32_t b) { return shifted_sum<4>(a, b); });
  kept(t, "s_mul_i32", [](uint32_t a, uint32_t b) { return a * b; });
  kept(t, "s_mul_hi_u32", [](uint32_t a, uint32_t b) { return high_word(Wide{a} * b); });
  kept(t, "s_mul_hi_i32",
       [](int32_t a, int32_t b) { return high_word(static_cast<Wide>(static_cast<int64_t>(a) * b)); });
  kept(t, "s_min_i32", [](int32_t a, int32_t b) { return Flagged<int32_t>{a < b ? a : b, a < b}; });
  kept(t, "s_max_i32", [](int32_t a, int32_t b) { return Flagged<int32_t>{a > b ? a : b, a > b}; });
  kept(t, "s_min_u32", [](uint32_t a, uint32_t b) { return Flagged<uint32_t>{a < b ? a : b, a < b}; });
  kept(t, "s_max_u32", [](uint32_t a, uint32_t b) { return Flagged<uint32_t>{a > b ? a : b, a > b}; });
  nonzero(t, "s_abs_i32", [](uint32_t a) { return static_cast<int32_t>(a) < 0 ? 0u - a : a; });
  nonzero(t, "s_absdiff_i32", [](uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0 ? b - a : a - b; });
}

template <typename T>
void add_logic(Table& t, const std::string& bits) {
  const auto add = [&](const char* name, auto f) { nonzero(t, (std::string("s_") + name + "_b" + bits).c_str(), f); };
  add("and", [](T a, T b) { return a & b; });
  add("or", [](T a, T b) { return a | b; });
  add("xor", [](T a, T b) { return a ^ b; });
  add("andn2", [](T a, T b) { return a & ~b; });
  add("orn2", [](T a, T b) { return a | ~b; });
  add("nand", [](T a, T b) { return ~(a & b); });
  add("nor", [](T a, T b) { return ~(a | b); });
  add("xnor", [](T a, T b) { return ~(a ^ b); });
  add("not", [](T a) { return ~a; });
  constexpr uint32_t k_last_bit = sizeof(T) * 8 - 1;
  add("lshl", [](T a, uint32_t b) { return a << (b & k_last_bit); });
  add("lshr", [](T a, uint32_t b) { return a >> (b & k_last_bit); });
  using Signed = std::make_signed_t<T>;
  nonzero(t, ("s_ashr_i" + bits).c_str(), [](Signed a, uint32_t b) { return a >> (b & k_last_bit); });
  kept(t, ("s_mov_b" + bits).c_str(), [](T a) { return a; });
  kept(t, ("s_cselect_b" + bits).c_str(), [](T a, T b, Scc scc) { return scc.on ? a : b; });
  kept(t, ("s_ff1_i32_b" + bits).c_str(), [](T a) { return first_one(a); });
  t.alias("s_ctz_i32_b" + bits, "s_ff1_i32_b" + bits);
  kept(t, ("s_flbit_i32_b" + bits).c_str(), [](T a) { return first_one_from_top(a); });
  t.alias("s_clz_i32_u" + bits, "s_flbit_i32_b" + bits);
  nonzero(t, ("s_bcnt1_i32_b" + bits).c_str(), [](T a) { return static_cast<uint32_t>(std::popcount(a)); });
  nonzero(t, ("s_bcnt0_i32_b" + bits).c_str(),
          [](T a) { return static_cast<uint32_t>(std::popcount(static_cast<T>(~a))); });
}

// Scalar fields: offset in the low bits, width in bits 16 to 22.
template <typename T>
T scalar_field(T value, uint32_t where) {
  constexpr uint32_t k_bits = sizeof(T) * 8;
  const uint32_t shift = where & (k_bits - 1), width = where >> 16 & 127;
  if (width == 0) return 0;
  if (width + shift >= k_bits) return value >> shift;
  const auto up = static_cast<std::make_unsigned_t<T>>(value) << (k_bits - shift - width);
  return static_cast<T>(up) >> (k_bits - width);
}

void add_bits(Table& t) {
  add_logic<uint32_t>(t, "32");
  add_logic<uint64_t>(t, "64");
  kept(t, "s_brev_b32", [](uint32_t a) { return reverse_bits(a); });
  kept(t, "s_brev_b64",
       [](uint64_t a) { return static_cast<uint64_t>(reverse_bits(low_word(a))) << 32 | reverse_bits(high_word(a)); });
  kept(t, "s_flbit_i32", [](uint32_t a) { return first_not_sign(a); });
  t.alias("s_cls_i32", "s_flbit_i32");
  kept(t, "s_sext_i32_i8", [](uint32_t a) { return static_cast<int32_t>(static_cast<int8_t>(a)); });
  kept(t, "s_sext_i32_i16", [](uint32_t a) { return static_cast<int32_t>(static_cast<int16_t>(a)); });
  nonzero(t, "s_bfe_u32", [](uint32_t a, uint32_t b) { return scalar_field(a, b); });
  nonzero(t, "s_bfe_i32", [](int32_t a, uint32_t b) { return scalar_field(a, b); });
  nonzero(t, "s_bfe_u64", [](uint64_t a, uint32_t b) { return scalar_field(a, b); });
  nonzero(t, "s_bfe_i64", [](int64_t a, uint32_t b) { return scalar_field(a, b); });
  kept(t, "s_bfm_b32", [](uint32_t a, uint32_t b) { return ((1u << (a & 31)) - 1) << (b & 31); });
  kept(t, "s_bfm_b64", [](uint32_t a, uint32_t b) { return ((1ull << (a & 63)) - 1) << (b & 63); });
  kept(t, "s_pack_ll_b32_b16", [](uint32_t a, uint32_t b) { return (a & 0xffff) | b << 16; });
  kept(t, "s_pack_lh_b32_b16", [](uint32_t a, uint32_t b) { return (a & 0xffff) | (b & 0xffff0000); });
  kept(t, "s_pack_hh_b32_b16", [](uint32_t a, uint32_t b) { return a >> 16 | (b & 0xffff0000); });
  const auto set_bit = [](Wave& w, const Instruction& i) {
    const uint32_t bit = 1u << (w.read(i.operands[1]) & 31), old = w.scalars[i.operands[0].index];
    w.write(i.operands[0].index, i.arg ? old | bit : old & ~bit);
  };
  t.add("s_bitset0_b32", {.run = set_bit, .kind = Class::salu, .arg = 0});
  t.add("s_bitset1_b32", {.run = set_bit, .kind = Class::salu, .arg = 1});
}

void add_scalar_compares(Table& t) {
  compare(t, "eq_i32", [](int32_t a, int32_t b) { return a == b; });
  compare(t, "lg_i32", [](int32_t a, int32_t b) { return a != b; });
  compare(t, "gt_i32", [](int32_t a, int32_t b) { return a > b; });
  compare(t, "ge_i32", [](int32_t a, int32_t b) { return a >= b; });
  compare(t, "lt_i32", [](int32_t a, int32_t b) { return a < b; });
  compare(t, "le_i32", [](int32_t a, int32_t b) { return a <= b; });
  compare(t, "eq_u32", [](uint32_t a, uint32_t b) { return a == b; });
  compare(t, "lg_u32", [](uint32_t a, uint32_t b) { return a != b; });
  compare(t, "gt_u32", [](uint32_t a, uint32_t b) { return a > b; });
  compare(t, "ge_u32", [](uint32_t a, uint32_t b) { return a >= b; });
  compare(t, "lt_u32", [](uint32_t a, uint32_t b) { return a < b; });
  compare(t, "le_u32", [](uint32_t a, uint32_t b) { return a <= b; });
  compare(t, "eq_u64", [](uint64_t a, uint64_t b) { return a == b; });
  compare(t, "lg_u64", [](uint64_t a, uint64_t b) { return a != b; });
  t.alias("s_cmp_ne_u64", "s_cmp_lg_u64");
  const auto bit_is = [&](const char* name, auto f) { t.add(name, {run_compare<decltype(f)>, Class::salu}); };
  bit_is("s_bitcmp0_b32", [](uint32_t a, uint32_t b) { return !(a >> (b & 31) & 1); });
  bit_is("s_bitcmp1_b32", [](uint32_t a, uint32_t b) { return (a >> (b & 31) & 1) != 0; });
}

// The destination is a source too, the other one a 16-bit constant with its sign.
void add_constant_forms(Table& t) {
  const auto add = [&](const char* name, Meaning meaning) { t.add(name, {meaning, Class::salu}); };
  add("s_movk_i32",
      [](Wave& w, const Instruction& i) { w.write(i.operands[0].index, static_cast<uint32_t>(constant_of(i))); });
  add("s_cmovk_i32", [](Wave& w, const Instruction& i) {
    if (w.scalars[scalar::scc]) w.write(i.operands[0].index, static_cast<uint32_t>(constant_of(i)));
  });
  add("s_addk_i32", [](Wave& w, const Instruction& i) {
    const auto sum =
        with_overflow(static_cast<int64_t>(static_cast<int32_t>(w.scalars[i.operands[0].index])) + constant_of(i));
    w.write(i.operands[0].index, sum.value);
    w.scalars[scalar::scc] = sum.scc;
  });
  add("s_mulk_i32", [](Wave& w, const Instruction& i) {
    w.write(i.operands[0].index, w.scalars[i.operands[0].index] * static_cast<uint32_t>(constant_of(i)));
  });
  add("s_cmov_b32", [](Wave& w, const Instruction& i) {
    if (w.scalars[scalar::scc]) w.write(i.operands[0].index, w.read(i.operands[1]));
  });
  add("s_cmov_b64", [](Wave& w, const Instruction& i) {
    if (w.scalars[scalar::scc]) w.write64(i.operands[0].index, w.read64(i.operands[1]));
  });
  // Register numbers moved by M0.
  add("s_movrels_b32", [](Wave& w, const Instruction& i) {
    w.write(i.operands[0].index, w.scalars[(i.operands[1].index + w.scalars[scalar::m0]) % scalar::vcc]);
  });
  add("s_movreld_b32", [](Wave& w, const Instruction& i) {
    w.write((i.operands[0].index + w.scalars[scalar::m0]) % scalar::vcc, w.read(i.operands[1]));
  });
  // The parser has put the hardware register's value into the operand.
  add("s_getreg_b32", [](Wave& w, const Instruction& i) { w.write(i.operands[0].index, i.operands[1].word); });
}

}  // namespace

void add_scalar_alu(Table& t) {
  add_sums(t);
  add_bits(t);
  add_scalar_compares(t);
  add_constant_forms(t);
}

}  // namespace convoy::amdgpu
