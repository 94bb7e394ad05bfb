// Hash of a problem for the plan cache, computed once per convolution call: tens of nanoseconds. Only entries
// that operator== compares go in, gathered into one array, so padding bytes and unused array entries cannot
// make equal problems differ.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "problem/problem.h"

namespace convoy {
namespace {

// Every field at its largest: kinds, n c k g, seven spatial arrays, three stride arrays.
constexpr std::size_t k_capacity = 1 + 4 + 7 * k_max_rank + 3 * (2 + k_max_rank);

class Fields {
 public:
  void add(std::int64_t number) { numbers_[count_++] = number; }
  template <typename Array>
  void add(const Array& numbers, int count) {
    std::copy_n(numbers.begin(), count, numbers_.begin() + static_cast<std::ptrdiff_t>(count_));
    count_ += static_cast<std::size_t>(count);
  }
  std::size_t hash() const {
    return static_cast<std::size_t>(XXH3_64bits(numbers_.data(), count_ * sizeof(std::int64_t)));
  }

 private:
  std::array<std::int64_t, k_capacity> numbers_;  // left uninitialised: only the first count_ are read
  std::size_t count_ = 0;
};

// The small fields, eight bits each, and which of the optionals are there.
std::int64_t kinds(const Problem& p) {
  const int parts[] = {static_cast<int>(p.direction), static_cast<int>(p.dtype), static_cast<int>(p.layout), p.rank,
                       p.transposed ? 1 : 0};
  std::int64_t result =
      (p.x_strides ? 1 : 0) | (p.w_strides ? 2 : 0) | (p.y_strides ? 4 : 0) | (p.out_override ? 8 : 0);
  for (const int part : parts) result = (result << 8) | (part & 0xff);
  return result;
}

}  // namespace

std::size_t ProblemHash::operator()(const Problem& p) const noexcept {
  const int rank = std::clamp(p.rank, 0, k_max_rank);
  Fields fields;
  fields.add(kinds(p));
  fields.add(p.n);
  fields.add(p.c);
  fields.add(p.k);
  fields.add(p.groups);
  for (const Spatial* array : {&p.in, &p.filter, &p.pad, &p.stride, &p.dilation}) fields.add(*array, rank);
  if (p.transposed) fields.add(p.output_pad, rank);
  if (p.out_override) fields.add(*p.out_override, rank);
  for (const std::optional<Dims>* strides : {&p.x_strides, &p.w_strides, &p.y_strides}) {
    if (*strides) fields.add(**strides, 2 + rank);
  }
  return fields.hash();
}

}  // namespace convoy
