// A convolution in numbers. Spatial sizes are right-aligned (depth, height, width): a 2-D problem has depth 1 in front,
// which is also how PyTorch and TensorFlow make 2-D ones of 1-D.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/miopen.h"

namespace convoy::client {

enum class Direction { forward, backward_data, backward_weights };

struct TensorShape {
  std::vector<int> sizes, strides;  // N, C, spatial, whatever the layout: strides say it

  std::size_t elements() const;
  // Where an element is; spatial axes that the tensor lacks count as one.
  std::array<std::int64_t, 5> strides_of_five() const;
};

struct Problem {
  using Spatial = std::array<int, 3>;

  miopen::DataType dtype = miopen::k_float;
  bool channels_last = false;
  int rank = 2;  // spatial dimensions that count
  int n = 1, c = 1, k = 1, groups = 1;
  Spatial in{1, 1, 1}, filter{1, 1, 1}, pad{0, 0, 0}, stride{1, 1, 1}, dilation{1, 1, 1};

  int out(int axis) const {
    return (in[axis] + 2 * pad[axis] - (filter[axis] - 1) * dilation[axis] - 1) / stride[axis] + 1;
  }
  bool depthwise() const { return groups > 1 && groups == c; }
  TensorShape x() const;
  TensorShape w() const;
  TensorShape y() const;
  TensorShape output(Direction direction) const;
  // The values of the axes that count, as MIOpen's Nd functions take them.
  std::vector<int> counted(const Spatial& spatial) const { return {spatial.end() - rank, spatial.end()}; }
  // 1-D as 2-D: height 1 in front of the width, or width 1 behind the length. Memory is the same.
  Problem with_height() const;
  Problem with_width() const;
};

// n2c8h9w11:k16r3s3:pad1x1:stride1x1:dil1x1:g1, with d and t for depth (3-D), without h and r in 1-D; what follows the
// filter may be left out.
std::optional<Problem> parse_problem(const std::string& text);
std::string to_text(const Problem& problem, Direction direction);
const char* to_text(Direction direction);

}  // namespace convoy::client
