// Vector operands: fetching a source for all lanes, with what an encoding may ask for on the way (negation, DPP, SDWA, halves), and
// storing a result under exec (clamp, output scale, SDWA, halves). All of that is rare: Instruction::modified says whether to look.
#pragma once

#include "number.h"
#include "wave.h"

namespace convoy::amdgpu {

// How a result is finished before it is stored.
enum class Finish : uint8_t { integer, f32, f16, saturated };  // saturated: clamp is part of the operation already

// The operand's lanes: in place where that is possible, else in `store`. `half`: modifiers act on bit 15, not 31.
const uint32_t* fetch32(Wave& w, const Instruction& i, int operand, uint32_t* store, bool half = false);
// The low or high halves, as op_sel says, zero-extended.
const uint32_t* fetch16(Wave& w, const Instruction& i, int operand, uint32_t* store, bool is_float);
// A pair of registers. A literal constant of a double is its upper half.
void fetch64(Wave& w, const Instruction& i, int operand, uint64_t* store, bool is_float);

void store32(Wave& w, const Instruction& i, const uint32_t* result, Finish finish);
void store16(Wave& w, const Instruction& i, const uint32_t* result, Finish finish);
void store64(Wave& w, const Instruction& i, const uint64_t* result);
// As they are, under exec and, where the instruction has it, DPP's masks.
void store_plain(Wave& w, const Instruction& i, uint16_t index, const uint32_t* result);

float clamped(float value);  // to [0, 1]; what is no number gives 0

}  // namespace convoy::amdgpu
