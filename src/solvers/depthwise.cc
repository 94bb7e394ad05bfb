// Depthwise convolutions and thin groups on GPUs, where memory sets the pace. The arithmetic stands in depthwise.cl, whose Shape
// is the struct below. Filter, stride and dilation are always compiled in; by default sizes are not, so that one program serves
// every image size, while the choices have them compiled in too, which is a fifth faster. Backward weights adds partial sums up
// in a second launch, in a fixed order.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "device/device.h"
#include "solvers/depthwise_tile.h"
#include "solvers/geometry.h"
#include "solvers/gpu_kernel.h"
#include "solvers/solver.h"
#include "solvers_cl.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convoy {
namespace {

// Channels of a group, times filters: beyond it arithmetic counts, and igemm's tiles are worth their padding.
constexpr std::int64_t k_thin = 16;
constexpr std::int64_t k_most_taps = 49;   // of one plane of the filter, in registers
constexpr std::int64_t k_most_reach = 64;  // of a dilated filter
constexpr std::int64_t k_most_stride = 8;

// Divisor and Shape of depthwise.cl, field by field.
struct Divisor {
  std::uint32_t divisor = 1, factor = 0, shift = 0;
};

struct Shape {
  std::array<std::int32_t, 5> source_strides, target_strides;
  std::int32_t filter_group, filter_row, filter_depth, filter_t, filter_tap;
  std::int32_t images, channels, depth;
  std::array<std::int32_t, 3> source, target;
  std::int32_t filter_d, stride_d, dilation_d;
  std::array<std::int32_t, 3> pad;
  std::int32_t shift_h, shift_w;
  std::int32_t items, slices;
  Divisor tiles_w, tiles_h, points_d, channels_by, rows;
};

template <std::size_t size>
std::array<std::int32_t, size> narrow(const std::array<std::int64_t, size>& wide) {
  std::array<std::int32_t, size> result{};
  std::transform(wide.begin(), wide.end(), result.begin(), [](std::int64_t v) { return static_cast<std::int32_t>(v); });
  return result;
}

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

// Granlund and Montgomery, "Division by invariant integers using multiplication" (PLDI 1994), figure 4.1 without its
// first shift: exact for every dividend below 2^31.
Divisor divisor_of(std::int64_t value) {
  const auto divisor = static_cast<std::uint64_t>(value);
  const auto shift = static_cast<std::uint32_t>(std::bit_width(divisor - 1));
  const std::uint64_t factor = (std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - divisor) / divisor + 1;
  return {static_cast<std::uint32_t>(divisor), static_cast<std::uint32_t>(factor), shift};
}

// The stride of a dimension with one position may be any number: 0 keeps it harmless.
std::array<std::int64_t, 5> strides_in_use(std::array<std::int64_t, 5> strides, const Spatial& sizes) {
  for (std::size_t d = 0; d < 3; ++d) {
    if (sizes[d] == 1) strides[d + 2] = 0;
  }
  return strides;
}

Shape shape_of(const Geometry& g, DepthwiseTile tile, std::int64_t slices) {
  const bool data = g.direction == Direction::backward_data;
  const Spatial& walked = data ? g.in : g.out;
  const std::int64_t rows = data ? g.c : g.k;
  Shape s{};
  s.source = narrow(data ? g.out : g.in);
  s.target = narrow(walked);
  s.source_strides = narrow(strides_in_use(data ? g.y : g.x, data ? g.out : g.in));
  s.target_strides = narrow(strides_in_use(data ? g.x : g.y, walked));
  s.filter_group = static_cast<std::int32_t>(g.k * g.w[0]);
  s.filter_row = static_cast<std::int32_t>(g.w[data ? 1 : 0]);
  s.filter_depth = static_cast<std::int32_t>(g.w[data ? 0 : 1]);
  s.filter_t = static_cast<std::int32_t>(g.w[2]);
  s.filter_tap = static_cast<std::int32_t>(g.filter[2] == 1 ? g.w[3] : g.w[4]);  // from one tap of a plane to the next
  s.images = static_cast<std::int32_t>(g.n);
  s.channels = static_cast<std::int32_t>(g.groups * rows);
  s.depth = static_cast<std::int32_t>(data ? g.k : g.c);
  s.filter_d = static_cast<std::int32_t>(g.filter[0]);
  s.stride_d = static_cast<std::int32_t>(g.stride[0]);
  s.dilation_d = static_cast<std::int32_t>(g.dilation[0]);
  s.pad = narrow(g.pad);
  s.shift_h = data ? static_cast<std::int32_t>(g.pad[1] % g.stride[1]) : 0;
  s.shift_w = data ? static_cast<std::int32_t>(g.pad[2] % g.stride[2]) : 0;
  const std::int64_t tiles_h = divide_up(walked[1] + s.shift_h, tile.h);
  const std::int64_t tiles_w = divide_up(walked[2] + s.shift_w, tile.w);
  const bool weights = g.direction == Direction::backward_weights;
  s.items = static_cast<std::int32_t>(g.n * (weights ? 1 : s.channels) * walked[0] * tiles_h * tiles_w);
  s.slices = static_cast<std::int32_t>(slices);
  s.tiles_w = divisor_of(tiles_w);
  s.tiles_h = divisor_of(tiles_h);
  s.points_d = divisor_of(walked[0]);
  s.channels_by = divisor_of(s.channels);
  s.rows = divisor_of(rows);
  return s;
}

ProgramSource program_of(const Problem& problem, const Geometry& g, DepthwiseTile tile) {
  static const std::string k_text = with_elements(k_depthwise_cl);
  return {"depthwise",
          k_text,
          {element_define(problem.dtype), fmt::format("DIRECTION={}", static_cast<int>(problem.direction)),
           fmt::format("THREADS={}", k_depthwise_threads), fmt::format("TILE_H={}", tile.h),
           fmt::format("TILE_W={}", tile.w), fmt::format("FILTER_H={}", g.filter[1]),
           fmt::format("FILTER_W={}", g.filter[2]), fmt::format("STRIDE_H={}", g.stride[1]),
           fmt::format("STRIDE_W={}", g.stride[2]), fmt::format("DILATION_H={}", g.dilation[1]),
           fmt::format("DILATION_W={}", g.dilation[2]),
           fmt::format("LAST={}", problem.layout == Layout::channels_last ? 1 : 0)}};
}

// The struct as an initializer without inner braces; none of its numbers is negative.
std::string shape_define(const Shape& shape) {
  std::array<std::uint32_t, sizeof(Shape) / sizeof(std::uint32_t)> words{};
  std::memcpy(words.data(), &shape, sizeof shape);
  return fmt::format("SHAPE={{{}}}", fmt::join(words, ","));
}

// What a plan is made of, before its kernels.
struct Recipe {
  Geometry geometry;
  DepthwiseTile tile;
  bool sizes_compiled_in;
};

Result<Recipe> recipe_of(const Problem& problem, const std::string& params) {
  const Geometry g = geometry_of(problem);
  const std::vector<DepthwiseTile> tiles = depthwise_tiles(g, problem.layout);
  if (params.empty()) return Recipe{g, tiles.front(), false};
  const auto tile = depthwise_tile_from_string(params);
  if (!tile || std::find(tiles.begin(), tiles.end(), *tile) == tiles.end()) {
    return fail(ErrorCode::unsupported, fmt::format("depthwise has no parameters '{}' here", params));
  }
  return Recipe{g, *tile, true};
}

std::string detail_of(const Problem& problem, const Recipe& recipe) {
  return fmt::format("depthwise {} {}{}", to_string(problem.direction), to_string(recipe.tile),
                     recipe.sizes_compiled_in ? " fixed" : "");
}

class GatherPlan final : public Plan {
 public:
  GatherPlan(Direction direction, const Shape& shape, GpuKernel kernel, std::string detail)
      : direction_(direction), shape_(shape), kernel_(std::move(kernel)), detail_(std::move(detail)) {}

  std::int64_t workspace_bytes() const override { return 0; }
  Algorithm algorithm() const override { return Algorithm::direct; }
  std::string_view detail() const override { return detail_; }

  Result<void> run(const Tensors& tensors, void*) const override {
    if (shape_.items == 0) return {};
    const bool forward = direction_ == Direction::forward;
    KernelArguments arguments;
    arguments.buffer(forward ? tensors.x : tensors.y).buffer(tensors.w).buffer(tensors.bias);
    arguments.buffer(forward ? tensors.y : tensors.x).value(shape_);
    LaunchSize size;
    size.groups[0] = divide_up(shape_.items, k_depthwise_threads);
    size.threads = k_depthwise_threads;
    return kernel_->launch(size, arguments, tensors.stream);
  }

 private:
  Direction direction_;
  Shape shape_;
  GpuKernel kernel_;
  std::string detail_;
};

class WeightsPlan final : public Plan {
 public:
  WeightsPlan(const Geometry& g, Layout layout, const Shape& shape, std::array<GpuKernel, 2> kernels,
              std::string detail)
      : shape_(shape), kernels_(std::move(kernels)), detail_(std::move(detail)) {
    const std::int64_t filters = g.groups * g.k * g.c;
    const std::int64_t lanes = layout == Layout::channels_last ? k_depthwise_lanes : 1;
    partial_groups_ = shape.slices * divide_up(filters, lanes) * g.filter[0];
    elements_ = filters * g.filter_points();
  }

  std::int64_t workspace_bytes() const override {
    return shape_.slices * elements_ * static_cast<std::int64_t>(sizeof(float));
  }
  Algorithm algorithm() const override { return Algorithm::direct; }
  std::string_view detail() const override { return detail_; }

  Result<void> run(const Tensors& tensors, void* workspace) const override {
    LaunchSize size;
    size.threads = k_depthwise_threads;
    size.groups[0] = partial_groups_;
    KernelArguments parts;
    parts.buffer(tensors.x).buffer(workspace).buffer(tensors.y).value(shape_);
    CONVOY_CHECK(kernels_[0]->launch(size, parts, tensors.stream));
    size.groups[0] = divide_up(elements_, k_depthwise_threads);
    KernelArguments sum;
    sum.buffer(workspace).buffer(tensors.w).value(shape_);
    return kernels_[1]->launch(size, sum, tensors.stream);
  }

 private:
  Shape shape_;
  std::array<GpuKernel, 2> kernels_;
  std::string detail_;
  std::int64_t partial_groups_ = 0;
  std::int64_t elements_ = 0;
};

Result<std::unique_ptr<Plan>> plan_gather(const Problem& problem, const Recipe& recipe, Device& device,
                                          const PlanOptions& options) {
  const Shape shape = shape_of(recipe.geometry, recipe.tile, 1);
  ProgramSource source = program_of(problem, recipe.geometry, recipe.tile);
  if (recipe.sizes_compiled_in) source.defines.push_back(shape_define(shape));
  CONVOY_CHECK(prepare_programs(device, {&source, 1}, options));
  CONVOY_TRY(GpuKernel kernel, load_kernel(device, source, "depthwise_gather"));
  return std::make_unique<GatherPlan>(problem.direction, shape, std::move(kernel), detail_of(problem, recipe));
}

Result<std::unique_ptr<Plan>> plan_weights(const Problem& problem, const Recipe& recipe, Device& device,
                                           const PlanOptions& options) {
  const std::int64_t workspace_limit = options.workspace_limit;
  const Geometry& g = recipe.geometry;
  const DepthwiseSlices slices = depthwise_slices(g, problem.layout, recipe.tile, workspace_limit);
  if (workspace_limit > 0 && slices.bytes > workspace_limit) {
    return fail(ErrorCode::out_of_memory,
                fmt::format("depthwise needs {} bytes of workspace, {} are allowed", slices.bytes, workspace_limit));
  }
  const Shape shape = shape_of(g, recipe.tile, slices.slices);
  ProgramSource source = program_of(problem, g, recipe.tile);
  if (recipe.sizes_compiled_in) source.defines.push_back(shape_define(shape));
  CONVOY_CHECK(prepare_programs(device, {&source, 1}, options));
  std::array<GpuKernel, 2> kernels;
  CONVOY_TRY(kernels[0], load_kernel(device, source, "depthwise_weights"));
  CONVOY_TRY(kernels[1], load_kernel(device, source, "depthwise_sum"));
  return std::make_unique<WeightsPlan>(g, problem.layout, shape, std::move(kernels),
                                       fmt::format("{} in {}", detail_of(problem, recipe), slices.slices));
}

// Offsets are 32 bits wide.
bool is_small(const Problem& problem) {
  constexpr std::int64_t k_most = std::numeric_limits<std::int32_t>::max() / 2;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    if (problem.elements(role) > k_most) return false;
  }
  const Geometry g = geometry_of(problem);
  for (std::size_t d = 0; d < 3; ++d) {
    if (std::max({g.pad[d], g.stride[d], g.dilation[d] * g.filter[d]}) > (1 << 20)) return false;
  }
  return true;
}

Fit window_fits(const Geometry& g) {
  if (g.filter[1] * g.filter[2] > k_most_taps) return Fit::no("filters of more than 49 taps a plane");
  for (const std::size_t d : {1U, 2U}) {
    if ((g.filter[d] - 1) * g.dilation[d] > k_most_reach) return Fit::no("a dilated filter that reaches beyond 64");
    if (g.stride[d] > k_most_stride) return Fit::no("strides above 8");
  }
  return Fit::yes();
}

class DepthwiseSolver final : public Solver {
 public:
  std::string_view id() const override { return "depthwise"; }
  Tier tier(const Device&) const override { return Tier::own; }
  std::string library() const override { return "convoy"; }

  Fit fits(const Problem& problem, const Device& device) const override {
    const DeviceInfo& info = device.info();
    if (info.kind == DeviceKind::cpu) return Fit::elsewhere();
    if (info.max_threads < k_depthwise_threads) return Fit::no("the device has groups of fewer than 256 threads");
    if (problem.groups == 1) return Fit::no("not grouped");
    // HIP counts the threads of a launch in 32 bits.
    if (problem.direction == Direction::backward_weights && problem.elements(TensorRole::w) >= (1 << 24))
      return Fit::no("more than 2^24 filter elements");
    if (problem.c / problem.groups * (problem.k / problem.groups) > k_thin)
      return Fit::no("groups of too many channels");
    if (problem.dtype != Dtype::f32 && problem.dtype != Dtype::f16 && problem.dtype != Dtype::bf16) {
      return Fit::no("only f32, f16 and bf16");
    }
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      if (!problem.packed(role)) return Fit::no("a tensor is not packed");
    }
    if (!is_small(problem)) return Fit::no("a tensor of 2^30 elements or more");
    return window_fits(geometry_of(problem));
  }

  std::vector<std::string> choices(const Problem& problem, const Device&, const PlanOptions&) const override {
    std::vector<std::string> choices{""};
    for (const DepthwiseTile tile : depthwise_tiles(geometry_of(problem), problem.layout)) {
      choices.push_back(to_string(tile));
    }
    return choices;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!contains(options.allowed, Algorithm::direct)) {
      return fail(ErrorCode::unsupported, "depthwise: direct algorithms are excluded");
    }
    CONVOY_TRY(const Recipe recipe, recipe_of(problem, options.params));
    if (problem.direction == Direction::backward_weights) {
      return plan_weights(problem, recipe, device, options);
    }
    return plan_gather(problem, recipe, device, options);
  }
};

}  // namespace

const Solver& depthwise_solver() {
  static const DepthwiseSolver solver;
  return solver;
}

}  // namespace convoy
