// Single instructions from their text: what compilers seldom emit, and modifiers. Each case fills v1, v2, v3 and s1, runs one line of
// assembly on a wave, and looks at v0 of a few lanes.
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "decoder.h"
#include "lds_shadow.h"
#include "number.h"
#include "wave.h"

namespace convoy::amdgpu {
namespace {

constexpr uint32_t k_untouched = 0x5eed5eed;

uint32_t bits(float value) {
  return to_word(value);
}
uint32_t half(float value) {
  return float_to_half(value);
}

// A wave of its own, with registers that a test sets.
class OneWave {
 public:
  explicit OneWave(int generation, int width) {
    kernel_.name = "test";
    group_.kernel = &kernel_;
    group_.options = &options_;
    wave_.group = &group_;
    wave_.code = &code_;
    wave_.memory = &memory_;
    wave_.width = width;
    wave_.generation = generation;
    wave_.prepare_vectors(256);
    wave_.set_exec(wave_.full());
    for (int lane = 0; lane < width; lane++) wave_.vgpr(0)[lane] = k_untouched;
  }
  Wave& wave() { return wave_; }
  void set(uint32_t reg, uint32_t value) {
    for (int lane = 0; lane < wave_.width; lane++) wave_.vgpr(reg)[lane] = value;
  }
  void allow(const Range& range) { memory_.push_back(range); }
  // Empty, or the fault.
  std::string run(const std::string& text) {
    const auto i = parse(text, 4, code_);
    wave_.current = i.get();
    try {
      i->run(wave_, *i);
    } catch (const Fault& fault) {
      return fault.what();
    }
    return "";
  }
  uint32_t result(int lane = 0) { return wave_.vgpr(0)[lane]; }

 private:
  Kernel kernel_;
  Options options_;
  Group group_;
  Code code_;
  std::vector<Range> memory_;
  Wave wave_;
};

struct Case {
  const char* text;
  uint32_t v1, v2, v3;
  uint32_t result;
};

TEST(Instruction, OfOneLane) {
  const Case cases[] = {
      {"v_add_u32_e64 v0, v1, v2 clamp", 0xfffffff0, 0x20, 0, 0xffffffff},
      {"v_sub_u32_e64 v0, v1, v2 clamp", 3, 5, 0, 0},
      {"v_add_i32 v0, v1, v2 clamp", 0x7ffffff0, 0x20, 0, 0x7fffffff},
      {"v_sub_i16 v0, v1, v2 clamp", 0x8000, 1, 0, 0x8000},
      {"v_add_f32_e64 v0, v1, v2 clamp", bits(0.75F), bits(0.5F), 0, bits(1)},
      {"v_add_f32_e64 v0, v1, v2 clamp", bits(NAN), bits(0.5F), 0, bits(0)},
      {"v_add_f32_e64 v0, -v1, |v2| mul:4", bits(1), bits(-3), 0, bits(8)},
      {"v_mul_f32_e64 v0, v1, v2 div:2", bits(3), bits(5), 0, bits(7.5F)},
      {"v_fma_f32 v0, v1, -v2, v3", bits(3), bits(5), bits(1), bits(-14)},
      {"v_min_f32_e32 v0, v1, v2", bits(NAN), bits(5), 0, bits(5)},
      {"v_max_f32_e32 v0, v1, v2", bits(-0.0F), bits(0), 0, bits(0)},
      {"v_med3_f32 v0, v1, v2, v3", bits(7), bits(-1), bits(2), bits(2)},
      {"v_perm_b32 v0, v1, v2, v3", 0x11223344, 0x55667788, 0x07000c01, 0x11880077},
      {"v_bfe_i32 v0, v1, v2, v3", 0x00000f00, 8, 4, 0xffffffff},
      {"v_alignbit_b32 v0, v1, v2, 8", 0x11223344, 0x55667788, 0, 0x44556677},
      {"v_cvt_u32_f32_e32 v0, v1", bits(-3), 0, 0, 0},
      {"v_cvt_i32_f32_e32 v0, v1", bits(3e9F), 0, 0, 0x7fffffff},
      {"v_cvt_pkrtz_f16_f32 v0, v1, v2", bits(1.0009765F), bits(70000), 0, 0x7bff3c00},
      {"v_fma_f16 v0, v1, v2, v3", 0x3c01, 0x3c01, half(0), 0x3c02},
      {"v_add_f16_sdwa v0, v1, v2 dst_sel:WORD_1 dst_unused:UNUSED_PRESERVE src0_sel:WORD_1 src1_sel:WORD_0",
       half(2) << 16, half(3), 0, half(5) << 16 | 0x5eed},
      {"v_add_u32_sdwa v0, v1, v2 dst_sel:BYTE_0 dst_unused:UNUSED_PAD src0_sel:BYTE_3 src1_sel:DWORD", 0x12000000, 1,
       0, 0x13},
      {"v_mov_b32_sdwa v0, sext(v1) dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:BYTE_1", 0x8000, 0, 0, 0xffffff80},
      {"v_pk_add_f16 v0, v1, v2 op_sel:[1,0] op_sel_hi:[0,1]", half(1) | half(2) << 16, half(4) | half(8) << 16, 0,
       half(6) | half(9) << 16},
      {"v_pk_fma_f16 v0, v1, v2, v3 neg_lo:[1,0,0]", half(2) | half(2) << 16, half(3) | half(3) << 16,
       half(1) | half(1) << 16, half(-5) | half(7) << 16},
      {"v_dot4_i32_i8 v0, v1, v2, v3", 0x01fe0304, 0x05060708, 100, 100 + 5 - 12 + 21 + 32},
      {"v_dot2_f32_f16 v0, v1, v2, v3", half(1) | half(2) << 16, half(3) | half(4) << 16, bits(0.5F), bits(11.5F)},
      {"v_dot4_i32_iu8 v0, v1, v2, v3 neg_lo:[1,0,0]", 0x000000ff, 0x000000ff, 1, 1u - 255},
      {"v_pk_add_i16 v0, v1, v2 clamp", 0x7fff8000, 0x0001ffff, 0, 0x7fff8000},
      {"v_pk_sub_u16 v0, v1, v2 clamp", 0x00050001, 0x00030002, 0, 0x00020000},
      {"v_div_fixup_f16 v0, v1, v2, v3", half(2), half(-3), half(6), half(-2)},
      {"v_div_fixup_f16 v0, v1, v2, v3", 0x7e00, half(0), half(6), 0x7c00},
      {"v_med3_f16 v0, v1, v2, v3", half(2), half(-3), half(6), half(2)},
      {"v_frexp_exp_i16_f16_e32 v0, v1", half(6), 0, 0, 3},
      {"v_min3_i16 v0, v1, v2, v3", 5, 0xfffe, 3, 0xfffe},
      {"v_fma_mix_f32 v0, v1, v2, v3 op_sel:[1,0,0] op_sel_hi:[1,0,0]", half(2) << 16, bits(3), bits(1), bits(7)},
      {"v_fma_mixhi_f16 v0, v1, v2, v3", bits(2), bits(3), bits(1), half(7) << 16 | 0x5eed},
      {"v_mad_u64_u32 v[0:1], s[2:3], v1, v2, 7", 0xffffffff, 2, 0, 0x00000005},
      {"v_fmac_f32_e32 v0, v1, 0.5", bits(3), 0, 0, bits(from_word<float>(k_untouched) + 1.5F)},
      {"v_ldexp_f32 v0, v1, 3", bits(3), 0, 0, bits(24)},
      {"v_fract_f32_e32 v0, v1", bits(-0.25F), 0, 0, bits(0.75F)},
      {"v_ffbh_i32_e32 v0, v1", 0xfffffff0, 0, 0, 28},
  };
  for (const Case& one : cases) {
    OneWave w(906, 64);
    w.set(1, one.v1);
    w.set(2, one.v2);
    w.set(3, one.v3);
    ASSERT_EQ(w.run(one.text), "") << one.text;
    EXPECT_EQ(w.result(), one.result) << one.text << std::hex << ": " << w.result() << ", not " << one.result;
    EXPECT_EQ(w.result(63), one.result) << one.text;
  }
}

TEST(Instruction, WritesActiveLanesOnly) {
  for (const int width : {32, 64}) {
    OneWave w(1030, width);
    w.set(1, 5);
    w.wave().set_exec(0x80000001);
    ASSERT_EQ(w.run("v_add_nc_u32_e32 v0, 1, v1"), "");
    EXPECT_EQ(w.result(0), 6u);
    EXPECT_EQ(w.result(1), k_untouched);
    EXPECT_EQ(w.result(31), 6u);
  }
}

TEST(Instruction, DppMasksAndBounds) {
  OneWave w(1030, 32);
  for (int lane = 0; lane < 32; lane++) w.wave().vgpr(1)[lane] = 100u + static_cast<uint32_t>(lane);
  ASSERT_EQ(w.run("v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0x1 bank_mask:0xf"), "");
  EXPECT_EQ(w.result(0), k_untouched);  // nothing before it, no bound_ctrl
  EXPECT_EQ(w.result(5), 104u);
  EXPECT_EQ(w.result(17), k_untouched);  // the second row is masked
  ASSERT_EQ(w.run("v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:0"), "");
  EXPECT_EQ(w.result(16), 0u);
  ASSERT_EQ(w.run("v_mov_b32_dpp v0, v1 dpp8:[7,6,5,4,3,2,1,0]"), "");
  EXPECT_EQ(w.result(8), 115u);
  ASSERT_EQ(w.run("v_mov_b32_dpp v0, v1 row_xmask:5 row_mask:0xf bank_mask:0xf"), "");
  EXPECT_EQ(w.result(18), 100u + (18 ^ 5));
}

TEST(Instruction, IndexModeMovesRegisters) {
  OneWave w(906, 64);
  w.set(1, 10);
  w.set(3, 30);
  w.wave().scalars[4] = 2;
  ASSERT_EQ(w.run("s_set_gpr_idx_on s4, gpr_idx(SRC0)"), "");
  ASSERT_EQ(w.run("v_mov_b32_e32 v0, v1"), "");
  EXPECT_EQ(w.result(), 30u);
  ASSERT_EQ(w.run("s_set_gpr_idx_mode gpr_idx(DST)"), "");
  ASSERT_EQ(w.run("v_mov_b32_e32 v5, v1"), "");
  EXPECT_EQ(w.wave().vgpr(7)[0], 10u);
  ASSERT_EQ(w.run("s_set_gpr_idx_off"), "");
  ASSERT_EQ(w.run("v_mov_b32_e32 v0, v1"), "");
  EXPECT_EQ(w.result(), 10u);
}

TEST(Instruction, PairsReadBeforeTheyWrite) {
  OneWave w(1100, 32);
  w.set(1, bits(2));
  w.set(0, bits(3));
  ASSERT_EQ(w.run("v_dual_mul_f32 v0, v0, v1 :: v_dual_add_f32 v3, v0, v1"), "");
  EXPECT_EQ(w.result(), bits(6));
  EXPECT_EQ(w.wave().vgpr(3)[0], bits(5));
}

TEST(Instruction, ComparesGiveMasks) {
  OneWave w(906, 64);
  for (int lane = 0; lane < 64; lane++) w.wave().vgpr(1)[lane] = bits(static_cast<float>(lane));
  w.wave().set_exec(0xff);
  ASSERT_EQ(w.run("v_cmp_gt_f32_e32 vcc, 3.0, v1"), "");
  EXPECT_EQ(w.wave().vcc(), 7u);
  ASSERT_EQ(w.run("v_cmp_class_f32_e64 s[4:5], v1, 0x40"), "");  // +0
  EXPECT_EQ(w.wave().pair(4), 1u);
  ASSERT_EQ(w.run("v_cmpx_le_f32_e32 vcc, 6.0, v1"), "");
  EXPECT_EQ(w.wave().exec(), 0xc0u);
}

TEST(Instruction, CarriesGoOutAndIn) {
  OneWave w(906, 64);
  for (uint32_t lane = 0; lane < 64; lane++) w.wave().vgpr(1)[lane] = lane % 2 ? ~0u : 1;
  ASSERT_EQ(w.run("v_add_co_u32_e32 v0, vcc, 1, v1"), "");
  EXPECT_EQ(w.wave().vcc(), 0xaaaaaaaaaaaaaaaa);
  ASSERT_EQ(w.run("v_addc_co_u32_e32 v0, vcc, 0, v1, vcc"), "");
  EXPECT_EQ(w.result(0), 1u);
  EXPECT_EQ(w.result(1), 0u);
  EXPECT_EQ(w.wave().vcc(), 0xaaaaaaaaaaaaaaaa);
  ASSERT_EQ(w.run("v_subrev_co_u32_e32 v0, vcc, 2, v1"), "");
  EXPECT_EQ(w.result(0), ~0u);
  EXPECT_EQ(w.wave().vcc(), 0x5555555555555555);
  ASSERT_EQ(w.run("v_mad_u64_u32 v[2:3], s[6:7], v1, 1, -1"), "");
  EXPECT_EQ(w.wave().vgpr(2)[0], 0u);
  EXPECT_EQ(w.wave().pair(6), ~0ull);
  ASSERT_EQ(w.run("v_mad_u64_u32 v[2:3], s[6:7], v1, 1, 0"), "");
  EXPECT_EQ(w.wave().pair(6), 0u);
}

TEST(Instruction, MemoryHasEdges) {
  alignas(16) uint32_t cells[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto begin = reinterpret_cast<uint64_t>(cells);
  OneWave w(906, 64);
  w.allow({begin, begin + sizeof cells});
  w.wave().set_exec(1);
  const auto load_at = [&](uint64_t address) {
    w.set(2, static_cast<uint32_t>(address));
    w.set(3, static_cast<uint32_t>(address >> 32));
    return w.run("global_load_dwordx4 v[4:7], v[2:3], off");
  };
  EXPECT_EQ(load_at(begin + 16), "");
  EXPECT_EQ(w.wave().vgpr(7)[0], 8u);
  EXPECT_NE(load_at(begin + 20).find("20 bytes past its start"), std::string::npos);
  EXPECT_NE(load_at(begin - 4).find("no allocation below"), std::string::npos);
  EXPECT_NE(load_at(~0ull - 7), "");
  w.wave().scalars[8] = static_cast<uint32_t>(begin);
  w.wave().scalars[9] = static_cast<uint32_t>(begin >> 32);
  w.wave().scalars[10] = 24;  // a buffer of six words
  w.wave().scalars[11] = 0x27000;
  w.set(1, 16);
  ASSERT_EQ(w.run("buffer_load_dwordx4 v[4:7], v1, s[8:11], 0 offen"), "");
  EXPECT_EQ(w.wave().vgpr(5)[0], 6u);
  EXPECT_EQ(w.wave().vgpr(6)[0], 0u);  // outside of the descriptor
  ASSERT_EQ(w.run("buffer_store_dword v1, v1, s[8:11], 0 offen offset:8"), "");
  EXPECT_EQ(cells[6], 7u);
  ASSERT_EQ(w.run("buffer_store_dword v1, v1, s[8:11], 0 offen offset:4"), "");
  EXPECT_EQ(cells[5], 16u);
}

TEST(Instruction, OfScalars) {
  OneWave w(1030, 32);
  Wave& wave = w.wave();
  wave.scalars[1] = 0xffffffff;
  wave.scalars[2] = 1;
  ASSERT_EQ(w.run("s_add_u32 s0, s1, s2"), "");
  EXPECT_EQ(wave.scalars[0], 0u);
  EXPECT_EQ(wave.scalars[scalar::scc], 1u);
  ASSERT_EQ(w.run("s_addc_u32 s0, s2, 0"), "");
  EXPECT_EQ(wave.scalars[0], 2u);
  EXPECT_EQ(wave.scalars[scalar::scc], 0u);
  ASSERT_EQ(w.run("s_bfe_i32 s0, s1, 0x40004"), "");
  EXPECT_EQ(wave.scalars[0], 0xffffffffu);
  wave.scalars[3] = 0x12345678;
  ASSERT_EQ(w.run("s_bfe_u32 s0, s3, 0x100008"), "");
  EXPECT_EQ(wave.scalars[0], 0x3456u);
  ASSERT_EQ(w.run("s_ashr_i32 s0, s1, 4"), "");
  EXPECT_EQ(wave.scalars[0], 0xffffffffu);
  ASSERT_EQ(w.run("s_cmpk_lt_i32 s1, 0x0"), "");
  EXPECT_EQ(wave.scalars[scalar::scc], 1u);
  ASSERT_EQ(w.run("s_mul_hi_u32 s0, s1, s1"), "");
  EXPECT_EQ(wave.scalars[0], 0xfffffffeu);
}

TEST(Instruction, WhatIsNotModelledSaysSo) {
  OneWave w(1030, 32);
  w.set(1, 1);
  for (const char* text :
       {"image_load v0, v1, s[0:7] dmask:0x1", "v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]",
        "v_add_f32 v0, v1, v1 op_sel:[1,0,0]", "v_mul_lo_u32 v0, v1, v1 clamp", "v_pk_mul_lo_u16 v0, v1, v1 clamp",
        "v_mov_b32 v0, v1 brand_new:1"}) {
    EXPECT_NE(w.run(text).find("not modelled"), std::string::npos) << text;
    EXPECT_EQ(w.result(), k_untouched) << text;
  }
}

TEST(Numbers, HalvesBackAndForth) {
  for (uint32_t word = 0; word < 65536; word++) {
    const float value = half_to_float(word);
    const uint32_t fraction = word & 0x3ff, exponent = word >> 10 & 31;
    const float sign = word & 0x8000 ? -1.0F : 1.0F;
    if (exponent == 31 && fraction) {
      EXPECT_TRUE(std::isnan(value)) << word;
      continue;
    }
    const float wanted = exponent == 31 ? INFINITY
                         : exponent ? std::ldexp(static_cast<float>(1024 + fraction), static_cast<int>(exponent) - 25)
                                    : std::ldexp(static_cast<float>(fraction), -24);
    EXPECT_EQ(value, sign * wanted) << word;
    EXPECT_EQ(float_to_half(value), word) << word;
    if (exponent == 31) continue;
    // Halfway to the next one: to the even one; a hair more: up.
    const float next = half_to_float(word + 1),
                middle = (word & 0x7fff) == 0x7bff ? sign * 65520.0F : (value + next) / 2;
    EXPECT_EQ(float_to_half(middle), word & 1 ? word + 1 : word) << word;
    EXPECT_EQ(float_to_half(std::nextafter(middle, sign * INFINITY)), word + 1) << word;
    EXPECT_EQ(F16(static_cast<double>(middle) * (1 + 0x1p-50)).bits, word + 1)
        << word;  // in float that is the middle itself
  }
}

TEST(LdsShadowTest, NeighboursDoNotRace) {
  LdsShadow shadow;
  shadow.begin_group(64);
  EXPECT_FALSE(shadow.touch(0, 2, 0, true));
  EXPECT_FALSE(shadow.touch(2, 2, 1, true));  // the other half of the word
  EXPECT_TRUE(shadow.touch(0, 4, 1, false));  // both halves
  EXPECT_FALSE(shadow.touch(8, 4, 2, false));
  EXPECT_FALSE(shadow.touch(8, 4, 3, false));  // readers may be many
  const auto race = shadow.touch(8, 1, 3, true);
  ASSERT_TRUE(race);
  EXPECT_EQ(race->address, 8u);
  shadow.pass_barrier();
  EXPECT_FALSE(shadow.touch(0, 64, 5, true));
  shadow.begin_group(64);
  EXPECT_FALSE(shadow.touch(0, 64, 6, false));
}

}  // namespace
}  // namespace convoy::amdgpu
