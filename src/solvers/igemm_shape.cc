// From a problem to the matrix product's numbers.
#include "solvers/igemm_shape.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

namespace convoy {
namespace {

IgemmShape::Triple narrow(const Spatial& sizes) {
  return {static_cast<std::int32_t>(sizes[0]), static_cast<std::int32_t>(sizes[1]),
          static_cast<std::int32_t>(sizes[2])};
}

std::int32_t divide_up(std::int32_t value, std::int32_t by) {
  return (value + by - 1) / by;
}

// The smallest multiple of `by` that is at least `value`, divided by it; values may be negative.
std::int32_t ceiling(std::int32_t value, std::int32_t by) {
  return value > 0 ? divide_up(value, by) : -(-value / by);
}

// Backward weights share forward's roles: x is read through the filter's window, y is walked over.
IgemmShape forward_shape(const Geometry& g) {
  IgemmShape s{};
  s.rows = static_cast<std::int32_t>(g.k);
  s.depth = static_cast<std::int32_t>(g.c);
  s.source = narrow(g.in);
  s.target = s.points = narrow(g.out);
  s.step = narrow(g.stride);
  s.along = narrow(g.dilation);
  for (std::size_t d = 0; d < 3; ++d) s.start[d] = static_cast<std::int32_t>(-g.pad[d]);
  s.phases = s.tap_step = {1, 1, 1};
  s.source_strides = g.x;
  s.target_strides = g.y;
  s.filter_strides = {g.k * g.w[0], g.w[0], g.w[1], g.w[2], g.w[3], g.w[4]};
  s.filter_order = g.w[1] == 1 ? 1 : 0;
  const bool weights = g.direction == Direction::backward_weights;
  s.target_size = g.groups * g.k * (weights ? g.c * g.filter_points() : g.n * g.out_points());
  return s;
}

IgemmShape backward_shape(const Geometry& g, Phases phases) {
  IgemmShape s{};
  s.rows = static_cast<std::int32_t>(g.c);
  s.depth = static_cast<std::int32_t>(g.k);
  s.source = narrow(g.out);
  s.target = narrow(g.in);
  s.step = s.phases = s.tap_step = {1, 1, 1};
  s.source_strides = g.y;
  s.target_strides = g.x;
  s.filter_strides = {g.k * g.w[0], g.w[1], g.w[0], g.w[2], g.w[3], g.w[4]};
  s.filter_order = 2;
  s.target_size = g.groups * g.c * g.n * g.in_points();
  if (phases != Phases::none) s.phases = narrow(g.stride);
  for (std::size_t d = 0; d < 3; ++d) {
    const auto stride = s.phases[d];
    const auto pad = static_cast<std::int32_t>(g.pad[d]), dilation = static_cast<std::int32_t>(g.dilation[d]);
    s.points[d] = divide_up(s.target[d], stride);
    if (phases == Phases::as_rows) {
      // Source positions (phase + pad - tap * dilation) / stride, over all phases and taps.
      s.start[d] = ceiling(pad - (static_cast<std::int32_t>(g.filter[d]) - 1) * dilation, stride);
      s.along[d] = 1;
    } else {
      s.tap_step[d] = stride / std::gcd(stride, dilation);
      s.along[d] = -(s.tap_step[d] * dilation / stride);
      s.start[d] = pad;  // where phases are separate, the kernel knows better
    }
  }
  return s;
}

}  // namespace

bool fits_igemm_shape(const Geometry& g) {
  // Sums of two such numbers, and positions outside a tensor, stay within 32 bits.
  constexpr std::int64_t k_most = 1 << 28;
  std::int64_t most = std::max({g.n, g.groups, g.c, g.k, g.filter_points()});
  most = std::max(most, g.c * g.filter_points());
  for (std::size_t d = 0; d < 3; ++d) {
    most = std::max({most, g.in[d], g.out[d], g.pad[d], g.stride[d], g.dilation[d]});
    most = std::max({most, g.filter[d] * g.dilation[d], g.out[d] * g.stride[d]});
  }
  if (most >= k_most) return false;
  std::int64_t rows = g.c;
  for (const std::int64_t stride : g.stride) {
    rows *= stride;  // of two numbers below 2^28
    if (rows >= k_most) return false;
  }
  return true;
}

IgemmShape igemm_shape(const Geometry& g, Phases phases) {
  const bool backward = g.direction == Direction::backward_data;
  IgemmShape s = backward ? backward_shape(g, phases) : forward_shape(g);
  s.images = static_cast<std::int32_t>(g.n);
  s.groups = static_cast<std::int32_t>(g.groups);
  s.filter = s.taps = narrow(g.filter);
  s.pad = narrow(g.pad);
  s.dilation = narrow(g.dilation);
  s.channels = s.rows;
  if (phases == Phases::as_rows) {
    s.rows *= static_cast<std::int32_t>(s.all_phases());
    for (std::size_t d = 0; d < 3; ++d) s.taps[d] = (s.phases[d] - 1 + s.pad[d]) / s.phases[d] - s.start[d] + 1;
  }
  return s;
}

std::string literal(const IgemmShape& shape) {
  constexpr std::size_t k_small = offsetof(IgemmShape, target_size) / sizeof(std::int32_t);
  constexpr std::size_t k_large = (sizeof(IgemmShape) - offsetof(IgemmShape, target_size)) / sizeof(std::int64_t);
  std::array<std::int32_t, k_small> small{};
  std::array<std::int64_t, k_large> large{};
  std::memcpy(small.data(), &shape, sizeof small);
  std::memcpy(large.data(), reinterpret_cast<const char*>(&shape) + sizeof small, sizeof large);
  return fmt::format("{{{},{}}}", fmt::join(small, ","), fmt::join(large, ","));
}

}  // namespace convoy
