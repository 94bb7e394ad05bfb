// Bulk conversion between 16-bit floats and float, for solvers whose library computes in float only.
// oneDNN 2.6 reorders f16 at some 0.25 GB/s on a machine that copies at 10; these run at memory speed where
// rows are contiguous.
#pragma once

#include <array>
#include <cstdint>

#include "problem/dtype.h"

namespace convoy {

// A rectangular part of a tensor: sizes of five dimensions are given apart.
struct TensorBlock {
  void* data;
  Dtype dtype;                          // f32, f16, bf16 or i32
  std::array<std::int64_t, 5> strides;  // in elements
};

// to = from, element by element. One of both is f32, or both are i32. Runs on up to `threads` threads (0: all
// available).
void convert_block(const std::array<std::int64_t, 5>& sizes, const TensorBlock& from, const TensorBlock& to,
                   int threads);

// sum[i] += addend[i], f32 or i32.
void add_array(Dtype dtype, std::int64_t count, const void* addend, void* sum, int threads);

// Strides of a dense tensor of these sizes whose dimensions lie in the same order in memory as in `like`.
std::array<std::int64_t, 5> dense_strides(const std::array<std::int64_t, 5>& sizes,
                                          const std::array<std::int64_t, 5>& like);

}  // namespace convoy
