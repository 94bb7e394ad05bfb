// Random inputs and the check of a result against a loop in double precision.
//
// The error of an element is |got - want| / max(|want|, root of the sum of the squared products): rounding after each of L
// additions leaves one that grows like sqrt(L) units of float, so that
//   tolerance = 2 u(type of the output) + (16 + 8 sqrt(L)) u(float),  u: half a unit in the last place of 1.
// 16 and 8 cover the transforms of Winograd's algorithms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "problem.h"

namespace convoy::client {

std::size_t bytes_of(miopen::DataType dtype);

// Of either sign, between 1/8 and 1, exactly representable in the type.
std::vector<double> random_values(std::size_t count, miopen::DataType dtype, std::uint64_t seed);
std::vector<std::byte> encode(const std::vector<double>& values, miopen::DataType dtype);
std::vector<double> decode(const std::vector<std::byte>& bytes, miopen::DataType dtype);

struct Check {
  bool ok = false;
  double error = 0, tolerance = 0;  // error: the largest seen, infinity where NaN or infinity came out
};

// Tensors in the order of memory. The direction's output is what was computed; a bias, one number per channel of that
// output, may be empty.
struct HostTensors {
  std::vector<double> x, w, y, bias;
};

Check check_convolution(const Problem& problem, Direction direction, const HostTensors& tensors);
// bias is what was computed: the sum of y over all but its channels.
Check check_bias_gradient(const Problem& problem, const HostTensors& tensors);

}  // namespace convoy::client
