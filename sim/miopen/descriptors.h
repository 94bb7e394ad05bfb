// What the opaque descriptors hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "abi/miopen.h"
#include "sim/miopen/kernel_arguments.h"

namespace convoy::miopen {

struct TensorTag {
  DataType type = k_float;
  std::vector<std::int64_t> sizes, strides;

  std::size_t rank() const { return sizes.size(); }
  std::int64_t elements() const;
  // From the first element to the last, in elements; 0 where there are none.
  std::int64_t extent() const;
  bool packed() const;
};

// 0: no type.
std::size_t bytes_of(DataType type);

// The five dimensions that kernels count in: batch and channels first, spatial ones last, size 1 between.
struct FiveDimensions {
  explicit FiveDimensions(const TensorTag& tensor);

  std::array<int, k_rank> sizes{1, 1, 1, 1, 1};
  std::array<long long, k_rank> strides{};
};

inline constexpr int k_attributes = 4;

struct ConvolutionTag {
  Mode mode = k_convolution;
  std::vector<int> pads{0, 0}, strides{1, 1}, dilations{1, 1}, adjusts{0, 0};
  int groups = 1;
  int find_mode = 5;  // dynamic hybrid
  std::array<int, k_attributes> attributes{};

  std::size_t rank() const { return pads.size(); }
};

}  // namespace convoy::miopen
