// Vector memory through buffer descriptors: base, stride, number of records, and a check that makes what lies outside read as 0 and
// write nowhere. Private memory of the older generations comes this way too, with a descriptor of our own making.
#include <string>

#include "atomics.h"
#include "cells.h"
#include "table.h"

namespace convoy::amdgpu {

void add_atomics(Table& t, const std::string& prefix, Meaning meaning);  // flat_memory.cc

namespace {

// Of word 3. 0 there is an unbound buffer; the generations keep it in different bits.
bool has_format(const Wave& w, uint32_t word3) {
  const uint32_t format = w.generation >= 1100 ? 0x3f000 : w.generation >= 1000 ? 0x7f000 : 0x78000;
  return word3 & format;
}

// Operands: data, vector index and offset, descriptor, scalar offset. Null: outside. `skip`: bytes into a wider access.
uint8_t* buffer_at(Wave& w, const Instruction& i, int lane, uint32_t bytes, uint32_t skip, Access access) {
  const uint32_t* descriptor = &w.scalars[i.operands[2].index];
  const uint64_t base = descriptor[0] | static_cast<uint64_t>(descriptor[1] & 0xffff) << 32;
  const uint32_t stride = descriptor[1] >> 16 & 0x3fff, records = descriptor[2], scalar_offset = w.read(i.operands[3]);
  const uint32_t v = i.operands[1].index;
  const uint64_t index = i.idxen ? w.vgpr(v)[lane] : 0;
  const uint64_t vector_offset = i.offen ? w.vgpr(i.idxen ? v + 1 : v)[lane] : 0;
  const uint64_t immediate = static_cast<uint64_t>(static_cast<int64_t>(i.offset)) + skip;
  if (base == k_scratch_descriptor) {
    // The scalar offset of swizzled private memory counts the whole wave's bytes.
    return w.private_memory(vector_offset + immediate + scalar_offset / static_cast<uint32_t>(w.width), bytes, lane);
  }
  if (!has_format(w, descriptor[3])) return nullptr;
  const uint64_t offset = static_cast<uint32_t>(vector_offset + immediate);  // 32 bits: a tile may begin at -4 and wrap
  if (stride) {
    if (index >= records || (i.idxen && offset + bytes > stride)) return nullptr;
  } else if (offset + bytes + (w.generation >= 1000 ? 0 : scalar_offset) > records) {
    return nullptr;
  }
  return w.global(base + index * stride + offset + scalar_offset, bytes, lane, access);
}

// Of a wide access that is partly outside, the words inside are moved.
void buffer_load(Wave& w, const Instruction& i) {
  if (i.to_lds) w.fault("a buffer load to LDS is not modelled");
  const Cell cell = static_cast<Cell>(i.arg);
  const uint32_t bytes = bytes_of(cell);
  for_active(w, [&](int lane) {
    if (const uint8_t* all = buffer_at(w, i, lane, bytes, 0, Access::load)) {
      return load_cell(w, i.operands[0].index, lane, all, cell);
    }
    uint8_t parts[16] = {};
    for (uint32_t n = 0; bytes > 4 && n < bytes; n += 4) {
      if (const uint8_t* word = buffer_at(w, i, lane, 4, n, Access::load)) std::memcpy(parts + n, word, 4);
    }
    load_cell(w, i.operands[0].index, lane, parts, cell);
  });
}

void buffer_store(Wave& w, const Instruction& i) {
  const Cell cell = static_cast<Cell>(i.arg);
  const uint32_t bytes = bytes_of(cell), data = i.operands[0].index;
  for_active(w, [&](int lane) {
    if (uint8_t* all = buffer_at(w, i, lane, bytes, 0, Access::store)) return store_cell(w, data, lane, all, cell);
    for (uint32_t n = 0; bytes > 4 && n < bytes; n += 4) {
      if (uint8_t* word = buffer_at(w, i, lane, 4, n, Access::store))
        store_cell(w, data + n / 4, lane, word, Cell::words1);
    }
  });
}

void buffer_atomic(Wave& w, const Instruction& i) {
  for_active(w, [&](int lane) {
    uint8_t* memory = buffer_at(w, i, lane, is_wide(i) ? 8 : 4, 0, Access::atomic);
    if (!memory) return;
    const uint64_t old = atomic_lane(w, i, lane, memory, i.operands[0].index);
    if (i.glc) return_old(w, i, lane, old);
  });
}

}  // namespace

void add_buffer_memory(Table& t) {
  for (const CellName& cell : k_memory_cells) {
    const auto arg = static_cast<uint32_t>(cell.cell);
    if (cell.loads) t.add(std::string("buffer_load_") + cell.name, {buffer_load, Class::vmem, 0, arg});
    if (cell.stores) t.add(std::string("buffer_store_") + cell.name, {buffer_store, Class::vmem, 0, arg});
  }
  add_atomics(t, "buffer", buffer_atomic);
}

}  // namespace convoy::amdgpu
