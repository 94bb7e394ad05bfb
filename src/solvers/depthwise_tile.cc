// Implementation of depthwise_tile.h.
#include "solvers/depthwise_tile.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace convoy {
namespace {

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

// Source positions along one dimension that `tile` neighbouring outputs read.
std::int64_t positions_seen(std::int64_t tile, std::int64_t filter, std::int64_t stride, std::int64_t dilation,
                            Direction direction) {
  std::vector<std::int64_t> seen;
  for (std::int64_t i = 0; i < tile; ++i) {
    for (std::int64_t r = 0; r < filter; ++r) {
      if (direction != Direction::backward_data) seen.push_back(i * stride + r * dilation);
      // An offset that keeps the dividend positive changes no count.
      const std::int64_t reach = i - r * dilation + filter * dilation * stride;
      if (direction == Direction::backward_data && reach % stride == 0) seen.push_back(reach / stride);
    }
  }
  std::sort(seen.begin(), seen.end());
  return std::unique(seen.begin(), seen.end()) - seen.begin();
}

// Threads that a large GPU needs to keep its memory busy; fewer take as long.
constexpr std::int64_t k_threads_that_fill = 1 << 16;
// What a thread does beside loads and stores, in their unit.
constexpr std::int64_t k_overhead = 12;

// Loads and stores of all threads. On an H200 this puts tiles of 3x3 filters in the order measured (f32, 144 channels of 56x56).
std::int64_t cost_of(const Geometry& g, Layout layout, DepthwiseTile tile) {
  const auto seen = [&](std::size_t d, std::int64_t size) {
    return positions_seen(size, g.filter[d], g.stride[d], g.dilation[d], g.direction);
  };
  const bool data = g.direction == Direction::backward_data;
  const Spatial& walked = data ? g.in : g.out;
  const std::int64_t work = seen(1, tile.h) * seen(2, tile.w) + tile.h * tile.w + k_overhead;
  const std::int64_t channels = g.groups * (data ? g.c : g.k);
  const std::int64_t threads = g.n * channels * walked[0] * divide_up(walked[1], tile.h) * divide_up(walked[2], tile.w);
  // Neighbouring threads take neighbouring columns; wide tiles pull them apart.
  const bool apart = layout == Layout::channels_first && tile.w > 2;
  return work * std::max(threads, k_threads_that_fill) * (apart ? 13 : 10);
}

// Registers for sums, one row of the window and the filter must do without spilling on every architecture.
constexpr std::int64_t k_most_registers = 96;
constexpr std::int64_t k_most_outputs = 16;

bool fits_registers(const Geometry& g, DepthwiseTile tile) {
  const std::int64_t row = positions_seen(tile.w, g.filter[2], g.stride[2], g.dilation[2], g.direction);
  // The compiler loads a few rows ahead.
  const std::int64_t registers = tile.h * tile.w + 3 * row + g.filter[1] * g.filter[2];
  return tile.h * tile.w <= k_most_outputs && registers <= k_most_registers;
}

}  // namespace

std::string to_string(DepthwiseTile tile) {
  return fmt::format("{}x{}", tile.h, tile.w);
}

std::optional<DepthwiseTile> depthwise_tile_from_string(std::string_view text) {
  DepthwiseTile tile;
  const char* const end = text.data() + text.size();
  const auto h = std::from_chars(text.data(), end, tile.h);
  if (h.ec != std::errc{} || h.ptr == end || *h.ptr != 'x') return std::nullopt;
  const auto w = std::from_chars(h.ptr + 1, end, tile.w);
  if (w.ec != std::errc{} || to_string(tile) != text) return std::nullopt;
  return tile;
}

std::vector<DepthwiseTile> depthwise_tiles(const Geometry& g, Layout layout) {
  const bool data = g.direction == Direction::backward_data;
  const bool weights = g.direction == Direction::backward_weights;
  // A tile of backward data holds whole strides; one of backward weights has no width.
  const std::int64_t step_h = data ? g.stride[1] : 1, step_w = data ? g.stride[2] : 1;
  std::vector<DepthwiseTile> tiles{{step_h, step_w}};
  for (const std::int64_t rows : {1, 2, 4, 7, 8, 14}) {
    for (const std::int64_t columns : {1, 2, 4}) {
      const DepthwiseTile tile{divide_up(rows, step_h) * step_h, divide_up(columns, step_w) * step_w};
      if (weights && (columns > 1 || rows > 8)) continue;
      if (fits_registers(g, tile) && std::find(tiles.begin(), tiles.end(), tile) == tiles.end()) tiles.push_back(tile);
    }
  }
  std::stable_sort(tiles.begin(), tiles.end(),
                   [&](DepthwiseTile a, DepthwiseTile b) { return cost_of(g, layout, a) < cost_of(g, layout, b); });
  constexpr std::size_t k_worth_trying = 3;
  if (tiles.size() > k_worth_trying) tiles.resize(k_worth_trying);
  return tiles;
}

DepthwiseSlices depthwise_slices(const Geometry& g, Layout layout, DepthwiseTile tile, std::int64_t workspace_limit) {
  constexpr std::int64_t k_strips_of_a_thread = 2;  // at least, or adding up costs more than summing
  constexpr std::int64_t k_most_slices = 256;       // one thread adds them up
  const bool last = layout == Layout::channels_last;
  const std::int64_t lanes = last ? k_depthwise_lanes : 1;
  const std::int64_t groups_that_fill = last ? 640 : 2048;  // measured on an H200
  const std::int64_t filters = g.groups * g.k * g.c;
  const std::int64_t groups = divide_up(filters, lanes) * g.filter[0];
  const std::int64_t strips = g.n * g.out[0] * divide_up(g.out[1], tile.h) * g.out[2];
  const std::int64_t slice_bytes = filters * g.filter_points() * static_cast<std::int64_t>(sizeof(float));
  std::int64_t slices = std::min({divide_up(groups_that_fill, groups), k_most_slices,
                                  strips * lanes / (k_depthwise_threads * k_strips_of_a_thread)});
  if (workspace_limit > 0) slices = std::min(slices, workspace_limit / slice_bytes);
  slices = std::max<std::int64_t>(slices, 1);
  return {slices, slices * slice_bytes};
}

}  // namespace convoy
