// Scalar reads, checked memory, and the sentence of a fault.
#include "wave.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace convoy::amdgpu {
namespace {

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...) {
  char buffer[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

const char* name(Access access) {
  switch (access) {
    case Access::load: return "load";
    case Access::store: return "store";
    case Access::atomic: return "atomic";
    case Access::scalar_load: return "scalar load";
  }
  return "access";
}

}  // namespace

void Wave::fault(const std::string& what, int lane) const {
  const uint32_t* at = group->id;
  // Lane -1: not one lane's doing. The program counter stands behind the instruction.
  const std::string where = text(" [kernel %s group (%u,%u,%u) wave %u lane %d pc %#" PRIx64 ": ",
                                 group->kernel->name.c_str(), at[0], at[1], at[2], id, lane, pc - code->base);
  throw Fault(what + where + (current ? current->text : "?") + "]");
}

void Wave::prepare_vectors(uint32_t count) {
  const size_t words = static_cast<size_t>(count) * width;
  if (!vectors || vector_count != count) {
    // 64 lanes whatever the width: a worker's waves serve launches of both.
    vectors.reset(static_cast<uint32_t*>(std::aligned_alloc(64, static_cast<size_t>(count) * 64 * 4)));
    if (!vectors) throw Fault("no memory for the registers of a wave");
    vector_count = count;
  }
  // Registers start as garbage on hardware; as this, what is used uninitialised shows up as a wild number or address.
  std::fill_n(vectors.get(), words, 0xdeadbeef);
  exec_words_for_ = 0;
  std::fill(std::begin(exec_words_), std::end(exec_words_), 0);
  last_ = {0, 0};
}

const uint32_t* Wave::exec_words() {
  const uint64_t mask = exec();
  if (mask != exec_words_for_) {
    for (int lane = 0; lane < width; lane++) exec_words_[lane] = mask >> lane & 1 ? ~0u : 0;
    exec_words_for_ = mask;
  }
  return exec_words_;
}

uint32_t Wave::read(uint32_t index) {
  switch (index) {
    case scalar::vccz: return vcc() == 0;
    case scalar::execz: return exec() == 0;
    case scalar::lds_direct: return read_lds_direct();
    default: return scalars[index];
  }
}

uint64_t Wave::read64(const Operand& operand) const {
  if (operand.kind == Kind::constant) {
    return operand.is_float ? std::bit_cast<uint64_t>(operand.real) : static_cast<uint64_t>(operand.integer);
  }
  switch (operand.index) {
    case scalar::shared_base:
    case scalar::shared_limit:
    case scalar::private_base:
    case scalar::private_limit: return static_cast<uint64_t>(scalars[operand.index]) << 32;
    default: return pair(operand.index);
  }
}

uint64_t Wave::read_mask(const Operand& operand) const {
  if (operand.kind != Kind::constant) return lane_mask(operand.index);
  return width == 64 ? static_cast<uint64_t>(operand.integer) : static_cast<uint32_t>(operand.integer);
}

// One LDS value for all lanes: address in M0[15:0], type in M0[18:16].
uint32_t Wave::read_lds_direct() {
  yields = true;  // kernels poll with it: let the other waves run
  static constexpr uint32_t k_bytes[] = {1, 2, 4, 4, 1, 2, 4, 4};
  const uint32_t type = scalars[scalar::m0] >> 16 & 7;
  uint32_t value = 0;
  std::memcpy(&value, lds(scalars[scalar::m0] & 0xffff, k_bytes[type], -1, Access::atomic), k_bytes[type]);
  if (type == 4) return static_cast<uint32_t>(static_cast<int8_t>(value));
  if (type == 5) return static_cast<uint32_t>(static_cast<int16_t>(value));
  return value;
}

uint8_t* Wave::global(uint64_t address, uint32_t bytes, int lane, Access access) {
  const auto inside = [&](const Range& range, uint64_t beyond) {
    const uint64_t end = range.end + beyond;
    return address >= range.begin && address < end && bytes <= end - address;
  };
  if (inside(last_, 0) || memory->empty()) return reinterpret_cast<uint8_t*>(address);
  const auto after = std::upper_bound(memory->begin(), memory->end(), address,
                                      [](uint64_t wanted, const Range& range) { return wanted < range.begin; });
  if (after == memory->begin()) outside(address, bytes, lane, access);
  const Range& below = after[-1];
  if (inside(below, 0)) {
    last_ = below;
  } else {
    const bool loads = access == Access::load || access == Access::scalar_load;
    if (!loads || !inside(below, group->options->overread)) outside(address, bytes, lane, access);
  }
  return reinterpret_cast<uint8_t*>(address);
}

void Wave::outside(uint64_t address, uint32_t bytes, int lane, Access access) const {
  const auto after = std::upper_bound(memory->begin(), memory->end(), address,
                                      [](uint64_t wanted, const Range& range) { return wanted < range.begin; });
  std::string near = "no allocation below it";
  if (after != memory->begin()) {
    const Range& below = after[-1];
    near =
        text("nearest allocation below: %#" PRIx64 " + %" PRIu64 " bytes, address is %" PRIu64 " bytes past its start",
             below.begin, below.end - below.begin, address - below.begin);
  }
  fault(text("%s of %u bytes at %#" PRIx64 " is outside every allocation; ", name(access), bytes, address) + near,
        lane);
}

uint8_t* Wave::lds(uint32_t address, uint32_t bytes, int lane, Access access) {
  if (static_cast<uint64_t>(address) + bytes > group->lds.size()) {
    if (group->options->lds_overrun) {  // hardware: a read gives 0, a write goes nowhere
      static thread_local uint8_t nowhere[16];
      std::memset(nowhere, 0, sizeof nowhere);
      return nowhere;
    }
    fault(
        text("LDS %s of %u bytes at %u is past the group's %zu bytes", name(access), bytes, address, group->lds.size()),
        lane);
  }
  if (race_on && access != Access::atomic) {
    const bool writes = access == Access::store;
    if (const auto race = group->shadow.touch(address, bytes, id, writes)) {
      const std::string other = race->wave < 254 ? "wave " + std::to_string(race->wave) : "several waves";
      fault(
          text("LDS race: %s of byte %u, touched by ", name(access), race->address) + other + " since the last barrier",
          lane);
    }
  }
  return group->lds.data() + address;
}

uint8_t* Wave::private_memory(uint64_t offset, uint32_t bytes, int lane) {
  const uint64_t frame = scratch.size() / width;
  if (offset > frame || bytes > frame - offset) {
    fault(text("private access of %u bytes at %" PRIu64 " is past the lane's %" PRIu64 " bytes", bytes, offset, frame),
          lane);
  }
  return scratch.data() + lane * frame + offset;
}

uint8_t* Wave::flat(uint64_t address, uint32_t bytes, int lane, Access access) {
  const uint32_t aperture = static_cast<uint32_t>(address >> 32), offset = static_cast<uint32_t>(address);
  if (aperture == k_shared_aperture) return lds(offset, bytes, lane, access);
  if (aperture == k_private_aperture) return private_memory(offset, bytes, lane);
  return global(address, bytes, lane, access);
}

}  // namespace convoy::amdgpu
