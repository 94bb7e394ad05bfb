// Source and destination modifiers of vector instructions.
#include "operands.h"

#include <bit>
#include <cstring>

namespace convoy::amdgpu {
namespace {

// The lane that `lane` reads with this DPP control, or -1: outside.
int dpp_source(const Instruction& i, int lane, int width) {
  const int row = lane & ~15, x = lane & 15, argument = static_cast<int>(i.dpp_argument);
  switch (i.dpp) {
    case Dpp::none: return lane;
    case Dpp::quad_perm: return (lane & ~3) | (argument >> (2 * (lane & 3)) & 3);
    case Dpp::row_shl: return x + argument > 15 ? -1 : lane + argument;
    case Dpp::row_shr: return x - argument < 0 ? -1 : lane - argument;
    case Dpp::row_ror: return row | ((x - argument) & 15);
    case Dpp::wave_shl: return lane + 1 >= width ? -1 : lane + 1;
    case Dpp::wave_rol: return (lane + 1) % width;
    case Dpp::wave_shr: return lane - 1;
    case Dpp::wave_ror: return (lane + width - 1) % width;
    case Dpp::row_mirror: return row | (15 - x);
    case Dpp::row_half_mirror: return (lane & ~7) | (7 - (lane & 7));
    case Dpp::row_bcast15: return lane < 16 ? -1 : row - 1;
    case Dpp::row_bcast31: return lane < 32 ? -1 : 31;
    case Dpp::row_share: return row | (argument & 15);
    case Dpp::row_xmask: return row | (x ^ (argument & 15));
    case Dpp::dpp8: return (lane & ~7) | (argument >> (3 * (lane & 7)) & 7);
  }
  return lane;
}

bool dpp_source_valid(const Wave& w, const Instruction& i, int lane) {
  const int from = dpp_source(i, lane, w.width);
  return from >= 0 && (w.active(from) || i.fetch_inactive);
}

bool dpp_writes(const Wave& w, const Instruction& i, int lane) {
  if (i.dpp == Dpp::none || i.dpp == Dpp::dpp8) return true;
  if (!(i.row_mask >> (lane >> 4 & 3) & 1) || !(i.bank_mask >> (lane >> 2 & 3) & 1)) return false;
  return i.bound_ctrl || dpp_source_valid(w, i, lane);
}

uint64_t written_lanes(const Wave& w, const Instruction& i) {
  uint64_t lanes = w.exec();
  if (i.dpp == Dpp::none) return lanes;
  for_active(w, [&](int lane) {
    if (!dpp_writes(w, i, lane)) lanes &= ~(1ull << lane);
  });
  return lanes;
}

// Where an SDWA selection lies in a register.
struct Part {
  int shift, bits;
};
Part part_of(uint8_t selection) {
  if (selection < k_select_word0) return {8 * selection, 8};
  if (selection < k_select_all) return {16 * (selection - k_select_word0), 16};
  return {0, 32};
}

uint32_t select(uint32_t word, uint8_t selection, bool sign_extend) {
  const Part part = part_of(selection);
  const int up = 32 - part.bits - part.shift;
  const uint32_t high = word << up;
  const int down = 32 - part.bits;
  return sign_extend ? static_cast<uint32_t>(static_cast<int32_t>(high) >> down) : high >> down;
}

uint32_t merge(uint32_t old, uint32_t result, const Instruction& i) {
  const Part part = part_of(i.dst_sel);
  const uint32_t mask = ((part.bits == 8 ? 0xffu : 0xffffu)) << part.shift, value = result << part.shift & mask;
  const int end = part.shift + part.bits;
  switch (i.dst_unused) {
    case Unused::preserve: return value | (old & ~mask);
    case Unused::sign_extend: return end < 32 && value >> (end - 1) & 1 ? value | ~0u << end : value;
    case Unused::zero: break;
  }
  return value;
}

float scaled(float value, const Instruction& i) {
  static constexpr float k_scale[] = {1, 2, 4, 0.5F};
  if (i.output_scale) value *= k_scale[i.output_scale];
  return i.clamp ? clamped(value) : value;
}

// The rare modifiers, one after another; `lane` moves to `store` with the first that changes anything.
const uint32_t* modify(Wave& w, const Instruction& i, int operand, const uint32_t* lane, uint32_t* store, bool half) {
  const Operand& o = i.operands[operand];
  const bool is_first = operand == i.first_source, is_second = operand == i.first_source + 1;
  if (i.dpp != Dpp::none && is_first) {
    uint32_t moved[64];
    for (int l = 0; l < w.width; l++) moved[l] = dpp_source_valid(w, i, l) ? lane[dpp_source(i, l, w.width)] : 0;
    std::memcpy(store, moved, 4 * static_cast<size_t>(w.width));
    lane = store;
  }
  if (i.sdwa && (is_first || is_second)) {
    const uint8_t selection = is_first ? i.src0_sel : i.src1_sel;
    for (int l = 0; l < w.width; l++) store[l] = select(lane[l], selection, o.sign_extend);
    lane = store;
  }
  if (o.negate || o.absolute) {
    const uint32_t sign = half ? 0x8000 : 0x80000000, keep = o.absolute ? ~sign : ~0u, flip = o.negate ? sign : 0;
    for (int l = 0; l < w.width; l++) store[l] = (lane[l] & keep) ^ flip;
    lane = store;
  }
  return lane;
}

void store_lanes(const Wave& w, uint32_t* destination, const uint32_t* result, uint64_t lanes) {
  if (lanes == w.full()) {
    std::memcpy(destination, result, 4 * static_cast<size_t>(w.width));
    return;
  }
  for (; lanes; lanes &= lanes - 1) {
    const int lane = std::countr_zero(lanes);
    destination[lane] = result[lane];
  }
}

}  // namespace

float clamped(float value) {
  return value > 1 ? 1 : value > 0 ? value : 0;
}

const uint32_t* fetch32(Wave& w, const Instruction& i, int operand, uint32_t* store, bool half) {
  const Operand& o = i.operands[operand];
  const uint32_t* lane = store;
  switch (o.kind) {
    case Kind::vector: lane = w.vgpr(o.index); break;
    case Kind::constant: lane = o.lanes; break;
    case Kind::scalar: {
      const uint32_t value = w.read(o.index);
      for (int l = 0; l < w.width; l++) store[l] = value;
      break;
    }
    default: w.fault("operand " + std::to_string(operand) + " cannot be read");
  }
  return i.modified ? modify(w, i, operand, lane, store, half) : lane;
}

const uint32_t* fetch16(Wave& w, const Instruction& i, int operand, uint32_t* store, bool is_float) {
  const uint32_t* lane = fetch32(w, i, operand, store, is_float);
  const int source = operand >= i.first_source ? operand - i.first_source : 3, shift = i.op_sel >> source & 1 ? 16 : 0;
  for (int l = 0; l < w.width; l++) store[l] = lane[l] >> shift & 0xffff;
  return store;
}

void fetch64(Wave& w, const Instruction& i, int operand, uint64_t* store, bool is_float) {
  const Operand& o = i.operands[operand];
  if (o.kind == Kind::vector) {
    const uint32_t *low = w.vgpr(o.index), *high = w.vgpr(o.index + 1u);
    for (int l = 0; l < w.width; l++) store[l] = low[l] | static_cast<uint64_t>(high[l]) << 32;
  } else {
    uint64_t value = w.read64(o);
    if (o.is_literal && is_float) value <<= 32;
    for (int l = 0; l < w.width; l++) store[l] = value;
  }
  const uint64_t keep = o.absolute ? ~0ull >> 1 : ~0ull, flip = o.negate ? 1ull << 63 : 0;
  if (o.absolute || o.negate) {
    for (int l = 0; l < w.width; l++) store[l] = (store[l] & keep) ^ flip;
  }
}

void store_plain(Wave& w, const Instruction& i, uint16_t index, const uint32_t* result) {
  store_lanes(w, w.vgpr(index), result, written_lanes(w, i));
}

void store32(Wave& w, const Instruction& i, const uint32_t* result, Finish finish) {
  uint32_t* destination = w.vgpr(i.operands[0].index);
  if (!i.modified) {
    const uint32_t* mask = w.exec_words();
    for (int l = 0; l < w.width; l++) destination[l] = (result[l] & mask[l]) | (destination[l] & ~mask[l]);
    return;
  }
  uint32_t finished[64];
  if ((i.clamp || i.output_scale) && finish != Finish::saturated) {
    if (finish == Finish::integer) w.fault("clamp or output scale of an integer result is not modelled");
    for (int l = 0; l < w.width; l++) {
      finished[l] = finish == Finish::f32 ? to_word(scaled(from_word<float>(result[l]), i))
                                          : to_word(F16(scaled(F16::from_bits(result[l]), i)));
    }
    result = finished;
  }
  if (i.sdwa && i.dst_sel != k_select_all) {
    for (int l = 0; l < w.width; l++) finished[l] = merge(destination[l], result[l], i);
    result = finished;
  }
  store_lanes(w, destination, result, written_lanes(w, i));
}

void store16(Wave& w, const Instruction& i, const uint32_t* result, Finish finish) {
  if (i.sdwa) return store32(w, i, result, finish);
  uint32_t* destination = w.vgpr(i.operands[0].index);
  const bool high = i.op_sel >> 3 & 1, keeps_rest = high || w.generation >= 1000;
  const bool scales = i.modified && finish == Finish::f16 && (i.output_scale || i.clamp);
  const int shift = high ? 16 : 0;
  uint32_t finished[64];
  for (int l = 0; l < w.width; l++) {
    uint32_t half = result[l] & 0xffff;
    if (scales) half = to_word(F16(scaled(F16::from_bits(half), i)));
    // Before gfx10 a 16-bit result clears the upper half.
    finished[l] = half << shift | (keeps_rest ? destination[l] & ~(0xffffu << shift) : 0);
  }
  store_lanes(w, destination, finished, written_lanes(w, i));
}

void store64(Wave& w, const Instruction& i, const uint64_t* result) {
  if (i.clamp || i.output_scale) w.fault("clamp or output scale of a 64-bit result is not modelled");
  uint32_t *low = w.vgpr(i.operands[0].index), *high = w.vgpr(i.operands[0].index + 1u);
  for_active(w, [&](int lane) {
    low[lane] = static_cast<uint32_t>(result[lane]);
    high[lane] = static_cast<uint32_t>(result[lane] >> 32);
  });
}

}  // namespace convoy::amdgpu
