// Widening of a problem of any rank to three spatial dimensions.
#include "solvers/geometry.h"

namespace convoy {
namespace {

Spatial widen(const Spatial& values, int rank, std::int64_t fill) {
  Spatial wide{fill, fill, fill};
  for (int i = 0; i < rank; ++i) wide[static_cast<std::size_t>(3 - rank + i)] = values[static_cast<std::size_t>(i)];
  return wide;
}

std::array<std::int64_t, 5> widen_strides(const Dims& strides, int rank) {
  std::array<std::int64_t, 5> wide{strides[0], strides[1], 0, 0, 0};
  for (int i = 0; i < rank; ++i)
    wide[static_cast<std::size_t>(5 - rank + i)] = strides[static_cast<std::size_t>(2 + i)];
  return wide;
}

}  // namespace

Geometry geometry_of(const Problem& p) {
  Geometry g{};
  g.n = p.n;
  g.groups = p.groups;
  g.c = p.c / p.groups;
  g.k = p.k / p.groups;
  g.in = widen(p.in, p.rank, 1);
  g.filter = widen(p.filter, p.rank, 1);
  g.out = widen(p.out(), p.rank, 1);
  g.pad = widen(p.pad, p.rank, 0);
  g.stride = widen(p.stride, p.rank, 1);
  g.dilation = widen(p.dilation, p.rank, 1);
  g.x = widen_strides(p.strides(TensorRole::x), p.rank);
  g.w = widen_strides(p.strides(TensorRole::w), p.rank);
  g.y = widen_strides(p.strides(TensorRole::y), p.rank);
  g.dtype = p.dtype;
  g.output_dtype = p.dtype_of(p.output_role());
  g.direction = p.direction;
  return g;
}

}  // namespace convoy
