// Vector instructions that move values: plain, by an index in M0, by a mask, and between lanes; and the pairs of gfx11 (VOPD).
#include <bit>
#include <cstring>

#include "table.h"

namespace convoy::amdgpu {
namespace {

constexpr uint32_t k_no_offset = 0;
using PlainMove = Lanes<decltype([](uint32_t a) { return a; }), false>;

// Which of M0's fields move the source's and the destination's register number.
struct RegisterOffsets {
  uint32_t source, destination;
};

void move_indexed(Wave& w, const Instruction& i, RegisterOffsets by) {
  const Operand& o = i.operands[1];
  const uint32_t from = o.index + by.source, to = i.operands[0].index + by.destination;
  if ((o.kind == Kind::vector && from >= w.vector_count) || to >= w.vector_count)
    w.fault("an indexed register does not exist");
  uint32_t store[64];
  const uint32_t* source = o.kind == Kind::vector ? w.vgpr(from) : fetch32(w, i, 1, store);
  uint32_t* destination = w.vgpr(to);
  for_active(w, [&](int lane) { destination[lane] = source[lane]; });
}

void move(Wave& w, const Instruction& i) {
  if (!w.index_mode || i.modified) {
    static const Meaning plain_move = tuned<PlainMove>();
    return plain_move(w, i);
  }
  const uint32_t index = w.scalars[scalar::m0] & 255, mode = w.scalars[scalar::m0] >> 12;
  move_indexed(w, i, {mode & 1 ? index : k_no_offset, mode & 8 ? index : k_no_offset});
}

void move_relative_source(Wave& w, const Instruction& i) {
  move_indexed(w, i, {w.scalars[scalar::m0], k_no_offset});
}
void move_relative_destination(Wave& w, const Instruction& i) {
  move_indexed(w, i, {k_no_offset, w.scalars[scalar::m0]});
}
void move_relative_both(Wave& w, const Instruction& i) {
  move_indexed(w, i, {w.scalars[scalar::m0], w.scalars[scalar::m0]});
}
void move_relative_fields(Wave& w, const Instruction& i) {
  move_indexed(w, i, {w.scalars[scalar::m0] & 0x3ff, w.scalars[scalar::m0] >> 16 & 0x3ff});
}

// gfx8 and gfx9: between s_set_gpr_idx_on and _off M0 moves register numbers. Compilers put only v_mov_b32 there; anything else
// would need the mode in every operand, and is refused.
void index_mode_on(Wave& w, const Instruction& i) {
  uint32_t& m0 = w.scalars[scalar::m0];
  m0 = (m0 & ~0xf0ffu) | (w.read(i.operands[0]) & 255) | i.operands[1].word << 12;
  w.index_mode = true;
  for (uint64_t at = (w.pc - w.code->base) / 4; at < w.code->at.size(); at++) {
    const Instruction* next = w.code->at[at].get();
    if (!next) continue;
    if (next->mnemonic == "s_set_gpr_idx_off") break;
    if (next->mnemonic.starts_with("v_") && next->mnemonic != "v_mov_b32") {
      w.current = next;
      w.fault("an indexed register of this instruction is not modelled");
    }
  }
}
void index_mode_off(Wave& w, const Instruction&) {
  w.index_mode = false;
}
void index_mode_set(Wave& w, const Instruction& i) {
  uint32_t& m0 = w.scalars[scalar::m0];
  m0 = (m0 & ~0xf000u) | i.operands[0].word << 12;
}
void index_set(Wave& w, const Instruction& i) {
  uint32_t& m0 = w.scalars[scalar::m0];
  m0 = (m0 & ~255u) | (w.read(i.operands[0]) & 255);
}

void conditional_move(Wave& w, const Instruction& i) {
  uint32_t store_a[64], store_b[64], result[64];
  const uint32_t *a = fetch32(w, i, 1, store_a), *b = fetch32(w, i, 2, store_b);
  const Operand& condition = i.operands[3];
  const uint64_t mask = condition.kind == Kind::none ? w.vcc() : w.read_mask(condition);
  for (int l = 0; l < w.width; l++) result[l] = mask >> l & 1 ? b[l] : a[l];
  store32(w, i, result, Finish::f32);
}

void swap(Wave& w, const Instruction& i) {
  uint32_t *a = w.vgpr(i.operands[0].index), *b = w.vgpr(i.operands[1].index);
  for_active(w, [&](int lane) { std::swap(a[lane], b[lane]); });
}

void read_first_lane(Wave& w, const Instruction& i) {
  uint32_t store[64];
  const int lane = w.exec() ? std::countr_zero(w.exec()) : 0;
  w.write(i.operands[0].index, fetch32(w, i, 1, store)[lane]);
}
void read_lane(Wave& w, const Instruction& i) {
  uint32_t store[64];
  const uint32_t lane = w.read(i.operands[2]) & static_cast<uint32_t>(w.width - 1);
  w.write(i.operands[0].index, fetch32(w, i, 1, store)[lane]);
}
void write_lane(Wave& w, const Instruction& i) {
  const uint32_t lane = w.read(i.operands[2]) & static_cast<uint32_t>(w.width - 1);
  w.vgpr(i.operands[0].index)[lane] = w.read(i.operands[1]);
}

// How many of the mask's lanes stand before this one, of lanes 0..31 or 32..63.
template <bool upper>
void count_lanes_before(Wave& w, const Instruction& i) {
  uint32_t store_mask[64], store_sum[64], result[64];
  const uint32_t *mask = fetch32(w, i, 1, store_mask), *sum = fetch32(w, i, 2, store_sum);
  for (int l = 0; l < w.width; l++) {
    const uint64_t before = (1ull << l) - 1;
    result[l] =
        static_cast<uint32_t>(std::popcount(mask[l] & static_cast<uint32_t>(upper ? before >> 32 : before))) + sum[l];
  }
  store32(w, i, result, Finish::integer);
}

// Lane n of a row takes lane select[n] of its own or of the other row.
template <bool other_row>
void permute_row(Wave& w, const Instruction& i) {
  uint32_t store[64], result[64];
  const uint32_t* source = fetch32(w, i, 1, store);
  const uint64_t select = w.read(i.operands[2]) | static_cast<uint64_t>(w.read(i.operands[3])) << 32;
  for (int l = 0; l < w.width; l++) {
    const int row = (l & ~15) ^ (other_row ? 16 : 0);
    result[l] = source[row | static_cast<int>(select >> (4 * (l & 15)) & 15)];
  }
  store32(w, i, result, Finish::integer);
}

}  // namespace

// Both halves read before either writes.
void run_dual(Wave& w, const Instruction& i) {
  const Instruction& second = *i.second;
  if (!i.second_reads_first) {
    i.first_run(w, i);
    second.run(w, second);
    return;
  }
  uint32_t before[64], after[64];
  uint32_t* destination = w.vgpr(i.operands[0].index);
  const size_t bytes = 4 * static_cast<size_t>(w.width);
  std::memcpy(before, destination, bytes);
  i.first_run(w, i);
  std::memcpy(after, destination, bytes);
  std::memcpy(destination, before, bytes);
  second.run(w, second);
  std::memcpy(destination, after, bytes);
}

void add_lane_moves(Table& t) {
  t.add("v_mov_b32", {move});
  for (const char* name :
       {"v_accvgpr_read_b32", "v_accvgpr_write_b32", "v_accvgpr_mov_b32", "v_accvgpr_read", "v_accvgpr_write"}) {
    t.add(name, {tuned<PlainMove>()});
  }
  t.add("v_movrels_b32", {move_relative_source});
  t.add("v_movreld_b32", {move_relative_destination});
  t.add("v_movrelsd_b32", {move_relative_both});
  t.add("v_movrelsd_2_b32", {move_relative_fields});
  t.add("s_set_gpr_idx_on", {index_mode_on, Class::salu});
  t.add("s_set_gpr_idx_off", {index_mode_off, Class::salu});
  t.add("s_set_gpr_idx_mode", {index_mode_set, Class::salu});
  t.add("s_set_gpr_idx_idx", {index_set, Class::salu});
  t.add("v_cndmask_b32", {conditional_move});
  t.add("v_swap_b32", {swap});
  t.add("v_readfirstlane_b32", {read_first_lane});
  t.add("v_readlane_b32", {read_lane});
  t.add("v_writelane_b32", {write_lane});
  t.add("v_mbcnt_lo_u32_b32", {count_lanes_before<false>});
  t.add("v_mbcnt_hi_u32_b32", {count_lanes_before<true>});
  t.add("v_permlane16_b32", {permute_row<false>});
  t.add("v_permlanex16_b32", {permute_row<true>});
}

}  // namespace convoy::amdgpu
