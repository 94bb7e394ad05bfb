// The numbers that igemm's kernels work with: Shape of igemm_shape.cl, field by field, and how a problem becomes one.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "solvers/geometry.h"

namespace convoy {

struct IgemmShape {
  using Triple = std::array<std::int32_t, 3>;

  std::int32_t images, groups;
  std::int32_t rows, depth;
  std::int32_t rows_padded, depth_padded;
  std::int32_t channels;
  std::int32_t row_tiles;
  std::int32_t splits;
  std::int32_t filter_order;
  Triple source, target, points, taps, start, step, along, phases, pad, dilation, filter, tap_step;
  std::int64_t target_size;
  std::int64_t partials_at;
  std::array<std::int64_t, 5> source_strides, target_strides;
  std::array<std::int64_t, 6> filter_strides;

  std::int64_t all_points() const { return std::int64_t{1} * images * points[0] * points[1] * points[2]; }
  std::int64_t all_taps() const { return std::int64_t{1} * taps[0] * taps[1] * taps[2]; }
  std::int64_t all_phases() const { return std::int64_t{1} * phases[0] * phases[1] * phases[2]; }
};

// How backward data with strides is taken apart: see igemm_shape.cl.
enum class Phases { none, separate, as_rows };

// True when every number of the problem fits the 32-bit fields.
bool fits_igemm_shape(const Geometry& g);
// Tiles' numbers (rows_padded, depth_padded, row_tiles, splits, partials_at) are left to the caller.
IgemmShape igemm_shape(const Geometry& g, Phases phases);
// The shape as an initialiser in the dialect.
std::string literal(const IgemmShape& shape);

}  // namespace convoy
