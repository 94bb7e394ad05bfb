// One element of a convolution's output, summed in double by the definition. The oracle of every check: kept
// so simple that reading it is the proof.
#pragma once

#include <cstdint>

#include "solvers/geometry.h"
#include "solvers/solver.h"

namespace convoy {

struct PointValue {
  double value = 0;
  double square_sum = 0;  // sum of squares of the products: their root is the size that rounding errors scale with
  double bias = 0;        // of `value`, what is no product
};

// `index` counts the output tensor's logical elements row-major in the order of Problem::dims: (n, k|c, d, h,
// w) or (k, c per group, t, r, s).
PointValue reference_point(const Geometry& geometry, const Tensors& tensors, std::int64_t index);

// Element offset of logical output element `index` in the output tensor's memory.
std::int64_t output_offset(const Geometry& geometry, std::int64_t index);

}  // namespace convoy
