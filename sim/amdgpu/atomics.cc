// What atomics.h declares. Floats are added by a loop of compare and exchange.
#include "atomics.h"

#include <algorithm>

#include "number.h"

namespace convoy::amdgpu {
namespace {

uint32_t packed_half_sum(uint32_t a, uint32_t b) {
  const auto sum = [&](int shift) {
    return static_cast<uint32_t>(
        float_to_half(half_to_float(a >> shift & 0xffff) + half_to_float(b >> shift & 0xffff)));
  };
  return sum(0) | sum(16) << 16;
}
uint32_t packed_bfloat_sum(uint32_t a, uint32_t b) {
  const auto sum = [&](int shift) {
    return float_to_bfloat(bfloat_to_float(a >> shift & 0xffff) + bfloat_to_float(b >> shift & 0xffff));
  };
  return sum(0) | sum(16) << 16;
}

template <typename T>
T changed(Atomic operation, T old, T value, T compare) {
  using Signed = std::make_signed_t<T>;
  const auto low = [](T x) { return static_cast<uint32_t>(x); };
  const auto number = [&](T x) { return from_word<float>(low(x)); };
  switch (operation) {
    case Atomic::swap: return value;
    case Atomic::compare_swap: return old == compare ? value : old;
    case Atomic::add: return old + value;
    case Atomic::subtract: return old - value;
    case Atomic::reverse_subtract: return value - old;
    case Atomic::signed_min: return static_cast<T>(std::min(static_cast<Signed>(old), static_cast<Signed>(value)));
    case Atomic::signed_max: return static_cast<T>(std::max(static_cast<Signed>(old), static_cast<Signed>(value)));
    case Atomic::unsigned_min: return std::min(old, value);
    case Atomic::unsigned_max: return std::max(old, value);
    case Atomic::bit_and: return old & value;
    case Atomic::bit_or: return old | value;
    case Atomic::bit_xor: return old ^ value;
    case Atomic::increment: return old >= value ? 0 : old + 1;
    case Atomic::decrement: return old == 0 || old > value ? value : old - 1;
    case Atomic::float_add: return to_word(number(old) + number(value));
    case Atomic::float_min: return to_word(number_min(number(old), number(value)));
    case Atomic::float_max: return to_word(number_max(number(old), number(value)));
    case Atomic::double_add: return static_cast<T>(to_word(from_word<double>(old) + from_word<double>(value)));
    case Atomic::packed_half_add: return packed_half_sum(low(old), low(value));
    case Atomic::packed_bfloat_add: return packed_bfloat_sum(low(old), low(value));
  }
  return old;
}

template <typename T>
T exchange(uint8_t* memory, Atomic operation, T value, T compare) {
  auto* cell = reinterpret_cast<T*>(memory);
  T old = __atomic_load_n(cell, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(cell, &old, changed(operation, old, value, compare), false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
  }
  return old;
}

}  // namespace

uint32_t atomic_word(uint8_t* memory, Atomic operation, uint32_t value, uint32_t compare) {
  return exchange<uint32_t>(memory, operation, value, compare);
}
uint64_t atomic_pair(uint8_t* memory, Atomic operation, uint64_t value, uint64_t compare) {
  return exchange<uint64_t>(memory, operation, value, compare);
}

uint64_t atomic_lane(Wave& w, const Instruction& i, int lane, uint8_t* memory, uint32_t data) {
  const Atomic operation = operation_of(i);
  const bool compares = operation == Atomic::compare_swap;
  if (is_wide(i))
    return atomic_pair(memory, operation, lane_pair(w, data, lane), compares ? lane_pair(w, data + 2, lane) : 0);
  return atomic_word(memory, operation, w.vgpr(data)[lane], compares ? w.vgpr(data + 1)[lane] : 0);
}

void return_old(Wave& w, const Instruction& i, int lane, uint64_t old) {
  const uint32_t reg = i.operands[0].index;
  w.vgpr(reg)[lane] = static_cast<uint32_t>(old);
  if (is_wide(i)) w.vgpr(reg + 1)[lane] = static_cast<uint32_t>(old >> 32);
}

}  // namespace convoy::amdgpu
