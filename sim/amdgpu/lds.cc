// LDS: loads, stores, pairs of them, atomics, and the exchanges between lanes that go through its crossbar.
#include <algorithm>
#include <bit>
#include <string>

#include "atomics.h"
#include "cells.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

constexpr uint32_t k_banks = 32;

Cell cell_of(const Instruction& i) {
  return static_cast<Cell>(i.arg);
}

// Cycles of an access: lanes are served in groups whose bytes would fill the banks once; in a group the bank with the most different
// words decides.
void count_bank_cycles(Wave& w, const uint32_t* address, uint32_t bytes) {
  if (!w.statistics_on) return;
  const int group = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  for (int first = 0; first < w.width; first += group) {
    uint32_t count[k_banks] = {}, seen[k_banks][32], most = 0;
    for (int lane = first; lane < first + group; lane++) {
      if (!w.active(lane)) continue;
      for (uint32_t word = address[lane] / 4; word < (address[lane] + bytes + 3) / 4; word++) {
        const uint32_t bank = word % k_banks;
        const uint32_t* end = seen[bank] + count[bank];
        if (count[bank] == 32 || std::find(static_cast<const uint32_t*>(seen[bank]), end, word) != end) continue;
        seen[bank][count[bank]++] = word;
        most = std::max(most, count[bank]);
      }
    }
    w.statistics.lds_cycles += most;
    w.statistics.lds_cycles_least += most > 0;
  }
}

struct Addresses {
  uint32_t at[64] = {};
};
Addresses addresses(Wave& w, const Operand& base, uint32_t offset, uint32_t bytes) {
  Addresses result;
  const uint32_t* from = w.vgpr(base.index);
  for (int lane = 0; lane < w.width; lane++) result.at[lane] = from[lane] + offset;
  count_bank_cycles(w, result.at, bytes);
  return result;
}

void read(Wave& w, const Instruction& i) {
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell);
  const Addresses a = addresses(w, i.operands[1], static_cast<uint32_t>(i.offset), bytes);
  for_active(w, [&](int lane) {
    load_cell(w, i.operands[0].index, lane, w.lds(a.at[lane], bytes, lane, Access::load), cell);
  });
}

void write(Wave& w, const Instruction& i) {
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell);
  const Addresses a = addresses(w, i.operands[0], static_cast<uint32_t>(i.offset), bytes);
  for_active(w, [&](int lane) {
    store_cell(w, i.operands[1].index, lane, w.lds(a.at[lane], bytes, lane, Access::store), cell);
  });
}

// Two accesses; arg2: the unit of their offsets.
void read_two(Wave& w, const Instruction& i) {
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell), unit = i.arg2;
  const Addresses a[] = {addresses(w, i.operands[1], static_cast<uint32_t>(i.offset0) * unit, bytes),
                         addresses(w, i.operands[1], static_cast<uint32_t>(i.offset1) * unit, bytes)};
  for_active(w, [&](int lane) {
    for (uint32_t n = 0; n < 2; n++) {
      const uint8_t* memory = w.lds(a[n].at[lane], bytes, lane, Access::load);
      load_cell(w, i.operands[0].index + n * bytes / 4, lane, memory, cell);
    }
  });
}

void write_two(Wave& w, const Instruction& i) {
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell), unit = i.arg2;
  const Addresses a[] = {addresses(w, i.operands[0], static_cast<uint32_t>(i.offset0) * unit, bytes),
                         addresses(w, i.operands[0], static_cast<uint32_t>(i.offset1) * unit, bytes)};
  for_active(w, [&](int lane) {
    for (int n = 0; n < 2; n++) {
      store_cell(w, i.operands[1 + n].index, lane, w.lds(a[n].at[lane], bytes, lane, Access::store), cell);
    }
  });
}

// Operands: [destination,] address, data[, data]. Compare-and-swap has two data operands; gfx11 names it "cmpstore" and swaps them.
constexpr uint32_t k_compare_second = 1024;
void atomic(Wave& w, const Instruction& i) {
  const bool returns = i.arg & k_atomic_returns, wide = is_wide(i);
  const int first = returns ? 1 : 0;
  const Operand &data = i.operands[first + 1], &data2 = i.operands[first + 2];
  for_active(w, [&](int lane) {
    const uint32_t address = w.vgpr(i.operands[first].index)[lane] + static_cast<uint32_t>(i.offset);
    if (address % (wide ? 8 : 4)) w.fault("misaligned LDS atomic", lane);
    uint8_t* memory = w.lds(address, wide ? 8 : 4, lane, Access::atomic);
    uint64_t old = 0;
    if (operation_of(i) == Atomic::compare_swap) {
      const uint32_t value = i.arg & k_compare_second ? data.index : data2.index;
      const uint32_t compare = i.arg & k_compare_second ? data2.index : data.index;
      old = wide ? atomic_pair(memory, Atomic::compare_swap, lane_pair(w, value, lane), lane_pair(w, compare, lane))
                 : atomic_word(memory, Atomic::compare_swap, w.vgpr(value)[lane], w.vgpr(compare)[lane]);
    } else {
      old = atomic_lane(w, i, lane, memory, data.index);
    }
    if (returns) return_old(w, i, lane, old);
  });
}

// Adds (append) or subtracts (consume) the number of active lanes. The address is the offset, on top of M0[15:0] where that stays
// inside the LDS: LLVM puts the pointer in M0, while hand-written kernels leave M0 at a limit and mean the offset alone.
void count_lanes(Wave& w, const Instruction& i) {
  const uint32_t offset = static_cast<uint32_t>(i.offset), base = w.scalars[scalar::m0] & 0xffff;
  const uint32_t address = base + offset + 4 <= w.group->lds.size() ? base + offset : offset;
  const auto lanes = static_cast<uint32_t>(std::popcount(w.exec()));
  const uint32_t old = atomic_word(w.lds(address & ~3u, 4, -1, Access::atomic), operation_of(i), lanes, 0);
  uint32_t* destination = w.vgpr(i.operands[0].index);
  for_active(w, [&](int lane) { destination[lane] = old; });
}

// Each lane gets source lane from(lane)'s data; 0 where that one is not active.
template <typename F>
void gather(Wave& w, const Instruction& i, int data_operand, F from) {
  const uint32_t* data = w.vgpr(i.operands[data_operand].index);
  uint32_t result[64];
  for_active(w, [&](int lane) {
    const int source = from(lane);
    result[lane] = w.active(source) ? data[source] : 0;
  });
  store_plain(w, i, i.operands[0].index, result);
}

void bpermute(Wave& w, const Instruction& i) {
  const uint32_t* address = w.vgpr(i.operands[1].index);
  // In wave64 of gfx10 and newer each half permutes by itself.
  const bool halves = w.width == 64 && w.generation >= 1000;
  gather(w, i, 2, [&](int lane) {
    const int source = static_cast<int>((address[lane] + static_cast<uint32_t>(i.offset)) / 4);
    return halves ? (lane & 32) | (source & 31) : source & (w.width - 1);
  });
}

void permute(Wave& w, const Instruction& i) {
  const uint32_t *address = w.vgpr(i.operands[1].index), *data = w.vgpr(i.operands[2].index);
  uint32_t result[64] = {};
  for_active(w, [&](int lane) {
    result[(address[lane] + static_cast<uint32_t>(i.offset)) / 4 & static_cast<uint32_t>(w.width - 1)] = data[lane];
  });
  store_plain(w, i, i.operands[0].index, result);
}

void swizzle(Wave& w, const Instruction& i) {
  const int mode = i.offset;
  gather(w, i, 1, [&](int lane) {
    if (mode & 0x8000) return (lane & ~3) | (mode >> (2 * (lane & 3)) & 3);
    return (lane & 32) | ((((lane & 31) & (mode & 31)) | (mode >> 5 & 31)) ^ (mode >> 10 & 31));
  });
}

void add_atomics(Table& t) {
  const struct {
    const char *name, *type, *wide_type;
    Atomic operation;
  } all[] = {
      {"add", "u32", "u64", Atomic::add},
      {"sub", "u32", "u64", Atomic::subtract},
      {"rsub", "u32", "u64", Atomic::reverse_subtract},
      {"min", "i32", "i64", Atomic::signed_min},
      {"min", "u32", "u64", Atomic::unsigned_min},
      {"max", "i32", "i64", Atomic::signed_max},
      {"max", "u32", "u64", Atomic::unsigned_max},
      {"and", "b32", "b64", Atomic::bit_and},
      {"or", "b32", "b64", Atomic::bit_or},
      {"xor", "b32", "b64", Atomic::bit_xor},
      {"inc", "u32", "u64", Atomic::increment},
      {"dec", "u32", "u64", Atomic::decrement},
      {"cmpst", "b32", "b64", Atomic::compare_swap},
      {"cmpstore", "b32", "b64", Atomic::compare_swap},
      {"add", "f32", nullptr, Atomic::float_add},
      {"add", nullptr, "f64", Atomic::double_add},
      {"min", "f32", nullptr, Atomic::float_min},
      {"max", "f32", nullptr, Atomic::float_max},
  };
  for (const auto& a : all) {
    uint32_t arg = static_cast<uint32_t>(a.operation);
    if (a.name == std::string_view("cmpstore")) arg |= k_compare_second;
    for (const bool returns : {false, true}) {
      const std::string prefix = std::string("ds_") + a.name + (returns ? "_rtn_" : "_");
      const uint32_t with_return = arg | (returns ? k_atomic_returns : 0);
      if (a.type) t.add(prefix + a.type, {atomic, Class::lds, 0, with_return});
      if (a.wide_type) t.add(prefix + a.wide_type, {atomic, Class::lds, 0, with_return | k_atomic_wide});
    }
  }
  const uint32_t swap = static_cast<uint32_t>(Atomic::swap) | k_atomic_returns;
  for (const char* name : {"ds_wrxchg_rtn_b", "ds_storexchg_rtn_b"}) {
    t.add(std::string(name) + "32", {atomic, Class::lds, 0, swap});
    t.add(std::string(name) + "64", {atomic, Class::lds, 0, swap | k_atomic_wide});
  }
  t.add("ds_append", {count_lanes, Class::lds, 0, static_cast<uint32_t>(Atomic::add)});
  t.add("ds_consume", {count_lanes, Class::lds, 0, static_cast<uint32_t>(Atomic::subtract)});
}

}  // namespace

void add_lds(Table& t) {
  for (const CellName& cell : k_lds_cells) {
    const auto arg = static_cast<uint32_t>(cell.cell);
    if (cell.loads) t.add(std::string("ds_read_") + cell.name, {read, Class::lds, 0, arg});
    if (cell.stores) t.add(std::string("ds_write_") + cell.name, {write, Class::lds, 0, arg});
  }
  for (const auto& [type, cell] : {std::pair{"b32", Cell::words1}, std::pair{"b64", Cell::words2}}) {
    const auto arg = static_cast<uint32_t>(cell);
    const uint32_t unit = bytes_of(cell);
    t.add(std::string("ds_read2_") + type, {read_two, Class::lds, 0, arg, unit});
    t.add(std::string("ds_read2st64_") + type, {read_two, Class::lds, 0, arg, 64 * unit});
    t.add(std::string("ds_write2_") + type, {write_two, Class::lds, 0, arg, unit});
    t.add(std::string("ds_write2st64_") + type, {write_two, Class::lds, 0, arg, 64 * unit});
  }
  add_atomics(t);
  t.add("ds_bpermute_b32", {bpermute, Class::lds});
  t.add("ds_permute_b32", {permute, Class::lds});
  t.add("ds_swizzle_b32", {swizzle, Class::lds});
}

}  // namespace convoy::amdgpu
