// An ordinary convolution in the one shape that kernels loop over: always three spatial dimensions (missing
// ones have size 1, stride 1, pad 0), channels per group, element strides of every tensor.
#pragma once

#include <array>
#include <cstdint>

#include "problem/problem.h"

namespace convoy {

struct Geometry {
  std::int64_t n, groups, c, k;  // c and k per group
  Spatial in, filter, out, pad, stride, dilation;
  std::array<std::int64_t, 5> x, w, y;  // strides: n c d h w; k c t r s (c within the group); n k d h w
  Dtype dtype, output_dtype;
  Direction direction;

  std::int64_t filter_points() const { return filter[0] * filter[1] * filter[2]; }
  std::int64_t in_points() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_points() const { return out[0] * out[1] * out[2]; }
};

// `problem` must be ordinary (lowered()).
Geometry geometry_of(const Problem& problem);

// Position `index` of a row-major space of three sizes.
inline Spatial unflatten(std::int64_t index, const Spatial& sizes) {
  const std::int64_t last = index % sizes[2];
  index /= sizes[2];
  return {index / sizes[1], index % sizes[1], last};
}

// Offset of a spatial position under strides whose last three entries are spatial.
inline std::int64_t offset_of(const Spatial& position, const std::array<std::int64_t, 5>& strides) {
  return position[0] * strides[2] + position[1] * strides[3] + position[2] * strides[4];
}

// The input position that output position `out` reads under filter position `f`; false when it lies in the
// padding.
inline bool input_position(const Geometry& g, const Spatial& out, const Spatial& f, Spatial& position) {
  for (std::size_t i = 0; i < 3; ++i) {
    position[i] = out[i] * g.stride[i] - g.pad[i] + f[i] * g.dilation[i];
    if (position[i] < 0 || position[i] >= g.in[i]) return false;
  }
  return true;
}

// The output position that input position `in` feeds under filter position `f`; false when there is none.
inline bool output_position(const Geometry& g, const Spatial& in, const Spatial& f, Spatial& position) {
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t shifted = in[i] + g.pad[i] - f[i] * g.dilation[i];
    if (shifted < 0 || shifted % g.stride[i] != 0) return false;
    position[i] = shifted / g.stride[i];
    if (position[i] >= g.out[i]) return false;
  }
  return true;
}

}  // namespace convoy
