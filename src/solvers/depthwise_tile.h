// How depthwise cuts its work: the tile that one thread computes, and the parts of backward weights' sums. Plain arithmetic on
// sizes, apart from the solver so that it can be tested without a device.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "solvers/geometry.h"

namespace convoy {

inline constexpr std::int64_t k_depthwise_threads = 256;
// Filters side by side in one group of threads, where memory is channels last; else one.
inline constexpr std::int64_t k_depthwise_lanes = 32;

// Rows and columns of the output (fwd, bwd) or of y (wrw) that a thread holds.
struct DepthwiseTile {
  std::int64_t h = 1, w = 1;
  bool operator==(const DepthwiseTile&) const = default;
};
std::string to_string(DepthwiseTile tile);                                       // "7x1"
std::optional<DepthwiseTile> depthwise_tile_from_string(std::string_view text);  // exactly what to_string() writes

// Tiles worth trying, the likeliest first.
std::vector<DepthwiseTile> depthwise_tiles(const Geometry& geometry, Layout layout);

// Backward weights: parts into which the sum over batch and positions is cut, and what their partial sums take.
struct DepthwiseSlices {
  std::int64_t slices, bytes;
};
// At least one; fewer than would be good where `workspace_limit` (0: none) says so.
DepthwiseSlices depthwise_slices(const Geometry& geometry, Layout layout, DepthwiseTile tile,
                                 std::int64_t workspace_limit);

}  // namespace convoy
