// What one lane moves between memory and registers: bytes, halves (into or out of half a register) or up to four words.
#pragma once

#include <cstdint>
#include <cstring>

#include "wave.h"

namespace convoy::amdgpu {

// "low" and "high": only that half of the register is written, or the upper half is read.
enum class Cell : uint8_t {
  u8,
  i8,
  u16,
  i16,
  words1,
  words2,
  words3,
  words4,
  u8_low,
  u8_high,
  i8_low,
  i8_high,
  u16_low,
  u16_high,
};
constexpr uint32_t k_cell_bytes[] = {1, 1, 2, 2, 4, 8, 12, 16, 1, 1, 1, 1, 2, 2};

inline uint32_t bytes_of(Cell cell) {
  return k_cell_bytes[static_cast<uint8_t>(cell)];
}

struct CellName {
  const char* name;
  Cell cell;
  bool loads, stores;
};
// As flat, global, scratch and buffer instructions name them, and as LDS instructions do.
constexpr CellName k_memory_cells[] = {
    {"ubyte", Cell::u8, true, false},
    {"sbyte", Cell::i8, true, false},
    {"ushort", Cell::u16, true, false},
    {"sshort", Cell::i16, true, false},
    {"dword", Cell::words1, true, true},
    {"dwordx2", Cell::words2, true, true},
    {"dwordx3", Cell::words3, true, true},
    {"dwordx4", Cell::words4, true, true},
    {"byte", Cell::u8, false, true},
    {"short", Cell::u16, false, true},
    {"ubyte_d16", Cell::u8_low, true, false},
    {"ubyte_d16_hi", Cell::u8_high, true, false},
    {"sbyte_d16", Cell::i8_low, true, false},
    {"sbyte_d16_hi", Cell::i8_high, true, false},
    {"short_d16", Cell::u16_low, true, false},
    {"short_d16_hi", Cell::u16_high, true, true},
    {"byte_d16_hi", Cell::u8_high, false, true},
};
constexpr CellName k_lds_cells[] = {
    {"b32", Cell::words1, true, true},
    {"b64", Cell::words2, true, true},
    {"b96", Cell::words3, true, true},
    {"b128", Cell::words4, true, true},
    {"u8", Cell::u8, true, false},
    {"i8", Cell::i8, true, false},
    {"u16", Cell::u16, true, false},
    {"i16", Cell::i16, true, false},
    {"b8", Cell::u8, false, true},
    {"b16", Cell::u16, false, true},
    {"u8_d16", Cell::u8_low, true, false},
    {"u8_d16_hi", Cell::u8_high, true, false},
    {"i8_d16", Cell::i8_low, true, false},
    {"i8_d16_hi", Cell::i8_high, true, false},
    {"u16_d16", Cell::u16_low, true, false},
    {"u16_d16_hi", Cell::u16_high, true, false},
    {"b8_d16_hi", Cell::u8_high, false, true},
    {"b16_d16_hi", Cell::u16_high, false, true},
};

void load_part(uint32_t* reg, const uint8_t* memory, Cell cell);
void store_part(uint8_t* memory, uint32_t word, Cell cell);

inline void load_cell(Wave& w, uint32_t reg, int lane, const uint8_t* memory, Cell cell) {
  uint32_t* word = w.vgpr(reg) + lane;
  if (cell < Cell::words1 || cell > Cell::words4) return load_part(word, memory, cell);
  for (uint32_t n = 0; n < bytes_of(cell); n += 4, word += w.width) std::memcpy(word, memory + n, 4);
}

inline void store_cell(Wave& w, uint32_t reg, int lane, uint8_t* memory, Cell cell) {
  const uint32_t* word = w.vgpr(reg) + lane;
  if (cell < Cell::words1 || cell > Cell::words4) return store_part(memory, *word, cell);
  for (uint32_t n = 0; n < bytes_of(cell); n += 4, word += w.width) std::memcpy(memory + n, word, 4);
}

}  // namespace convoy::amdgpu
