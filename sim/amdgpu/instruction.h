// One decoded instruction: LLVM's text, taken apart once. A Meaning is a plain function that executes it for a whole wave; there is no
// virtual call and no look-up while a kernel runs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace convoy::amdgpu {

struct Wave;
struct Instruction;
using Meaning = void (*)(Wave&, const Instruction&);

// Scalar registers by their place in Wave::scalars: s0..s105, ttmp0..15, and what else may stand where a scalar register may.
namespace scalar {
enum : uint16_t {
  vcc = 106,
  ttmp = 108,
  m0 = 124,
  exec = 126,
  null = 128,  // reads 0, writes are dropped
  scc = 130,
  flat_scratch = 132,
  xnack_mask = 134,
  shared_base = 136,
  shared_limit = 138,
  private_base = 140,
  private_limit = 142,
  vccz = 144,
  execz = 145,
  lds_direct = 146,
  count = 160,
};
}  // namespace scalar

// Accumulation registers (gfx908, 90a) are vector registers from here on.
constexpr uint16_t k_first_accumulator = 256;

enum class Kind : uint8_t { none, vector, scalar, constant, off };

struct Operand {
  Kind kind = Kind::none;
  uint16_t index = 0;
  uint8_t count = 1;  // registers
  bool negate = false, absolute = false, sign_extend = false;
  bool is_float = false;    // an inline constant such as 0.5
  bool is_literal = false;  // 32 bits written in hexadecimal: a double's upper half
  uint32_t word = 0;        // a constant as a 32-bit operand
  int64_t integer = 0;
  double real = 0;
  const uint32_t* lanes = nullptr;  // `word` 64 times
};

enum class Class : uint8_t { valu, fma, salu, smem, vmem, lds, barrier, other };

enum class Dpp : uint8_t {
  none,
  quad_perm,
  row_shl,
  row_shr,
  row_ror,
  wave_shl,
  wave_rol,
  wave_shr,
  wave_ror,
  row_mirror,
  row_half_mirror,
  row_bcast15,
  row_bcast31,
  row_share,
  row_xmask,
  dpp8,
};

// SDWA: which part of a register. The numbers are the shift in units of 8 bits, or 4 + the shift in units of 16.
enum : uint8_t { k_select_word0 = 4, k_select_all = 6 };
enum class Unused : uint8_t { zero, sign_extend, preserve };

struct Instruction {
  Meaning run = nullptr;
  Class kind = Class::other;
  uint8_t size = 4;          // bytes
  uint8_t flops = 0;         // of one lane
  bool modified = false;     // source modifiers, DPP, SDWA, clamp or omod: the slow path
  uint8_t first_source = 1;  // the operand that DPP and src0_sel act on
  Operand operands[6];
  int32_t offset = 0, offset0 = 0, offset1 = 0;
  uint32_t arg = 0, arg2 = 0;  // what the table gives the meaning
  bool glc = false, clamp = false, offen = false, idxen = false, to_lds = false;
  uint8_t output_scale = 0;  // omod: 1 x2, 2 x4, 3 /2
  uint8_t op_sel = 0, op_sel_hi = 7, neg_lo = 0, neg_hi = 0;
  bool op_sel_hi_given = false;
  bool sdwa = false;
  uint8_t dst_sel = k_select_all, src0_sel = k_select_all, src1_sel = k_select_all;
  Unused dst_unused = Unused::zero;
  Dpp dpp = Dpp::none;
  uint8_t row_mask = 15, bank_mask = 15;
  bool bound_ctrl = false, fetch_inactive = false;
  uint32_t dpp_argument = 0;
  uint8_t cbsz = 0, abid = 0, blgp = 0;  // MFMA: broadcast of A's blocks, shuffle of B's lanes
  // VOPD: this is the first half, `second` the other one; `first_run` what `run` would be on its own.
  std::unique_ptr<Instruction> second;
  Meaning first_run = nullptr;
  bool second_reads_first = false;
  bool unknown = false;  // `run` reports it
  std::string mnemonic;  // without the encoding's suffix, gfx11 names as the older ones
  std::string text;      // LLVM's
};

// A module's text, decoded. Index: offset in words; null inside an instruction.
struct Code {
  uint64_t base = 0, size = 0;  // bytes
  std::vector<std::unique_ptr<Instruction>> at;
  std::unordered_map<uint32_t, std::unique_ptr<std::array<uint32_t, 64>>> constants;  // what Operand::lanes points to
};

}  // namespace convoy::amdgpu
