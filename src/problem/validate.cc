// What makes a problem valid. Everything else in Convoy multiplies sizes without looking, so every product
// that Problem's functions form is formed here first with overflow checks.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "problem/problem.h"

namespace convoy {
namespace {

constexpr std::int64_t k_max = std::numeric_limits<std::int64_t>::max();

// A 64-bit integer that remembers whether any step on the way overflowed.
struct Checked {
  std::int64_t value = 0;
  bool overflow = false;

  Checked(std::int64_t number) : value(number) {}  // implicit: sizes mix freely with checked results
  Checked(std::int64_t number, bool failed) : value(number), overflow(failed) {}
};

Checked operator+(Checked a, Checked b) {
  std::int64_t result = 0;
  const bool failed = __builtin_add_overflow(a.value, b.value, &result);
  return {result, failed || a.overflow || b.overflow};
}

Checked operator-(Checked a, Checked b) {
  std::int64_t result = 0;
  const bool failed = __builtin_sub_overflow(a.value, b.value, &result);
  return {result, failed || a.overflow || b.overflow};
}

Checked operator*(Checked a, Checked b) {
  std::int64_t result = 0;
  const bool failed = __builtin_mul_overflow(a.value, b.value, &result);
  return {result, failed || a.overflow || b.overflow};
}

template <typename... Arguments>
tl::unexpected<Error> invalid(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return fail(ErrorCode::invalid_argument, fmt::format(format, std::forward<Arguments>(arguments)...));
}

// The letter of spatial axis i: "dhw" and "trs" end with the innermost.
char axis(std::string_view letters, const Problem& p, int i) {
  return letters[static_cast<std::size_t>(k_max_rank - p.rank + i)];
}

std::string_view name_of(TensorRole role) {
  if (role == TensorRole::x) return "x";
  return role == TensorRole::w ? "w" : "y";
}

Result<void> check_kinds(const Problem& p) {
  if (p.rank < 1 || p.rank > k_max_rank) return invalid("rank is {}: use 1, 2 or 3", p.rank);
  if (p.direction < Direction::forward || p.direction > Direction::backward_weights)
    return invalid("direction is {}: use fwd, bwd or wrw", static_cast<int>(p.direction));
  if (p.layout != Layout::channels_first && p.layout != Layout::channels_last)
    return invalid("layout is {}: use channels first or channels last", static_cast<int>(p.layout));
  if (p.dtype < Dtype::f32 || p.dtype > Dtype::i8)
    return invalid("element type is {}: use f32, f16, bf16, f64 or i8", static_cast<int>(p.dtype));
  if (p.dtype == Dtype::i8 && (p.direction != Direction::forward || p.transposed))
    return invalid("i8 computes forward, not transposed: use another element type for {}{}", to_string(p.direction),
                   p.transposed ? " transposed" : "");
  return {};
}

// `along` is the letter of a spatial axis, where there is one. Called for every number of every convolution, so the name is put
// together only for the error.
Result<void> check_at_least(std::int64_t value, std::int64_t least, std::string_view what, char along = '\0') {
  if (value >= least) return {};
  const std::string_view axis_name(&along, along != '\0' ? 1 : 0);
  return invalid("{}{} is {}: it must be at least {}", what, axis_name, value, least);
}

Result<void> check_axis(const Problem& p, int i) {
  const char in = axis("dhw", p, i);
  CONVOY_CHECK(check_at_least(p.in[i], 1, "", in));
  CONVOY_CHECK(check_at_least(p.filter[i], 1, "", axis("trs", p, i)));
  CONVOY_CHECK(check_at_least(p.pad[i], 0, "pad along ", in));
  CONVOY_CHECK(check_at_least(p.stride[i], 1, "stride along ", in));
  CONVOY_CHECK(check_at_least(p.dilation[i], 1, "dilation along ", in));
  CONVOY_CHECK(check_at_least(p.output_pad[i], 0, "output padding along ", in));
  if (!p.transposed && p.output_pad[i] != 0)
    return invalid("output padding along {} is {}: only transposed problems have it", in, p.output_pad[i]);
  // PyTorch's rule. Beyond it whole output rows would depend on no input at all.
  if (p.transposed && p.output_pad[i] >= std::max(p.stride[i], p.dilation[i]))
    return invalid("output padding along {} is {}: it must be smaller than the stride {} or the dilation {}", in,
                   p.output_pad[i], p.stride[i], p.dilation[i]);
  return {};
}

Result<void> check_ranges(const Problem& p) {
  CONVOY_CHECK(check_at_least(p.n, 0, "n"));
  CONVOY_CHECK(check_at_least(p.c, 1, "c"));
  CONVOY_CHECK(check_at_least(p.k, 1, "k"));
  CONVOY_CHECK(check_at_least(p.groups, 1, "g"));
  for (int i = 0; i < p.rank; ++i) CONVOY_CHECK(check_axis(p, i));
  if (p.c % p.groups != 0) return invalid("c={} is not a multiple of g={}: change one of them", p.c, p.groups);
  if (p.k % p.groups != 0) return invalid("k={} is not a multiple of g={}: change one of them", p.k, p.groups);
  return {};
}

Result<void> check_output_axis(const Problem& p, int i) {
  const char in = axis("dhw", p, i);
  const Checked reach = Checked(p.dilation[i]) * (Checked(p.filter[i]) - 1) + 1;
  const Checked padded = Checked(p.in[i]) + Checked(2) * p.pad[i];
  if (reach.overflow || padded.overflow)
    return invalid("size, padding or dilated filter along {} exceeds 64 bits: make them smaller", in);
  if (!p.transposed) {
    if (reach.value > padded.value)
      return invalid("the filter reaches over {} pixels along {}, the padded input has {}: pad more or shrink it",
                     reach.value, in, padded.value);
    return {};
  }
  const Checked full = (Checked(p.in[i]) - 1) * p.stride[i] + reach + p.output_pad[i];
  const Checked out = full - Checked(2) * p.pad[i];
  // lowered() adds the padding back to what is the input there.
  if (full.overflow || out.overflow)
    return invalid("the output along {} exceeds 64 bits: make input, stride or filter smaller", in);
  if (out.value < 1) return invalid("the output along {} would be {}: pad less or enlarge the input", in, out.value);
  return {};
}

Result<void> check_output(const Problem& p) {
  for (int i = 0; i < p.rank; ++i) CONVOY_CHECK(check_output_axis(p, i));
  if (!p.out_override) return {};
  Problem plain = p;
  plain.out_override.reset();
  const Spatial largest = plain.out();
  for (int i = 0; i < p.rank; ++i) {
    if ((*p.out_override)[i] < 1 || (*p.out_override)[i] > largest[i])
      return invalid("the output along {} is overridden with {}: it must lie in 1 to {}", axis("dhw", p, i),
                     (*p.out_override)[i], largest[i]);
  }
  return {};
}

// Bytes of the packed tensor, with the batch counted at least once: strides are computed for an empty batch
// too.
Result<void> check_bytes(const Problem& p, TensorRole role) {
  const Dims sizes = p.dims(role);
  Checked bytes = size_of(p.dtype_of(role));
  for (int i = 0; i < 2 + p.rank; ++i) bytes = bytes * std::max<std::int64_t>(sizes[i], 1);
  if (bytes.overflow) return invalid("{} has more than {} bytes: make its sizes smaller", name_of(role), k_max);
  return {};
}

// The output tensor is written: no two of its elements may share a place. Sorted by stride, each dimension
// must step over everything inside it. That is stricter than necessary (some interleaved strides are free of
// collisions too) and decidable.
Result<void> check_no_overlap(const Dims& sizes, const Dims& strides, int count, TensorRole role) {
  std::array<int, 2 + k_max_rank> order{};
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.begin() + count, [&](int a, int b) { return strides[a] < strides[b]; });
  std::int64_t inner = 1;  // elements spanned by the dimensions so far; the caller has checked the whole span
  for (int i = 0; i < count; ++i) {
    const int d = order[static_cast<std::size_t>(i)];
    if (sizes[d] <= 1) continue;
    if (strides[d] < inner)
      return invalid("stride {} of dimension {} lets elements of the output {} overlap: use at least {}", strides[d], d,
                     name_of(role), inner);
    inner += (sizes[d] - 1) * strides[d];
  }
  return {};
}

Result<void> check_strides(const Problem& p, TensorRole role, const std::optional<Dims>& strides) {
  if (!strides) return {};
  const Dims sizes = p.dims(role);
  Checked span = 1;
  for (int i = 0; i < 2 + p.rank; ++i) {
    if ((*strides)[i] < 0)
      return invalid("stride {} of dimension {} of {} is negative: make the tensor contiguous first", (*strides)[i], i,
                     name_of(role));
    span = span + (Checked(std::max<std::int64_t>(sizes[i], 1)) - 1) * (*strides)[i];
  }
  if ((span * size_of(p.dtype_of(role))).overflow)
    return invalid("the strides of {} span more than {} bytes: use smaller ones", name_of(role), k_max);
  if (role != p.output_role()) return {};
  return check_no_overlap(sizes, *strides, 2 + p.rank, role);
}

}  // namespace

Result<void> validate(const Problem& problem) {
  CONVOY_CHECK(check_kinds(problem));
  CONVOY_CHECK(check_ranges(problem));
  CONVOY_CHECK(check_output(problem));
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    CONVOY_CHECK(check_bytes(problem, role));
  }
  CONVOY_CHECK(check_strides(problem, TensorRole::x, problem.x_strides));
  CONVOY_CHECK(check_strides(problem, TensorRole::w, problem.w_strides));
  CONVOY_CHECK(check_strides(problem, TensorRole::y, problem.y_strides));
  return {};
}

}  // namespace convoy
