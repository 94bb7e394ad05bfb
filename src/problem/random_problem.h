// Random valid problems for tests: every rank, layout, type, direction, with and without groups,
// transposition and strides. Small, so that a test can enumerate every element.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>

#include "problem/problem.h"

namespace convoy {

class RandomProblems {
 public:
  explicit RandomProblems(std::uint64_t seed) : engine_(seed) {}

  Problem next() {
    while (true) {
      Problem p = candidate();
      if (!validate(p)) continue;
      if (chance(4)) p.x_strides = spread(p, TensorRole::x);
      if (chance(4)) p.w_strides = spread(p, TensorRole::w);
      if (chance(4)) p.y_strides = spread(p, TensorRole::y);
      if (validate(p)) return p;
    }
  }

  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool chance(int one_in) { return number(1, one_in) == 1; }

 private:
  Problem candidate() {
    Problem p;
    p.direction = static_cast<Direction>(number(0, 2));
    p.dtype = static_cast<Dtype>(number(0, 4));
    p.layout = static_cast<Layout>(number(0, 1));
    p.rank = static_cast<int>(number(1, 3));
    p.transposed = chance(3);
    p.n = number(0, 3);
    p.groups = number(1, 3);
    p.c = p.groups * number(1, 3);
    p.k = p.groups * number(1, 3);
    for (int i = 0; i < p.rank; ++i) {
      p.in[i] = number(1, 7);
      p.filter[i] = number(1, 4);
      p.pad[i] = number(0, 3);
      p.stride[i] = number(1, 4);
      p.dilation[i] = number(1, 3);
      if (p.transposed) p.output_pad[i] = number(0, 2);
    }
    return p;
  }

  // Strides of a random memory order with random gaps, which never overlap.
  Dims spread(const Problem& p, TensorRole role) {
    const Dims sizes = p.dims(role);
    std::array<int, 2 + k_max_rank> order{};
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.begin() + 2 + p.rank, engine_);
    Dims strides{};
    std::int64_t step = number(1, 2);
    for (int i = 0; i < 2 + p.rank; ++i) {
      strides[order[i]] = step;
      step = step * std::max<std::int64_t>(sizes[order[i]], 1) + number(0, 2);
    }
    return strides;
  }

  std::mt19937_64 engine_;
};

}  // namespace convoy
