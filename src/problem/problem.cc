// Geometry of a convolution problem: sizes, strides, costs, and the ordinary problem behind a transposed one.
// Nothing here checks for overflow: validate() has, for every product below.
#include "problem/problem.h"

#include <algorithm>
#include <numeric>

namespace convoy {
namespace {

std::int64_t product(const std::int64_t* numbers, int count) {
  std::int64_t result = 1;
  for (int i = 0; i < count; ++i) result *= numbers[i];
  return result;
}

std::int64_t formula_out(const Problem& p, int i) {
  if (p.transposed) {
    return (p.in[i] - 1) * p.stride[i] - 2 * p.pad[i] + p.dilation[i] * (p.filter[i] - 1) + 1 + p.output_pad[i];
  }
  return (p.in[i] + 2 * p.pad[i] - p.dilation[i] * (p.filter[i] - 1) - 1) / p.stride[i] + 1;
}

Dims packed_strides(const Dims& dims, int rank, Layout layout) {
  Dims strides{};
  std::int64_t step = 1;
  if (layout == Layout::channels_last) {
    strides[1] = 1;
    step = dims[1];
  }
  for (int i = 1 + rank; i >= 0; --i) {
    if (i == 1 && layout == Layout::channels_last) continue;
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

const std::optional<Dims>& explicit_strides(const Problem& p, TensorRole role) {
  if (role == TensorRole::x) return p.x_strides;
  return role == TensorRole::w ? p.w_strides : p.y_strides;
}

bool same_strides(const std::optional<Dims>& a, const std::optional<Dims>& b, int rank) {
  if (!a || !b) return !a && !b;
  return std::equal(a->begin(), a->begin() + 2 + rank, b->begin());
}

bool same_override(const std::optional<Spatial>& a, const std::optional<Spatial>& b, int rank) {
  if (!a || !b) return !a && !b;
  return std::equal(a->begin(), a->begin() + rank, b->begin());
}

Direction other_way(Direction direction) {
  if (direction == Direction::forward) return Direction::backward_data;
  return direction == Direction::backward_data ? Direction::forward : direction;
}

}  // namespace

std::string_view to_string(Direction direction) {
  if (direction == Direction::forward) return "fwd";
  return direction == Direction::backward_data ? "bwd" : "wrw";
}

Spatial Problem::out() const {
  if (out_override) return *out_override;
  Spatial result{1, 1, 1};
  for (int i = 0; i < rank; ++i) result[i] = formula_out(*this, i);
  return result;
}

Dims Problem::dims(TensorRole role) const {
  Dims result{1, 1, 1, 1, 1};
  const Spatial& spatial = role == TensorRole::w ? filter : in;
  std::copy_n(spatial.begin(), rank, result.begin() + 2);
  if (role == TensorRole::x) {
    result[0] = n;
    result[1] = c;
  } else if (role == TensorRole::w) {
    result[0] = transposed ? c : k;
    result[1] = (transposed ? k : c) / groups;
  } else {
    result[0] = n;
    result[1] = k;
    const Spatial y = out();
    std::copy_n(y.begin(), rank, result.begin() + 2);
  }
  return result;
}

Dims Problem::strides(TensorRole role) const {
  const std::optional<Dims>& given = explicit_strides(*this, role);
  return given ? *given : packed_strides(dims(role), rank, layout);
}

Dtype Problem::dtype_of(TensorRole role) const {
  return dtype == Dtype::i8 && role == TensorRole::y ? Dtype::i32 : dtype;
}

std::int64_t Problem::elements(TensorRole role) const {
  return product(dims(role).data(), 2 + rank);
}

std::int64_t Problem::span(TensorRole role) const {
  const Dims sizes = dims(role);
  const Dims steps = strides(role);
  std::int64_t last = 0;
  for (int i = 0; i < 2 + rank; ++i) {
    if (sizes[i] == 0) return 0;
    last += (sizes[i] - 1) * steps[i];
  }
  return last + 1;
}

std::int64_t Problem::bytes(TensorRole role) const {
  return span(role) * size_of(dtype_of(role));
}

TensorRole Problem::output_role() const {
  if (direction == Direction::forward) return TensorRole::y;
  return direction == Direction::backward_data ? TensorRole::x : TensorRole::w;
}

bool Problem::packed(TensorRole role) const {
  const std::optional<Dims>& given = explicit_strides(*this, role);
  if (!given) return true;
  const Dims sizes = dims(role);
  const Dims wanted = packed_strides(sizes, rank, layout);
  for (int i = 0; i < 2 + rank; ++i) {
    if (sizes[i] != 1 && (*given)[i] != wanted[i]) return false;
  }
  return true;
}

std::int64_t Problem::reduction_length() const {
  const Problem p = lowered();
  if (p.direction == Direction::backward_weights) return p.n * product(p.out().data(), p.rank);
  if (p.direction == Direction::forward) return p.c / p.groups * product(p.filter.data(), p.rank);
  // One input pixel meets the taps that lie a whole number of strides apart, so a stride of 2 halves them.
  std::int64_t taps = 1;
  for (int i = 0; i < p.rank; ++i) {
    const std::int64_t every = p.stride[i] / std::gcd(p.stride[i], p.dilation[i]);
    taps *= 1 + (p.filter[i] - 1) / every;
  }
  return p.k / p.groups * taps;
}

double Problem::flops() const {
  const Problem p = lowered();
  const Spatial y = p.out();
  double result = 2.0 * static_cast<double>(p.n) * static_cast<double>(p.k) * static_cast<double>(p.c / p.groups);
  for (int i = 0; i < p.rank; ++i) result *= static_cast<double>(p.filter[i]) * static_cast<double>(y[i]);
  return result;
}

double Problem::tensor_bytes() const {
  double result = 0;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    result += static_cast<double>(elements(role)) * static_cast<double>(size_of(dtype_of(role)));
  }
  return result;
}

Problem Problem::lowered() const {
  if (!transposed) return *this;
  Problem result = *this;
  result.transposed = false;
  result.output_pad = {0, 0, 0};
  result.direction = other_way(direction);
  result.c = k;
  result.k = c;
  result.in = out();
  result.x_strides = y_strides;
  result.y_strides = x_strides;
  for (int i = 0; i < rank; ++i) {
    if (formula_out(result, i) != in[i]) result.out_override = in;
  }
  return result;
}

bool Problem::operator==(const Problem& other) const {
  const auto same = [&](const Spatial& a, const Spatial& b) {
    return std::equal(a.begin(), a.begin() + rank, b.begin());
  };
  return direction == other.direction && dtype == other.dtype && layout == other.layout && rank == other.rank &&
         n == other.n && c == other.c && k == other.k && groups == other.groups && transposed == other.transposed &&
         same(in, other.in) && same(filter, other.filter) && same(pad, other.pad) && same(stride, other.stride) &&
         same(dilation, other.dilation) && same(output_pad, other.output_pad) &&
         same_override(out_override, other.out_override, rank) && same_strides(x_strides, other.x_strides, rank) &&
         same_strides(w_strides, other.w_strides, rank) && same_strides(y_strides, other.y_strides, rank);
}

}  // namespace convoy
