// Matrix instructions of gfx908 and gfx90a (MFMA): D = A * B^T + C in one or several blocks, spread over the registers of 64 lanes.
// Where each element lies follows AMD's "Matrix cores" lab notes (gpuopen.com). Exec is ignored, as hardware does. Products are added
// one by one with fused multiply-adds; hardware's order and its rounding inside a step are not documented.
#include <array>
#include <cmath>
#include <cstring>

#include "table.h"

namespace convoy::amdgpu {
namespace {

enum class Element : uint8_t { f32, f16, bf16, i8 };

struct Shape {
  int rows, depth, blocks;  // each block is rows x rows, its sums are `depth` long
  Element element;
  int per_lane;  // consecutive elements of the sum that a lane holds
};

constexpr int k_most_inputs = 256, k_most_sums = 2048;

uint32_t pack(const Shape& s) {
  return static_cast<uint32_t>(s.rows | s.depth << 8 | s.blocks << 16);
}
Shape shape_of(const Instruction& i) {
  const auto byte = [](uint32_t word, int n) { return static_cast<int>(word >> (8 * n) & 255); };
  return {byte(i.arg, 0), byte(i.arg, 1), byte(i.arg, 2), static_cast<Element>(byte(i.arg2, 0)), byte(i.arg2, 1)};
}

float element(Wave& w, const Shape& s, const Operand& o, int lane, int n) {
  if (o.kind == Kind::constant) return from_word<float>(o.word);
  const auto word = [&](int per_word) { return w.vgpr(static_cast<uint32_t>(o.index + n / per_word))[lane]; };
  switch (s.element) {
    case Element::f32: return from_word<float>(word(1));
    case Element::f16: return half_to_float(word(2) >> (16 * (n & 1)) & 0xffff);
    case Element::bf16: return bfloat_to_float(word(2) >> (16 * (n & 1)) & 0xffff);
    case Element::i8: return static_cast<int8_t>(word(4) >> (8 * (n & 3)));
  }
  return 0;
}

// Which of B's lanes this lane's value comes from.
int shuffled(int lane, int blgp) {
  switch (blgp) {
    case 0: return lane;
    case 1: return lane & 31;
    case 2: return (lane & 31) | 32;
    case 3: return (lane + 16) & 63;
    default: return (lane & 15) | (blgp - 4) << 4;
  }
}

using Inputs = std::array<float, k_most_inputs>;

Inputs gather(Wave& w, const Shape& s, const Operand& o, int blgp) {
  Inputs values;
  const int groups = s.depth / s.per_lane;
  for (int lane = 0; lane < 64; lane++) {
    const int row = lane % s.rows, rest = lane / s.rows;
    const int block = s.blocks > 1 ? rest / groups : 0, group = s.blocks > 1 ? rest % groups : rest;
    for (int n = 0; n < s.per_lane; n++) {
      values[static_cast<size_t>((block * s.rows + row) * s.depth + group * s.per_lane + n)] =
          element(w, s, o, shuffled(lane, blgp), n);
    }
  }
  return values;
}

// Block `abid` of each 2^cbsz blocks of A serves them all.
void broadcast_blocks(Inputs& a, const Shape& s, int cbsz, int abid) {
  const Inputs given = a;
  const int block_size = s.rows * s.depth;
  for (int block = 0; block < s.blocks; block++) {
    const int from = (block & ~((1 << cbsz) - 1)) + abid;
    for (int n = 0; n < block_size; n++)
      a[static_cast<size_t>(block * block_size + n)] = given[static_cast<size_t>(from * block_size + n)];
  }
}

struct Place {
  int block, row, column;
};
Place place_of(const Shape& s, int reg, int lane) {
  const int column = lane % s.rows;
  if (s.rows == 32) return {reg / 16, 8 * (reg % 16 / 4) + 4 * (lane / 32) + reg % 4, column};
  if (s.rows == 16) return {reg / 4, 4 * (lane / 16) + reg % 4, column};
  return {lane / 4, reg, column};
}

uint32_t multiply_add(const Shape& s, const float* a, const float* b, uint32_t sum) {
  if (s.element == Element::i8) {
    for (int k = 0; k < s.depth; k++)
      sum += static_cast<uint32_t>(static_cast<int32_t>(a[k]) * static_cast<int32_t>(b[k]));
    return sum;
  }
  float total = from_word<float>(sum);
  for (int k = 0; k < s.depth; k++) total = __builtin_fmaf(a[k], b[k], total);
  return to_word(total);
}

struct Mfma {
  static void run(Wave& w, const Instruction& i) {
    const Shape s = shape_of(i);
    Inputs a = gather(w, s, i.operands[1], 0);
    const Inputs b = gather(w, s, i.operands[2], i.blgp);
    if (i.cbsz) broadcast_blocks(a, s, i.cbsz, i.abid);
    const int registers = s.rows * s.rows * s.blocks / 64;
    const Operand& c = i.operands[3];
    std::array<uint32_t, k_most_sums> result;
    for (int reg = 0; reg < registers; reg++) {
      for (int lane = 0; lane < 64; lane++) {
        const Place at = place_of(s, reg, lane);
        const uint32_t sum = c.kind == Kind::constant ? c.word : w.vgpr(static_cast<uint32_t>(c.index + reg))[lane];
        result[static_cast<size_t>(reg * 64 + lane)] =
            multiply_add(s, &a[static_cast<size_t>((at.block * s.rows + at.row) * s.depth)],
                         &b[static_cast<size_t>((at.block * s.rows + at.column) * s.depth)], sum);
      }
    }
    std::memcpy(w.vgpr(i.operands[0].index), result.data(), static_cast<size_t>(registers) * 64 * 4);
    w.statistics.flops += 2ull * static_cast<uint64_t>(s.rows * s.rows * s.depth * s.blocks);
  }
};

}  // namespace

void add_matrix(Table& t) {
  const struct {
    const char* name;
    Shape shape;
  } all[] = {
      {"v_mfma_f32_32x32x1f32", {32, 1, 2, Element::f32, 1}},
      {"v_mfma_f32_16x16x1f32", {16, 1, 4, Element::f32, 1}},
      {"v_mfma_f32_4x4x1f32", {4, 1, 16, Element::f32, 1}},
      {"v_mfma_f32_32x32x2f32", {32, 2, 1, Element::f32, 1}},
      {"v_mfma_f32_16x16x4f32", {16, 4, 1, Element::f32, 1}},
      {"v_mfma_f32_32x32x4f16", {32, 4, 2, Element::f16, 4}},
      {"v_mfma_f32_16x16x4f16", {16, 4, 4, Element::f16, 4}},
      {"v_mfma_f32_4x4x4f16", {4, 4, 16, Element::f16, 4}},
      {"v_mfma_f32_32x32x8f16", {32, 8, 1, Element::f16, 4}},
      {"v_mfma_f32_16x16x16f16", {16, 16, 1, Element::f16, 4}},
      {"v_mfma_f32_32x32x2bf16", {32, 2, 2, Element::bf16, 2}},
      {"v_mfma_f32_16x16x2bf16", {16, 2, 4, Element::bf16, 2}},
      {"v_mfma_f32_4x4x2bf16", {4, 2, 16, Element::bf16, 2}},
      {"v_mfma_f32_32x32x4bf16", {32, 4, 1, Element::bf16, 2}},
      {"v_mfma_f32_16x16x8bf16", {16, 8, 1, Element::bf16, 2}},
      {"v_mfma_f32_32x32x4bf16_1k", {32, 4, 2, Element::bf16, 4}},
      {"v_mfma_f32_16x16x4bf16_1k", {16, 4, 4, Element::bf16, 4}},
      {"v_mfma_f32_4x4x4bf16_1k", {4, 4, 16, Element::bf16, 4}},
      {"v_mfma_f32_32x32x8bf16_1k", {32, 8, 1, Element::bf16, 4}},
      {"v_mfma_f32_16x16x16bf16_1k", {16, 16, 1, Element::bf16, 4}},
      {"v_mfma_i32_32x32x4i8", {32, 4, 2, Element::i8, 4}},
      {"v_mfma_i32_16x16x4i8", {16, 4, 4, Element::i8, 4}},
      {"v_mfma_i32_4x4x4i8", {4, 4, 16, Element::i8, 4}},
      {"v_mfma_i32_32x32x8i8", {32, 8, 1, Element::i8, 4}},
      {"v_mfma_i32_16x16x16i8", {16, 16, 1, Element::i8, 4}},
  };
  for (const auto& [name, shape] : all) {
    const uint32_t kind = static_cast<uint32_t>(shape.element) | static_cast<uint32_t>(shape.per_lane) << 8;
    t.add(name, {tuned<Mfma>(), Class::fma, 0, pack(shape), kind});
  }
}

}  // namespace convoy::amdgpu
