// Vector comparisons: a bit for each active lane, into a mask register or (v_cmpx) into exec. Both where the encoding has both.
#include <string>

#include "table.h"

namespace convoy::amdgpu {
namespace {

enum Relation : uint32_t { never, lt, eq, le, gt, lg, ge, ordered, unordered, nge, nlg, ngt, nle, neq, nlt, always };
constexpr const char* k_relations[] = {"f", "lt",  "eq",  "le",  "gt",  "lg",  "ge",  "o",
                                       "u", "nge", "nlg", "ngt", "nle", "neq", "nlt", "tru"};
constexpr uint32_t k_writes_exec = 256;  // beside the relation, in Instruction::arg

template <typename T, typename F>
uint64_t mask_where(const Source<T>& a, const Source<T>& b, int width, F test) {
  using Number = std::conditional_t<std::is_same_v<T, F16>, float, T>;
  uint64_t mask = 0;
  for (int l = 0; l < width; l++) mask |= static_cast<uint64_t>(test(Number{a[l]}, Number{b[l]})) << l;
  return mask;
}

template <typename T>
uint64_t compare(uint32_t relation, const Source<T>& a, const Source<T>& b, int width) {
  const auto where = [&](auto test) { return mask_where(a, b, width, test); };
  switch (relation) {
    case never: return 0;
    case lt: return where([](auto x, auto y) { return x < y; });
    case eq: return where([](auto x, auto y) { return x == y; });
    case le: return where([](auto x, auto y) { return x <= y; });
    case gt: return where([](auto x, auto y) { return x > y; });
    case lg: return where([](auto x, auto y) { return x < y || x > y; });
    case ge: return where([](auto x, auto y) { return x >= y; });
    case ordered: return where([](auto x, auto y) { return x == x && y == y; });
    case unordered: return where([](auto x, auto y) { return x != x || y != y; });
    case nge: return where([](auto x, auto y) { return !(x >= y); });
    case nlg: return where([](auto x, auto y) { return !(x < y || x > y); });
    case ngt: return where([](auto x, auto y) { return !(x > y); });
    case nle: return where([](auto x, auto y) { return !(x <= y); });
    case neq: return where([](auto x, auto y) { return !(x == y); });
    case nlt: return where([](auto x, auto y) { return !(x < y); });
    default: return ~0ull;
  }
}

// With a mask operand the sources start behind it; v_cmpx of gfx10 and newer has none.
void deliver(Wave& w, const Instruction& i, uint64_t mask) {
  mask &= w.exec();
  if (i.first_source == 1) w.write_mask(i.operands[0].index, mask);
  if (i.arg & k_writes_exec) w.set_exec(mask);
}

template <typename T>
void run_compare(Wave& w, const Instruction& i) {
  Source<T> a, b;
  a.fetch(w, i, i.first_source);
  b.fetch(w, i, i.first_source + 1);
  deliver(w, i, compare(i.arg & 255, a, b, w.width));
}

// The class of a float as a bit: signalling and quiet NaN, -inf, -normal, -denormal, -0, +0, +denormal, +normal, +inf.
template <typename T>
uint32_t class_of(T value, int fraction_bits) {
  const auto word = static_cast<uint64_t>(to_word(value));
  const int exponent_bits = 8 * static_cast<int>(sizeof(T)) - 1 - fraction_bits;
  const uint64_t fraction = word & ((1ull << fraction_bits) - 1), last = (1ull << exponent_bits) - 1;
  const uint64_t exponent = word >> fraction_bits & last;
  const bool negative = word >> (fraction_bits + exponent_bits) & 1;
  if (exponent == last && fraction) return fraction >> (fraction_bits - 1) ? 2 : 1;
  if (exponent == last) return negative ? 1 << 2 : 1 << 9;
  if (exponent) return negative ? 1 << 3 : 1 << 8;
  if (fraction) return negative ? 1 << 4 : 1 << 7;
  return negative ? 1 << 5 : 1 << 6;
}

template <typename T, typename Mask, int fraction_bits>
void run_class(Wave& w, const Instruction& i) {
  Source<T> a;
  Source<Mask> wanted;
  a.fetch(w, i, i.first_source);
  wanted.fetch(w, i, i.first_source + 1);
  uint64_t mask = 0;
  for (int l = 0; l < w.width; l++)
    mask |= static_cast<uint64_t>((class_of(a[l], fraction_bits) & wanted[l]) != 0) << l;
  deliver(w, i, mask);
}

template <typename T>
void add_type(Table& t, const std::string& type) {
  for (const bool writes_exec : {false, true}) {
    const std::string prefix = writes_exec ? "v_cmpx_" : "v_cmp_";
    for (uint32_t relation = never; relation <= always; relation++) {
      t.add(prefix + k_relations[relation] + "_" + type,
            {.run = run_compare<T>, .arg = relation | (writes_exec ? k_writes_exec : 0)});
    }
    t.alias(prefix + "ne_" + type, prefix + "lg_" + type);
    t.alias(prefix + "t_" + type, prefix + "tru_" + type);
  }
}

}  // namespace

void add_compares(Table& t) {
  add_type<float>(t, "f32");
  add_type<double>(t, "f64");
  add_type<F16>(t, "f16");
  add_type<int32_t>(t, "i32");
  add_type<uint32_t>(t, "u32");
  add_type<int64_t>(t, "i64");
  add_type<uint64_t>(t, "u64");
  add_type<int16_t>(t, "i16");
  add_type<uint16_t>(t, "u16");
  for (const bool writes_exec : {false, true}) {
    const std::string prefix = writes_exec ? "v_cmpx_class_" : "v_cmp_class_";
    const uint32_t arg = writes_exec ? k_writes_exec : 0;
    t.add(prefix + "f32", {.run = run_class<float, uint32_t, 23>, .arg = arg});
    t.add(prefix + "f64", {.run = run_class<double, uint32_t, 52>, .arg = arg});
    t.add(prefix + "f16", {.run = run_class<F16, uint16_t, 10>, .arg = arg});
  }
}

}  // namespace convoy::amdgpu
