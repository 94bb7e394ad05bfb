// Vector instructions on 32- and 64-bit integers and bits.
#include <algorithm>
#include <bit>

#include "integer_bits.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

template <typename T>
T median(T a, T b, T c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// The low 24 bits, with their sign.
int64_t low24(int32_t value) {
  return static_cast<int32_t>(static_cast<uint32_t>(value) << 8) >> 8;
}

// Bytes of a (7..4) and b (3..0) picked by c's bytes; 8 to 11 are signs, 12 is 0, more is 255.
uint32_t permute_bytes(uint32_t a, uint32_t b, uint32_t c) {
  const uint64_t bytes = static_cast<uint64_t>(a) << 32 | b;
  uint32_t result = 0;
  for (int n = 0; n < 4; n++) {
    const uint32_t pick = c >> (8 * n) & 255;
    uint32_t byte = 255;
    if (pick < 8)
      byte = bytes >> (8 * pick) & 255;
    else if (pick < 12)
      byte = bytes >> (16 * (pick - 8) + 15) & 1 ? 255 : 0;
    else if (pick == 12)
      byte = 0;
    result |= byte << (8 * n);
  }
  return result;
}

uint32_t sum_of_differences(uint32_t a, uint32_t b, uint32_t sum) {
  for (int n = 0; n < 32; n += 8)
    sum += static_cast<uint32_t>(std::abs(static_cast<int>(a >> n & 255) - static_cast<int>(b >> n & 255)));
  return sum;
}

void add_arithmetic(Table& t) {
  for (const char* name : {"v_add_nc_u32", "v_add_u32", "v_add_nc_i32", "v_add_i32"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return a + b; });
  }
  for (const char* name : {"v_sub_nc_u32", "v_sub_u32", "v_sub_nc_i32", "v_sub_i32"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return a - b; });
  }
  for (const char* name : {"v_subrev_nc_u32", "v_subrev_u32"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return b - a; });
  }
  for (const char* name : {"v_add_nc_u32 clamp", "v_add_u32 clamp"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return saturate<uint32_t>(static_cast<int64_t>(a) + b); });
  }
  for (const char* name : {"v_sub_nc_u32 clamp", "v_sub_u32 clamp"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return saturate<uint32_t>(static_cast<int64_t>(a) - b); });
  }
  for (const char* name : {"v_subrev_nc_u32 clamp", "v_subrev_u32 clamp"}) {
    t.lanes(name, [](uint32_t a, uint32_t b) { return saturate<uint32_t>(static_cast<int64_t>(b) - a); });
  }
  for (const char* name : {"v_add_nc_i32 clamp", "v_add_i32 clamp"}) {
    t.lanes(name, [](int32_t a, int32_t b) { return saturate<int32_t>(static_cast<int64_t>(a) + b); });
  }
  for (const char* name : {"v_sub_nc_i32 clamp", "v_sub_i32 clamp"}) {
    t.lanes(name, [](int32_t a, int32_t b) { return saturate<int32_t>(static_cast<int64_t>(a) - b); });
  }
  t.lanes("v_add3_u32", [](uint32_t a, uint32_t b, uint32_t c) { return a + b + c; });
  t.lanes("v_lshl_add_u32", [](uint32_t a, uint32_t b, uint32_t c) { return (a << (b & 31)) + c; });
  t.lanes("v_add_lshl_u32", [](uint32_t a, uint32_t b, uint32_t c) { return (a + b) << (c & 31); });
  t.lanes("v_xad_u32", [](uint32_t a, uint32_t b, uint32_t c) { return (a ^ b) + c; });
  t.lanes("v_lshl_add_u64", [](uint64_t a, uint32_t b, uint64_t c) { return (a << (b & 7)) + c; });
}

void add_multiplications(Table& t) {
  t.lanes("v_mul_lo_u32", [](uint32_t a, uint32_t b) { return a * b; });
  t.alias("v_mul_lo_i32", "v_mul_lo_u32");
  t.lanes("v_mul_hi_u32", [](uint32_t a, uint32_t b) { return high_word(static_cast<uint64_t>(a) * b); });
  t.lanes("v_mul_hi_i32",
          [](int32_t a, int32_t b) { return high_word(static_cast<uint64_t>(static_cast<int64_t>(a) * b)); });
  t.lanes("v_mul_u32_u24", [](uint32_t a, uint32_t b) { return (a & 0xffffff) * (b & 0xffffff); });
  t.lanes("v_mul_hi_u32_u24",
          [](uint32_t a, uint32_t b) { return high_word(static_cast<uint64_t>(a & 0xffffff) * (b & 0xffffff)); });
  t.lanes("v_mul_i32_i24", [](int32_t a, int32_t b) { return static_cast<uint32_t>(low24(a) * low24(b)); });
  t.lanes("v_mul_hi_i32_i24",
          [](int32_t a, int32_t b) { return high_word(static_cast<uint64_t>(low24(a) * low24(b))); });
  t.lanes("v_mad_u32_u24", [](uint32_t a, uint32_t b, uint32_t c) { return (a & 0xffffff) * (b & 0xffffff) + c; });
  t.lanes("v_mad_i32_i24",
          [](int32_t a, int32_t b, uint32_t c) { return static_cast<uint32_t>(low24(a) * low24(b)) + c; });
}

void add_bits(Table& t) {
  t.lanes("v_not_b32", [](uint32_t a) { return ~a; });
  t.lanes("v_and_b32", [](uint32_t a, uint32_t b) { return a & b; });
  t.lanes("v_or_b32", [](uint32_t a, uint32_t b) { return a | b; });
  t.lanes("v_xor_b32", [](uint32_t a, uint32_t b) { return a ^ b; });
  t.lanes("v_xnor_b32", [](uint32_t a, uint32_t b) { return ~(a ^ b); });
  t.lanes("v_xor3_b32", [](uint32_t a, uint32_t b, uint32_t c) { return a ^ b ^ c; });
  t.lanes("v_and_or_b32", [](uint32_t a, uint32_t b, uint32_t c) { return (a & b) | c; });
  t.lanes("v_or3_b32", [](uint32_t a, uint32_t b, uint32_t c) { return a | b | c; });
  t.lanes("v_lshl_or_b32", [](uint32_t a, uint32_t b, uint32_t c) { return (a << (b & 31)) | c; });
  t.lanes("v_lshlrev_b32", [](uint32_t a, uint32_t b) { return b << (a & 31); });
  t.lanes("v_lshrrev_b32", [](uint32_t a, uint32_t b) { return b >> (a & 31); });
  t.lanes("v_ashrrev_i32", [](uint32_t a, int32_t b) { return b >> (a & 31); });
  t.lanes("v_lshl_b32", [](uint32_t a, uint32_t b) { return a << (b & 31); });
  t.lanes("v_lshlrev_b64", [](uint32_t a, uint64_t b) { return b << (a & 63); });
  t.lanes("v_lshrrev_b64", [](uint32_t a, uint64_t b) { return b >> (a & 63); });
  t.lanes("v_ashrrev_i64", [](uint32_t a, int64_t b) { return b >> (a & 63); });
  t.lanes("v_mov_b64", [](uint64_t a) { return a; });
  t.lanes("v_bfe_u32", [](uint32_t a, uint32_t b, uint32_t c) { return field(a, b & 31, c & 31); });
  t.lanes("v_bfe_i32", [](uint32_t a, uint32_t b, uint32_t c) { return signed_field(a, b & 31, c & 31); });
  t.lanes("v_bfi_b32", [](uint32_t mask, uint32_t a, uint32_t b) { return (mask & a) | (~mask & b); });
  t.lanes("v_bfm_b32", [](uint32_t a, uint32_t b) { return ((1u << (a & 31)) - 1) << (b & 31); });
  t.lanes("v_alignbit_b32", [](uint32_t a, uint32_t b, uint32_t c) {
    return low_word((static_cast<uint64_t>(a) << 32 | b) >> (c & 31));
  });
  t.lanes("v_alignbyte_b32", [](uint32_t a, uint32_t b, uint32_t c) {
    return low_word((static_cast<uint64_t>(a) << 32 | b) >> (8 * (c & 3)));
  });
  t.lanes("v_perm_b32", [](uint32_t a, uint32_t b, uint32_t c) { return permute_bytes(a, b, c); });
  t.lanes("v_bfrev_b32", [](uint32_t a) { return reverse_bits(a); });
  t.lanes("v_ffbh_u32", [](uint32_t a) { return first_one_from_top(a); });
  t.lanes("v_ffbl_b32", [](uint32_t a) { return first_one(a); });
  t.lanes("v_ffbh_i32", [](uint32_t a) { return first_not_sign(a); });
  t.alias("v_clz_i32_u32", "v_ffbh_u32");
  t.alias("v_ctz_i32_b32", "v_ffbl_b32");
  t.alias("v_cls_i32", "v_ffbh_i32");
  t.lanes("v_bcnt_u32_b32", [](uint32_t a, uint32_t b) { return static_cast<uint32_t>(std::popcount(a)) + b; });
  t.lanes("v_sad_u8", [](uint32_t a, uint32_t b, uint32_t c) { return sum_of_differences(a, b, c); });
}

template <typename T>
void add_order(Table& t, const std::string& type) {
  t.lanes("v_min_" + type, [](T a, T b) { return std::min(a, b); });
  t.lanes("v_max_" + type, [](T a, T b) { return std::max(a, b); });
  t.lanes("v_min3_" + type, [](T a, T b, T c) { return std::min(std::min(a, b), c); });
  t.lanes("v_max3_" + type, [](T a, T b, T c) { return std::max(std::max(a, b), c); });
  t.lanes("v_med3_" + type, [](T a, T b, T c) { return median(a, b, c); });
  t.lanes("v_maxmin_" + type, [](T a, T b, T c) { return std::min(std::max(a, b), c); });
  t.lanes("v_minmax_" + type, [](T a, T b, T c) { return std::max(std::min(a, b), c); });
}

enum class Carry { add, subtract, subtract_reversed };

// Operands: destination, carry out, a, b[, carry in].
template <Carry kind, bool carry_in>
void with_carry(Wave& w, const Instruction& i) {
  if (i.sdwa && i.dst_sel != k_select_all) w.fault("an SDWA part as destination of a carry is not modelled");
  uint32_t store_a[64], store_b[64], result[64];
  const uint32_t *a = fetch32(w, i, 2, store_a), *b = fetch32(w, i, 3, store_b);
  const uint64_t in = carry_in ? w.read_mask(i.operands[4]) : 0;
  uint64_t out = 0;
  for (int l = 0; l < w.width; l++) {
    const uint64_t x = kind == Carry::subtract_reversed ? b[l] : a[l],
                   y = kind == Carry::subtract_reversed ? a[l] : b[l];
    const uint64_t c = in >> l & 1, sum = kind == Carry::add ? x + y + c : x - y - c;
    result[l] = low_word(sum);
    out |= (sum >> 32 & 1) << l;
  }
  store_plain(w, i, i.operands[0].index, result);
  w.write_mask(i.operands[1].index, out & w.exec());
}

// Operands: destination pair, carry out, a, b, c pair.
template <typename Factor, typename Product>
void multiply_add_64(Wave& w, const Instruction& i) {
  uint32_t store_a[64], store_b[64];
  uint64_t c[64], result[64], out = 0;
  const uint32_t *a = fetch32(w, i, 2, store_a), *b = fetch32(w, i, 3, store_b);
  fetch64(w, i, 4, c, false);
  for (int l = 0; l < w.width; l++) {
    const auto product =
        static_cast<uint64_t>(static_cast<Product>(static_cast<Factor>(a[l])) * static_cast<Factor>(b[l]));
    result[l] = product + c[l];
    if (result[l] < product) out |= 1ull << l;
  }
  store64(w, i, result);
  w.write_mask(i.operands[1].index, out & w.exec());
}

void add_carries(Table& t) {
  const auto add = [&](Meaning meaning, std::initializer_list<const char*> names) {
    for (const char* name : names) t.add(name, {.run = meaning, .first_source = 2});
  };
  add(with_carry<Carry::add, false>, {"v_add_co_u32", "v_add_u32 carry"});
  add(with_carry<Carry::subtract, false>, {"v_sub_co_u32", "v_sub_u32 carry"});
  add(with_carry<Carry::subtract_reversed, false>, {"v_subrev_co_u32", "v_subrev_u32 carry"});
  add(with_carry<Carry::add, true>, {"v_addc_co_u32", "v_add_co_ci_u32", "v_addc_u32"});
  add(with_carry<Carry::subtract, true>, {"v_subb_co_u32", "v_sub_co_ci_u32", "v_subb_u32"});
  add(with_carry<Carry::subtract_reversed, true>, {"v_subbrev_co_u32", "v_subrev_co_ci_u32", "v_subbrev_u32"});
  add(multiply_add_64<uint32_t, uint64_t>, {"v_mad_u64_u32"});
  add(multiply_add_64<int32_t, int64_t>, {"v_mad_i64_i32"});
}

void add_16_bits(Table& t) {
  for (const char* name : {"v_add_u16", "v_add_nc_u16", "v_add_nc_i16", "v_add_i16"}) {
    t.lanes(name, [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a + b); });
  }
  for (const char* name : {"v_sub_u16", "v_sub_nc_u16", "v_sub_nc_i16", "v_sub_i16"}) {
    t.lanes(name, [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a - b); });
  }
  t.lanes("v_subrev_u16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b - a); });
  for (const char* name : {"v_add_u16 clamp", "v_add_nc_u16 clamp"}) {
    t.lanes(name, [](uint16_t a, uint16_t b) { return saturate<uint16_t>(a + b); });
  }
  for (const char* name : {"v_sub_u16 clamp", "v_sub_nc_u16 clamp"}) {
    t.lanes(name, [](uint16_t a, uint16_t b) { return saturate<uint16_t>(a - b); });
  }
  t.lanes("v_subrev_u16 clamp", [](uint16_t a, uint16_t b) { return saturate<uint16_t>(b - a); });
  for (const char* name : {"v_add_i16 clamp", "v_add_nc_i16 clamp"}) {
    t.lanes(name, [](int16_t a, int16_t b) { return saturate<int16_t>(a + b); });
  }
  for (const char* name : {"v_sub_i16 clamp", "v_sub_nc_i16 clamp"}) {
    t.lanes(name, [](int16_t a, int16_t b) { return saturate<int16_t>(a - b); });
  }
  t.lanes("v_mul_lo_u16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b); });
  t.lanes("v_mad_u16",
          [](uint16_t a, uint16_t b, uint16_t c) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b + c); });
  t.alias("v_mad_legacy_u16", "v_mad_u16");
  t.alias("v_mad_i16", "v_mad_u16");
  t.lanes("v_lshlrev_b16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b << (a & 15)); });
  t.lanes("v_lshrrev_b16", [](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b >> (a & 15)); });
  t.lanes("v_ashrrev_i16", [](uint16_t a, int16_t b) { return static_cast<int16_t>(b >> (a & 15)); });
  add_order<uint16_t>(t, "u16");
  add_order<int16_t>(t, "i16");
  t.lanes("v_mad_u32_u16", [](uint16_t a, uint16_t b, uint32_t c) { return static_cast<uint32_t>(a) * b + c; });
  t.lanes("v_mad_i32_i16", [](int16_t a, int16_t b, uint32_t c) { return static_cast<uint32_t>(a * b) + c; });
}

}  // namespace

void add_vector_integer(Table& t) {
  add_arithmetic(t);
  add_multiplications(t);
  add_bits(t);
  add_order<int32_t>(t, "i32");
  add_order<uint32_t>(t, "u32");
  add_carries(t);
  add_16_bits(t);
}

}  // namespace convoy::amdgpu
