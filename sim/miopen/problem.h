// One convolution problem as the functions of the interface name it, brought into the terms of a plain convolution:
// y = convolution(x, w). In transpose mode x and y change places, and forward becomes backward data.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/miopen/descriptors.h"

namespace convoy::miopen {

enum class Direction { forward, backward_data, backward_weights };

// What distinguishes problems on one handle.
using ProblemKey = std::vector<std::int64_t>;

struct Problem {
  // May get anything, null pointers too: check() tells whether it is a problem.
  Problem(Direction direction, TensorDescriptor x, TensorDescriptor w, TensorDescriptor y,
          ConvolutionDescriptor convolution);

  Status check() const;
  // The rest needs a problem that has passed.
  ProblemKey key() const;
  const TensorTag& result() const;
  // The matrix of all filter windows, for one image: what GEMM needs.
  std::size_t im2col_bytes() const;

  // A size of x: n, c, d, h, w; without x, or where a spatial dimension is none, 1.
  int x_size(std::size_t axis) const;

  Direction direction;
  const TensorTag *x, *w, *y;
  const ConvolutionTag* convolution;
  bool exchanged;  // x and y are not those of the call
};

// Device memory of x, w and y. The kernel writes to one of them.
struct Buffers {
  const void *x, *w, *y;
};

}  // namespace convoy::miopen
