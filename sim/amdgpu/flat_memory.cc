// Scalar loads, and vector memory by address: flat (global memory, LDS or private memory, by aperture), global and scratch.
#include <cstring>
#include <string>

#include "atomics.h"
#include "cells.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

constexpr uint32_t k_most_words = 16;

// Operands: destination, base, offset (a constant or a register). Instruction::arg: words.
uint64_t scalar_offset(Wave& w, const Instruction& i) {
  const Operand& o = i.operands[2];
  uint64_t offset = static_cast<uint64_t>(static_cast<int64_t>(i.offset));
  if (o.kind == Kind::constant) offset += static_cast<uint64_t>(o.integer);
  if (o.kind == Kind::scalar && o.index != scalar::null) offset += w.read(o);
  return offset;
}

void scalar_load(Wave& w, const Instruction& i) {
  const uint64_t address = (w.read64(i.operands[1]) + scalar_offset(w, i)) & ~3ull;
  uint32_t words[k_most_words];
  std::memcpy(words, w.global(address, i.arg * 4, -1, Access::scalar_load), i.arg * 4);
  for (uint32_t n = 0; n < i.arg; n++) w.write(i.operands[0].index + n, words[n]);
}

// What lies past the descriptor's end reads as 0.
void scalar_buffer_load(Wave& w, const Instruction& i) {
  const uint32_t* descriptor = &w.scalars[i.operands[1].index];
  const uint64_t base = descriptor[0] | static_cast<uint64_t>(descriptor[1] & 0xffff) << 32;
  const uint32_t stride = descriptor[1] >> 16 & 0x3fff;
  const uint64_t bytes = static_cast<uint64_t>(descriptor[2]) * (stride ? stride : 1),
                 offset = scalar_offset(w, i) & ~3ull;
  uint32_t words[k_most_words] = {};
  for (uint32_t n = 0; n < i.arg; n++) {
    const uint64_t at = offset + 4ull * n;
    if (at + 4 <= bytes) std::memcpy(&words[n], w.global(base + at, 4, -1, Access::scalar_load), 4);
  }
  for (uint32_t n = 0; n < i.arg; n++) w.write(i.operands[0].index + n, words[n]);
}

bool is_register(const Operand& o) {
  return o.kind == Kind::scalar && o.index != scalar::null;
}

// The vector operand is the whole address, or with a scalar base a 32-bit offset from it.
uint64_t flat_address(Wave& w, const Instruction& i, int vector_operand, int base_operand, int lane) {
  const Operand &v = i.operands[vector_operand], &base = i.operands[base_operand];
  const auto offset = static_cast<uint64_t>(static_cast<int64_t>(i.offset));
  if (is_register(base)) return w.pair(base.index) + (v.kind == Kind::vector ? w.vgpr(v.index)[lane] : 0) + offset;
  return lane_pair(w, v.index, lane) + offset;
}

// How many 64-byte lines a wave's access touches. Near neighbours are enough to look at: lanes come in order.
void count_lines(Wave& w, const uint64_t* address, uint32_t bytes) {
  if (!w.statistics_on) return;
  uint64_t seen[256], lanes = 0;
  int count = 0;
  for_active(w, [&](int lane) {
    lanes++;
    for (uint64_t line = address[lane] / 64; line <= (address[lane] + bytes - 1) / 64; line++) {
      bool known = false;
      for (int n = count - 1; n >= 0 && n > count - 20 && !known; n--) known = seen[n] == line;
      if (!known && count < 256) seen[count++] = line;
    }
  });
  w.statistics.memory_lines += static_cast<uint64_t>(count);
  w.statistics.memory_lines_least += (lanes * bytes + 63) / 64;
}

Cell cell_of(const Instruction& i) {
  return static_cast<Cell>(i.arg);
}

// Operands: destination, address, base.
void flat_load(Wave& w, const Instruction& i) {
  uint64_t address[64] = {};
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell);
  for_active(w, [&](int lane) { address[lane] = flat_address(w, i, 1, 2, lane); });
  count_lines(w, address, bytes);
  for_active(w, [&](int lane) {
    load_cell(w, i.operands[0].index, lane, w.flat(address[lane], bytes, lane, Access::load), cell);
  });
}

// Operands: address, data, base.
void flat_store(Wave& w, const Instruction& i) {
  uint64_t address[64] = {};
  const Cell cell = cell_of(i);
  const uint32_t bytes = bytes_of(cell);
  for_active(w, [&](int lane) { address[lane] = flat_address(w, i, 0, 2, lane); });
  count_lines(w, address, bytes);
  for_active(w, [&](int lane) {
    store_cell(w, i.operands[1].index, lane, w.flat(address[lane], bytes, lane, Access::store), cell);
  });
}

// Operands: [destination,] address, data, base; glc: the destination is there.
void flat_atomic(Wave& w, const Instruction& i) {
  const int first = i.glc ? 1 : 0;
  const uint32_t bytes = is_wide(i) ? 8 : 4;
  for_active(w, [&](int lane) {
    const uint64_t address = flat_address(w, i, first, first + 2, lane);
    if (address % bytes) w.fault("misaligned atomic", lane);
    const uint64_t old =
        atomic_lane(w, i, lane, w.flat(address, bytes, lane, Access::atomic), i.operands[first + 1].index);
    if (i.glc) return_old(w, i, lane, old);
  });
}

// Private memory: a vector offset, a scalar one, or both.
uint8_t* scratch_at(Wave& w, const Instruction& i, int vector_operand, int lane) {
  const Operand &v = i.operands[vector_operand], &base = i.operands[2];
  uint64_t offset = static_cast<uint64_t>(static_cast<int64_t>(i.offset));
  if (v.kind == Kind::vector) offset += w.vgpr(v.index)[lane];
  if (is_register(base)) offset += w.scalars[base.index];
  if (base.kind == Kind::constant) offset += static_cast<uint64_t>(base.integer);
  return w.private_memory(offset, bytes_of(cell_of(i)), lane);
}
void scratch_load(Wave& w, const Instruction& i) {
  for_active(w, [&](int lane) { load_cell(w, i.operands[0].index, lane, scratch_at(w, i, 1, lane), cell_of(i)); });
}
void scratch_store(Wave& w, const Instruction& i) {
  for_active(w, [&](int lane) { store_cell(w, i.operands[1].index, lane, scratch_at(w, i, 0, lane), cell_of(i)); });
}

struct AtomicName {
  const char* name;
  Atomic operation;
};
constexpr AtomicName k_integer_atomics[] = {
    {"swap", Atomic::swap},       {"cmpswap", Atomic::compare_swap}, {"add", Atomic::add},
    {"sub", Atomic::subtract},    {"smin", Atomic::signed_min},      {"umin", Atomic::unsigned_min},
    {"smax", Atomic::signed_max}, {"umax", Atomic::unsigned_max},    {"and", Atomic::bit_and},
    {"or", Atomic::bit_or},       {"xor", Atomic::bit_xor},          {"inc", Atomic::increment},
    {"dec", Atomic::decrement},
};
constexpr AtomicName k_float_atomics[] = {
    {"add_f32", Atomic::float_add},
    {"fmin", Atomic::float_min},
    {"fmax", Atomic::float_max},
    {"add_f64", Atomic::double_add},
    {"pk_add_f16", Atomic::packed_half_add},
    {"pk_add_bf16", Atomic::packed_bfloat_add},
};

}  // namespace

void add_atomics(Table& t, const std::string& prefix, Meaning meaning) {
  const auto add = [&](const std::string& name, Atomic operation, bool wide) {
    t.add(prefix + "_atomic_" + name,
          {.run = meaning, .kind = Class::vmem, .arg = static_cast<uint32_t>(operation) | (wide ? k_atomic_wide : 0)});
  };
  for (const auto& [name, operation] : k_integer_atomics) {
    add(name, operation, false);
    add(std::string(name) + "_x2", operation, true);
  }
  for (const auto& [name, operation] : k_float_atomics) add(name, operation, operation == Atomic::double_add);
}

void add_scalar_memory(Table& t) {
  const char* names[] = {"", "x2", "x4", "x8", "x16"};
  for (uint32_t n = 0; n < 5; n++) {
    t.add(std::string("s_load_dword") + names[n], {scalar_load, Class::smem, 0, 1u << n});
    t.add(std::string("s_buffer_load_dword") + names[n], {scalar_buffer_load, Class::smem, 0, 1u << n});
  }
}

void add_flat_memory(Table& t) {
  for (const CellName& cell : k_memory_cells) {
    const auto arg = static_cast<uint32_t>(cell.cell);
    const auto add = [&](const char* prefix, Meaning meaning) {
      t.add(std::string(prefix) + cell.name, {meaning, Class::vmem, 0, arg});
    };
    if (cell.loads) {
      add("flat_load_", flat_load);
      add("global_load_", flat_load);
      add("scratch_load_", scratch_load);
    }
    if (cell.stores) {
      add("flat_store_", flat_store);
      add("global_store_", flat_store);
      add("scratch_store_", scratch_store);
    }
  }
  add_atomics(t, "flat", flat_atomic);
  add_atomics(t, "global", flat_atomic);
}

}  // namespace convoy::amdgpu
