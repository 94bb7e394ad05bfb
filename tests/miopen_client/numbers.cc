// Random inputs, conversions, and the reference: one loop over all products, added up where the direction wants them.
#include "numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace convoy::client {
namespace {

// The smallest step between numbers near 1 has this many bits behind the point.
int fraction_bits(miopen::DataType dtype) {
  return dtype == miopen::k_half ? 10 : dtype == miopen::k_bfloat16 ? 7 : 23;
}

double rounded(double value, miopen::DataType dtype) {
  const int bits = std::ilogb(value) - fraction_bits(dtype);
  return std::ldexp(std::nearbyint(std::ldexp(value, -bits)), bits);
}

// Of a normal number that the type has.
std::uint16_t half_bits(double value) {
  const int exponent = std::ilogb(value);
  const auto fraction = static_cast<unsigned>(std::ldexp(std::fabs(value), 10 - exponent)) & 0x3ffu;
  return static_cast<std::uint16_t>((value < 0 ? 0x8000u : 0u) | static_cast<unsigned>(exponent + 15) << 10 | fraction);
}

double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 0x1f) value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  return (bits & 0x8000) != 0 ? -value : value;
}

// What belongs in each element, and how large its products are.
struct Sums {
  explicit Sums(std::size_t count) : sum(count), squares(count) {}
  void add(std::int64_t at, double value) {
    sum[static_cast<std::size_t>(at)] += value;
    squares[static_cast<std::size_t>(at)] += value * value;
  }
  std::vector<double> sum, squares;
};

struct Position {
  int at[3];
};

// Calls visit for each position of a box, last axis fastest.
template <typename Visit>
void for_each_position(int depth, int height, int width, Visit&& visit) {
  for (int d = 0; d < depth; ++d)
    for (int h = 0; h < height; ++h)
      for (int w = 0; w < width; ++w) visit(Position{{d, h, w}});
}

std::int64_t offset(const std::array<std::int64_t, 5>& strides, int first, int second, const Position& p) {
  return strides[0] * first + strides[1] * second + strides[2] * p.at[0] + strides[3] * p.at[1] + strides[4] * p.at[2];
}

// Calls visit(offsets in x, w and y) for each product of the convolution.
template <typename Visit>
void for_each_product(const Problem& problem, Visit&& visit) {
  const auto x = problem.x().strides_of_five(), w = problem.w().strides_of_five(), y = problem.y().strides_of_five();
  const int group_c = problem.c / problem.groups, group_k = problem.k / problem.groups;
  const auto& f = problem.filter;
  const auto taps = [&](int n, int k, const Position& to) {
    for_each_position(f[0], f[1], f[2], [&](const Position& tap) {
      Position from;
      for (int axis = 0; axis < 3; ++axis) {
        from.at[axis] = to.at[axis] * problem.stride[axis] - problem.pad[axis] + tap.at[axis] * problem.dilation[axis];
        if (from.at[axis] < 0 || from.at[axis] >= problem.in[axis]) return;
      }
      for (int c = 0; c < group_c; ++c)
        visit(offset(x, n, k / group_k * group_c + c, from), offset(w, k, c, tap), offset(y, n, k, to));
    });
  };
  for (int n = 0; n < problem.n; ++n)
    for (int k = 0; k < problem.k; ++k)
      for_each_position(problem.out(0), problem.out(1), problem.out(2), [&](const Position& to) { taps(n, k, to); });
}

double reduction_length(const Problem& problem, Direction direction) {
  const double outputs = static_cast<double>(problem.output(direction).elements());
  double products = static_cast<double>(problem.y().elements()) * problem.c / problem.groups;
  for (int size : problem.filter) products *= size;
  return std::max(1.0, products / std::max(1.0, outputs));
}

Check compare(const std::vector<double>& got, const Sums& want, double length, miopen::DataType dtype) {
  Check check;
  check.tolerance = std::ldexp(2, -fraction_bits(dtype) - 1) + std::ldexp(16 + 8 * std::sqrt(length), -24);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double size = std::max(std::fabs(want.sum[i]), std::sqrt(want.squares[i]));
    const double difference = std::fabs(got[i] - want.sum[i]);
    double error = difference == 0 ? 0 : difference / size;
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    check.error = std::max(check.error, error);
  }
  check.ok = check.error <= check.tolerance;
  return check;
}

}  // namespace

std::size_t bytes_of(miopen::DataType dtype) {
  return dtype == miopen::k_float ? 4 : 2;
}

std::vector<double> random_values(std::size_t count, miopen::DataType dtype, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> values(count);
  for (double& value : values) {
    const std::uint64_t bits = random();
    const double magnitude = 0.125 + 0.875 * std::ldexp(static_cast<double>(bits >> 11), -53);
    value = rounded((bits & 1) != 0 ? magnitude : -magnitude, dtype);
  }
  return values;
}

std::vector<std::byte> encode(const std::vector<double>& values, miopen::DataType dtype) {
  const std::size_t size = bytes_of(dtype);
  std::vector<std::byte> bytes(values.size() * size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto single = static_cast<float>(values[i]);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    if (dtype == miopen::k_bfloat16) bits >>= 16;
    if (dtype == miopen::k_half) bits = half_bits(values[i]);
    std::memcpy(&bytes[i * size], &bits, size);  // little endian: the low bytes come first
  }
  return bytes;
}

std::vector<double> decode(const std::vector<std::byte>& bytes, miopen::DataType dtype) {
  const std::size_t size = bytes_of(dtype);
  std::vector<double> values(bytes.size() / size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &bytes[i * size], size);
    if (dtype == miopen::k_half) {
      values[i] = half_value(static_cast<std::uint16_t>(bits));
      continue;
    }
    if (dtype == miopen::k_bfloat16) bits <<= 16;
    float single = 0;
    std::memcpy(&single, &bits, sizeof single);
    values[i] = single;
  }
  return values;
}

Check check_convolution(const Problem& problem, Direction direction, const HostTensors& tensors) {
  const TensorShape shape = problem.output(direction);
  Sums want(shape.elements());
  const std::vector<double>&x = tensors.x, &w = tensors.w, &y = tensors.y, &bias = tensors.bias;
  for_each_product(problem, [&](std::int64_t in_x, std::int64_t in_w, std::int64_t in_y) {
    const auto ix = static_cast<std::size_t>(in_x), iw = static_cast<std::size_t>(in_w);
    const auto iy = static_cast<std::size_t>(in_y);
    if (direction == Direction::forward) want.add(in_y, x[ix] * w[iw]);
    if (direction == Direction::backward_data) want.add(in_x, y[iy] * w[iw]);
    if (direction == Direction::backward_weights) want.add(in_w, y[iy] * x[ix]);
  });
  if (!bias.empty()) {
    const int channels = shape.sizes[1];
    for (std::size_t i = 0; i < want.sum.size(); ++i) {
      const auto channel = static_cast<int>(static_cast<std::int64_t>(i) / shape.strides[1] % channels);
      want.add(static_cast<std::int64_t>(i), bias[static_cast<std::size_t>(channel)]);
    }
  }
  const auto& got = direction == Direction::forward ? y : direction == Direction::backward_data ? x : w;
  return compare(got, want, reduction_length(problem, direction), problem.dtype);
}

Check check_bias_gradient(const Problem& problem, const HostTensors& tensors) {
  const TensorShape shape = problem.y();
  Sums want(static_cast<std::size_t>(problem.k));
  for (std::size_t i = 0; i < tensors.y.size(); ++i)
    want.add(static_cast<std::int64_t>(i) / shape.strides[1] % problem.k, tensors.y[i]);
  return compare(tensors.bias, want, static_cast<double>(tensors.y.size()) / problem.k, problem.dtype);
}

}  // namespace convoy::client
