// The definition of the three convolutions, one output element at a time.
#include "solvers/reference_point.h"

#include "solvers/element.h"

namespace convoy {
namespace {

// A logical output index taken apart: the first two coordinates and the spatial position.
struct OutputIndex {
  std::int64_t first, second;
  Spatial position;
};

OutputIndex take_apart(const Geometry& g, std::int64_t index) {
  const Spatial& sizes = g.direction == Direction::forward         ? g.out
                         : g.direction == Direction::backward_data ? g.in
                                                                   : g.filter;
  const std::int64_t points = sizes[0] * sizes[1] * sizes[2];
  const std::int64_t channels = g.direction == Direction::forward         ? g.k * g.groups
                                : g.direction == Direction::backward_data ? g.c * g.groups
                                                                          : g.c;
  const std::int64_t outer = index / points;
  return {outer / channels, outer % channels, unflatten(index % points, sizes)};
}

struct Sum {
  const Geometry& g;
  const Tensors& t;
  PointValue result{};

  void add(const void* a, std::int64_t a_offset, const void* b, std::int64_t b_offset) {
    const double product = load_element(a, g.dtype, a_offset) * load_element(b, g.dtype, b_offset);
    result.value += product;
    result.square_sum += product * product;
  }

  void forward(std::int64_t n, std::int64_t k, const Spatial& out) {
    const std::int64_t group = k / g.k;
    Spatial at;
    for (std::int64_t f = 0; f < g.filter_points(); ++f) {
      const Spatial tap = unflatten(f, g.filter);
      if (!input_position(g, out, tap, at)) continue;
      for (std::int64_t c = 0; c < g.c; ++c) {
        add(t.x, n * g.x[0] + (group * g.c + c) * g.x[1] + offset_of(at, g.x), t.w,
            k * g.w[0] + c * g.w[1] + offset_of(tap, g.w));
      }
    }
  }

  void backward_data(std::int64_t n, std::int64_t c, const Spatial& in) {
    const std::int64_t group = c / g.c;
    Spatial at;
    for (std::int64_t f = 0; f < g.filter_points(); ++f) {
      const Spatial tap = unflatten(f, g.filter);
      if (!output_position(g, in, tap, at)) continue;
      for (std::int64_t k = group * g.k; k < (group + 1) * g.k; ++k) {
        add(t.y, n * g.y[0] + k * g.y[1] + offset_of(at, g.y), t.w,
            k * g.w[0] + (c % g.c) * g.w[1] + offset_of(tap, g.w));
      }
    }
  }

  void backward_weights(std::int64_t k, std::int64_t c, const Spatial& tap) {
    const std::int64_t channel = k / g.k * g.c + c;
    Spatial at;
    for (std::int64_t n = 0; n < g.n; ++n) {
      for (std::int64_t p = 0; p < g.out_points(); ++p) {
        const Spatial out = unflatten(p, g.out);
        if (!input_position(g, out, tap, at)) continue;
        add(t.x, n * g.x[0] + channel * g.x[1] + offset_of(at, g.x), t.y,
            n * g.y[0] + k * g.y[1] + offset_of(out, g.y));
      }
    }
  }
};

}  // namespace

PointValue reference_point(const Geometry& geometry, const Tensors& tensors, std::int64_t index) {
  const OutputIndex at = take_apart(geometry, index);
  Sum sum{geometry, tensors};
  switch (geometry.direction) {
    case Direction::forward: sum.forward(at.first, at.second, at.position); break;
    case Direction::backward_data: sum.backward_data(at.first, at.second, at.position); break;
    case Direction::backward_weights: sum.backward_weights(at.first, at.second, at.position); break;
  }
  if (tensors.bias != nullptr) sum.result.bias = load_element(tensors.bias, geometry.output_dtype, at.second);
  sum.result.value += sum.result.bias;
  return sum.result;
}

std::int64_t output_offset(const Geometry& geometry, std::int64_t index) {
  const OutputIndex at = take_apart(geometry, index);
  const auto& strides = geometry.direction == Direction::forward         ? geometry.y
                        : geometry.direction == Direction::backward_data ? geometry.x
                                                                         : geometry.w;
  return at.first * strides[0] + at.second * strides[1] + offset_of(at.position, strides);
}

}  // namespace convoy
