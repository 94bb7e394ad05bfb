// The state of a wave and of its group while they run. Everything that an instruction can reach, it reaches through Wave.
// A mistake of the kernel, or something not modelled, is a Fault: the one exception of this library. It keeps checks out of the
// signatures of a thousand meanings and never leaves Module's functions.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "amdgpu.h"
#include "instruction.h"
#include "lds_shadow.h"

namespace convoy::amdgpu {

struct Fault : std::runtime_error {
  using runtime_error::runtime_error;
};

struct Range {
  uint64_t begin, end;
};

// Upper halves of the addresses through which flat instructions reach LDS and private memory. No user address has bit 48 or above.
constexpr uint32_t k_shared_aperture = 0x10000, k_private_aperture = 0x20000;
// The base address in the private segment's buffer descriptor: recognised, never dereferenced.
constexpr uint64_t k_scratch_descriptor = 0x5c0;

struct Group {
  uint32_t id[3] = {};
  const Kernel* kernel = nullptr;
  const Options* options = nullptr;
  std::vector<uint8_t> lds;
  LdsShadow shadow;  // used only with Options::race
};

enum class Access : uint8_t { load, store, atomic, scalar_load };

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

struct Wave {
  // What it belongs to.
  Group* group = nullptr;
  const Code* code = nullptr;
  const std::vector<Range>* memory = nullptr;  // sorted; empty: no checks
  int width = 64;
  int generation = 0;  // 803, 900, ... 908, 910 for gfx90a, 1010, ... 1100
  uint32_t id = 0;
  bool statistics_on = false, race_on = false;

  // Registers. Vector register r of lane l is vectors[r * width + l].
  std::unique_ptr<uint32_t[], FreeMemory> vectors;
  uint32_t vector_count = 0;
  uint32_t scalars[scalar::count] = {};
  uint64_t pc = 0;
  std::vector<uint8_t> scratch;  // lane after lane
  bool index_mode = false;       // between s_set_gpr_idx_on and _off

  // Progress.
  bool ended = false, at_barrier = false, yields = false;
  const Instruction* current = nullptr;
  Statistics statistics;

  uint64_t full() const { return width == 64 ? ~0ull : 0xffffffffull; }
  uint64_t pair(uint32_t index) const { return scalars[index] | static_cast<uint64_t>(scalars[index + 1]) << 32; }
  uint64_t lane_mask(uint32_t index) const { return width == 64 ? pair(index) : scalars[index]; }
  uint64_t exec() const { return lane_mask(scalar::exec); }
  uint64_t vcc() const { return lane_mask(scalar::vcc); }
  bool active(int lane) const { return exec() >> lane & 1; }
  void set_exec(uint64_t mask) { write_mask(scalar::exec, mask); }

  uint32_t* vgpr(uint32_t index) { return vectors.get() + static_cast<size_t>(index) * width; }
  const uint32_t* exec_words();  // exec as a word of zeros or ones for each lane

  // Scalar operands.
  uint32_t read(uint32_t index);
  uint32_t read(const Operand& operand) { return operand.kind == Kind::constant ? operand.word : read(operand.index); }
  uint64_t read64(const Operand& operand) const;
  uint64_t read_mask(const Operand& operand) const;
  void write(uint32_t index, uint32_t value) {
    if (index != scalar::null && index != scalar::null + 1) scalars[index] = value;
  }
  void write64(uint32_t index, uint64_t value) {
    write(index, static_cast<uint32_t>(value));
    write(index + 1, static_cast<uint32_t>(value >> 32));
  }
  void write_mask(uint32_t index, uint64_t mask) {
    write(index, static_cast<uint32_t>(mask));
    if (width == 64) write(index + 1, static_cast<uint32_t>(mask >> 32));
  }

  // Memory, checked. `lane` is for the message; -1: the wave.
  uint8_t* global(uint64_t address, uint32_t bytes, int lane, Access access);
  uint8_t* lds(uint32_t address, uint32_t bytes, int lane, Access access);
  uint8_t* private_memory(uint64_t offset, uint32_t bytes, int lane);
  uint8_t* flat(uint64_t address, uint32_t bytes, int lane, Access access);

  [[noreturn]] void fault(const std::string& what, int lane = -1) const;

  void prepare_vectors(uint32_t count);

 private:
  uint32_t read_lds_direct();
  [[noreturn]] void outside(uint64_t address, uint32_t bytes, int lane, Access access) const;

  Range last_{0, 0};  // the allocation that was touched last
  alignas(64) uint32_t exec_words_[64] = {};
  uint64_t exec_words_for_ = 0;
};

// Calls act(lane) for each active lane.
template <typename F>
void for_active(const Wave& w, F&& act) {
  for (uint64_t rest = w.exec(); rest; rest &= rest - 1) act(__builtin_ctzll(rest));
}

}  // namespace convoy::amdgpu
