// The cells that are less than a word.
#include "cells.h"

namespace convoy::amdgpu {
namespace {

uint32_t with_low(uint32_t word, uint32_t half) {
  return (word & 0xffff0000) | (half & 0xffff);
}
uint32_t with_high(uint32_t word, uint32_t half) {
  return (word & 0xffff) | half << 16;
}

}  // namespace

void load_part(uint32_t* reg, const uint8_t* memory, Cell cell) {
  uint16_t half = memory[0];
  if (bytes_of(cell) == 2) std::memcpy(&half, memory, 2);
  const auto byte_with_sign = static_cast<uint32_t>(int32_t{static_cast<int8_t>(half)});
  switch (cell) {
    case Cell::i8: *reg = byte_with_sign; break;
    case Cell::i16: *reg = static_cast<uint32_t>(static_cast<int16_t>(half)); break;
    case Cell::i8_low: *reg = with_low(*reg, byte_with_sign); break;
    case Cell::i8_high: *reg = with_high(*reg, byte_with_sign); break;
    case Cell::u8_low:
    case Cell::u16_low: *reg = with_low(*reg, half); break;
    case Cell::u8_high:
    case Cell::u16_high: *reg = with_high(*reg, half); break;
    default: *reg = half;
  }
}

void store_part(uint8_t* memory, uint32_t word, Cell cell) {
  if (cell == Cell::u8_high || cell == Cell::u16_high) word >>= 16;
  const auto half = static_cast<uint16_t>(word);
  std::memcpy(memory, &half, bytes_of(cell));  // little-endian: a byte is the lower one
}

}  // namespace convoy::amdgpu
