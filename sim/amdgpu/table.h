// The table of mnemonics, and how a meaning gets into it. Most vector instructions are one lane's arithmetic; they are given as
//
//   table.lanes("v_bfi_b32", [](uint32_t mask, uint32_t a, uint32_t b) { return (mask & a) | (~mask & b); });
//
// The types of the lambda say the rest: 64-bit parameters are pairs of registers, 16-bit ones halves, float ones take float modifiers.
// Each becomes one function over the wave, compiled twice: for any x86-64, and for AVX2 with FMA (without it a fused multiply-add is
// a call into libm: a matrix product runs at a third of the speed). The machine's own kind goes into the table.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "instruction.h"
#include "operands.h"

namespace convoy::amdgpu {

#if defined(__x86_64__)
#define CONVOY_AVX2 __attribute__((target("avx2,fma")))
inline bool cpu_has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
#define CONVOY_AVX2
inline bool cpu_has_avx2() {
  return false;
}
#endif

// In front of a loop over lanes: the destination is apart from the sources, or the very same register. Clang finds out by itself.
#if defined(__clang__)
#define CONVOY_LANES_ARE_APART
#else
#define CONVOY_LANES_ARE_APART _Pragma("GCC ivdep")
#endif

// A result that is saturated already: the instruction's clamp asks for nothing more.
template <typename T>
struct Saturated {
  T value;
};
template <typename T>
Saturated<T> saturate(int64_t value) {
  return {static_cast<T>(std::clamp<int64_t>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()))};
}

struct Absent {};  // a parameter that a lambda does not have

template <typename F>
struct Signature : Signature<decltype(&F::operator())> {};
template <typename F, typename R, typename... P>
struct Signature<R (F::*)(P...) const> {
  using Result = R;
  static constexpr int k_arity = sizeof...(P);
  template <int n>
  using Parameter = std::tuple_element_t<n, std::tuple<P..., Absent, Absent, Absent>>;
};

template <typename T>
class Source {
 public:
  [[gnu::always_inline]] void fetch(Wave& w, const Instruction& i, int operand) {
    if constexpr (sizeof(T) == 8) {
      fetch64(w, i, operand, store_, std::is_same_v<T, double>);
      lane_ = store_;
    } else if constexpr (sizeof(T) == 2) {
      lane_ = fetch16(w, i, operand, store_, std::is_same_v<T, F16>);
    } else {
      lane_ = fetch32(w, i, operand, store_);
    }
  }
  [[gnu::always_inline]] T operator[](int lane) const { return from_word<T>(lane_[lane]); }

 private:
  const Word<T>* lane_;
  alignas(64) Word<T> store_[64];
};
template <>
class Source<Absent> {
 public:
  void fetch(Wave&, const Instruction&, int) {}
  Absent operator[](int) const { return {}; }
};

template <typename F, typename A, typename B, typename C>
[[gnu::always_inline]] inline auto apply_lane(const A& a, const B& b, const C& c, int lane) {
  if constexpr (Signature<F>::k_arity == 1) return F{}(a[lane]);
  if constexpr (Signature<F>::k_arity == 2) return F{}(a[lane], b[lane]);
  if constexpr (Signature<F>::k_arity == 3) return F{}(a[lane], b[lane], c[lane]);
}

template <typename R>
struct Destination {
  using Type = R;
  static constexpr bool k_saturated = false;
};
template <typename T>
struct Destination<Saturated<T>> {
  using Type = T;
  static constexpr bool k_saturated = true;
};

// One lane's arithmetic F over the wave. `accumulates`: F's last parameter is what the destination holds.
template <typename F, bool accumulates>
struct Lanes {
  using S = Signature<F>;
  using R = typename Destination<typename S::Result>::Type;
  template <int n>
  using Parameter = typename S::template Parameter<n>;
  template <typename T>
  static constexpr bool k_one_word = sizeof(T) == 4 || std::is_same_v<T, Absent>;
  static constexpr bool k_in_place =
      sizeof(R) == 4 && k_one_word<Parameter<0>> && k_one_word<Parameter<1>> && k_one_word<Parameter<2>>;

  static constexpr int operand_of(int parameter) {
    return accumulates && parameter == S::k_arity - 1 ? 0 : parameter + 1;
  }
  template <typename T>
  [[gnu::always_inline]] static Word<R> result(T value) {
    if constexpr (Destination<typename S::Result>::k_saturated) {
      return to_word(value.value);
    } else {
      return to_word(value);
    }
  }

  [[gnu::always_inline]] static void run(Wave& w, const Instruction& i) {
    Source<Parameter<0>> a;
    Source<Parameter<1>> b;
    Source<Parameter<2>> c;
    a.fetch(w, i, operand_of(0));
    b.fetch(w, i, operand_of(1));
    c.fetch(w, i, operand_of(2));
    const int width = w.width;
    if constexpr (k_in_place) {
      if (!i.modified && w.exec() == w.full()) {
        uint32_t* destination = w.vgpr(i.operands[0].index);
        CONVOY_LANES_ARE_APART
        for (int l = 0; l < width; l++) destination[l] = result(apply_lane<F>(a, b, c, l));
        return;
      }
    }
    alignas(64) Word<R> results[64];
    for (int l = 0; l < width; l++) results[l] = result(apply_lane<F>(a, b, c, l));
    finish(w, i, results);
  }

  static void finish(Wave& w, const Instruction& i, const Word<R>* results) {
    constexpr bool k_saturated = Destination<typename S::Result>::k_saturated;
    if constexpr (sizeof(R) == 8) {
      store64(w, i, results);
    } else if constexpr (sizeof(R) == 2) {
      constexpr Finish k_plain = std::is_same_v<R, F16> ? Finish::f16 : Finish::integer;
      store16(w, i, results, k_saturated ? Finish::saturated : k_plain);
    } else {
      constexpr Finish k_plain = std::is_same_v<R, float> ? Finish::f32 : Finish::integer;
      store32(w, i, results, k_saturated ? Finish::saturated : k_plain);
    }
  }
};

template <typename Body>
void run_anywhere(Wave& w, const Instruction& i) {
  Body::run(w, i);
}
template <typename Body>
CONVOY_AVX2 void run_avx2(Wave& w, const Instruction& i) {
  Body::run(w, i);
}
// Body::run, compiled for this machine.
template <typename Body>
Meaning tuned() {
  return cpu_has_avx2() ? run_avx2<Body> : run_anywhere<Body>;
}

struct Entry {
  Meaning run = nullptr;
  Class kind = Class::valu;
  uint8_t flops = 0;
  uint32_t arg = 0, arg2 = 0;
  uint8_t first_source = 1;
};

class Table {
 public:
  void add(std::string_view mnemonic, const Entry& entry) { entries_[std::string(mnemonic)] = entry; }
  void alias(std::string_view mnemonic, std::string_view existing) { add(mnemonic, *find(existing)); }
  template <typename F>
  void lanes(std::string_view mnemonic, F, uint8_t flops = 0, Class kind = Class::valu) {
    add(mnemonic, {tuned<Lanes<F, false>>(), kind, flops});
  }
  template <typename F>
  void accumulate(std::string_view mnemonic, F, uint8_t flops = 0, Class kind = Class::valu) {
    add(mnemonic, {tuned<Lanes<F, true>>(), kind, flops});
  }
  const Entry* find(std::string_view mnemonic) const {
    const auto found = entries_.find(std::string(mnemonic));
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<std::string, Entry> entries_;
};

// All of them, made at the first call. Variants that share a mnemonic have a word after it: "v_add_u32 carry", "v_add_u32 clamp".
const Table& table();

void do_nothing(Wave& w, const Instruction& i);  // waits and hints; their operands are not even parsed
void run_dual(Wave& w, const Instruction& i);    // VOPD: Instruction::first_run and ::second

// One function a file of meanings.
void add_scalar_alu(Table& table);
void add_control(Table& table);
void add_scalar_memory(Table& table);
void add_vector_integer(Table& table);
void add_vector_float(Table& table);
void add_vector_half(Table& table);
void add_packed(Table& table);
void add_conversions(Table& table);
void add_division(Table& table);
void add_compares(Table& table);
void add_matrix(Table& table);
void add_lane_moves(Table& table);
void add_flat_memory(Table& table);
void add_buffer_memory(Table& table);
void add_lds(Table& table);

}  // namespace convoy::amdgpu
