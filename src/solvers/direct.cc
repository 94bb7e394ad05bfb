// The generic rung of every GPU: takes whatever a problem can say (rank, stride, dilation, groups, memory order, gaps, sizes
// beyond 2^31), needs no workspace, and compiles one program per direction and element type. Right before fast: igemm and
// depthwise come first where they apply. The arithmetic stands in direct.cl, whose Shape is the struct below.
#include <algorithm>
#include <limits>
#include <numeric>

#include "device/device.h"
#include "solvers/geometry.h"
#include "solvers/gpu_kernel.h"
#include "solvers/solver.h"
#include "solvers_cl.h"

#include <fmt/format.h>

namespace convoy {
namespace {

using Triple = std::array<std::int32_t, 3>;
using Strides = std::array<std::int64_t, 5>;

// Shape of direct.cl, field by field.
struct Shape {
  Strides source_strides, filter_strides, target_strides;
  std::int64_t filter_group, first_tile;
  std::int32_t images, groups, rows, depth;
  Triple source, filter, target;
  Triple stride, pad, dilation;
  Triple phases, points, tap_step, along;
};

Triple narrow(const Spatial& sizes) {
  return {static_cast<std::int32_t>(sizes[0]), static_cast<std::int32_t>(sizes[1]),
          static_cast<std::int32_t>(sizes[2])};
}
std::int64_t product(const Triple& sizes) {
  return std::int64_t{1} * sizes[0] * sizes[1] * sizes[2];
}
std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

// Forward and backward weights share roles: x is read through the filter's window, y is walked over.
Shape plain_shape(const Geometry& g) {
  Shape s{};
  s.images = static_cast<std::int32_t>(g.n);
  s.groups = static_cast<std::int32_t>(g.groups);
  s.rows = static_cast<std::int32_t>(g.k);
  s.depth = static_cast<std::int32_t>(g.c);
  s.source = narrow(g.in);
  s.filter = narrow(g.filter);
  s.target = narrow(g.out);
  s.stride = narrow(g.stride);
  s.pad = narrow(g.pad);
  s.dilation = narrow(g.dilation);
  s.source_strides = g.x;
  s.filter_strides = g.w;
  s.target_strides = g.y;
  s.filter_group = g.k * g.w[0];
  s.phases = {1, 1, 1};
  s.points = narrow(g.out);
  s.tap_step = {1, 1, 1};
  s.along = narrow(g.dilation);
  return s;
}

// Backward data walks over x and reads y; the filter's two channel dimensions change places.
Shape backward_data_shape(const Geometry& g) {
  Shape s = plain_shape(g);
  std::swap(s.rows, s.depth);
  std::swap(s.source, s.target);
  std::swap(s.source_strides, s.target_strides);
  std::swap(s.filter_strides[0], s.filter_strides[1]);
  for (std::size_t d = 0; d < 3; ++d) {
    const std::int32_t common = std::gcd(s.stride[d], s.dilation[d]);
    s.phases[d] = std::min(s.stride[d], s.target[d]);
    s.points[d] = (s.target[d] - 1) / s.stride[d] + 1;
    s.tap_step[d] = s.stride[d] / common;
    s.along[d] = -(s.dilation[d] / common);
  }
  return s;
}

// What one thread (fwd, bwd) or one group of threads (wrw) computes; handed to the kernel as definitions.
struct Tile {
  std::int64_t threads, rows;
  std::int64_t width;  // POINTS of a thread, or COLUMNS of a group
};

// Fewer groups of threads with wide tiles would leave most of a large GPU without work.
constexpr std::int64_t k_wide_tiles = 128;

std::int64_t count_tiles(Direction direction, const Shape& s, const Tile& tile) {
  const std::int64_t rows = s.groups * divide_up(s.rows, tile.rows);
  if (direction == Direction::backward_weights) return rows * divide_up(s.depth, tile.width) * product(s.filter);
  return rows * product(s.phases) * divide_up(s.images * product(s.points), tile.threads * tile.width);
}

Tile tile_of(Direction direction, const Shape& s) {
  if (direction == Direction::backward_weights) return {256, 8, 4};
  const Tile wide{128, 8, 4};
  return count_tiles(direction, s, wide) >= k_wide_tiles ? wide : Tile{128, 8, 1};
}

// A display card's driver resets it when one launch takes seconds, so large problems are cut into several. The first limit
// is time on a slow card, the second what one dimension of a launch may have (HIP: 2^32 threads).
constexpr double k_flops_in_a_launch = 2e11;
constexpr std::int64_t k_tiles_in_a_launch = 1 << 23;
// A launch fills the device, whatever a tile costs.
constexpr std::int64_t k_tiles_per_unit = 4;

std::int64_t tiles_in_a_launch(double flops, std::int64_t tiles, const DeviceInfo& info) {
  const double wanted = static_cast<double>(tiles) * k_flops_in_a_launch / std::max(flops, 1.0);
  const std::int64_t least = k_tiles_per_unit * std::max(info.compute_units, 1);
  return std::clamp(static_cast<std::int64_t>(std::min(wanted, 1e9)), least, k_tiles_in_a_launch);
}

class DirectPlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> create(const Problem& problem, Device& device);

  std::int64_t workspace_bytes() const override { return 0; }
  Algorithm algorithm() const override { return Algorithm::direct; }
  std::string_view detail() const override { return detail_; }
  Result<void> run(const Tensors& tensors, void* workspace) const override;

 private:
  KernelArguments arguments(const Tensors& tensors, const Shape& shape) const;

  Direction direction_ = Direction::forward;
  Shape shape_{};
  Tile tile_{};
  std::int64_t tiles_ = 0;
  std::int64_t tiles_in_a_launch_ = 0;
  GpuKernel kernel_;
  std::string detail_;
};

Result<std::unique_ptr<Plan>> DirectPlan::create(const Problem& problem, Device& device) {
  const Geometry geometry = geometry_of(problem);
  auto plan = std::make_unique<DirectPlan>();
  plan->direction_ = problem.direction;
  plan->shape_ = problem.direction == Direction::backward_data ? backward_data_shape(geometry) : plain_shape(geometry);
  plan->tile_ = tile_of(problem.direction, plan->shape_);
  plan->tiles_ = count_tiles(problem.direction, plan->shape_, plan->tile_);
  plan->tiles_in_a_launch_ = tiles_in_a_launch(problem.flops(), plan->tiles_, device.info());

  const bool weights = problem.direction == Direction::backward_weights;
  static const std::string k_text = with_elements(k_direct_cl);
  ProgramSource source{"direct", k_text, {}};
  source.defines = {element_define(problem.dtype), fmt::format("DIRECTION={}", static_cast<int>(problem.direction)),
                    fmt::format("THREADS={}", plan->tile_.threads), fmt::format("ROWS={}", plan->tile_.rows),
                    fmt::format("{}={}", weights ? "COLUMNS" : "POINTS", plan->tile_.width)};
  CONVOY_TRY(plan->kernel_, load_kernel(device, source, weights ? "direct_weights" : "direct_gather"));
  plan->detail_ = fmt::format("direct {} {}x{}", to_string(problem.direction), plan->tile_.rows, plan->tile_.width);
  return plan;
}

KernelArguments DirectPlan::arguments(const Tensors& tensors, const Shape& shape) const {
  KernelArguments arguments;
  if (direction_ == Direction::backward_weights) {
    return arguments.buffer(tensors.x).buffer(tensors.w).buffer(tensors.y).value(shape);
  }
  const bool forward = direction_ == Direction::forward;
  arguments.buffer(forward ? tensors.x : tensors.y).buffer(tensors.w).buffer(tensors.bias);
  return arguments.buffer(forward ? tensors.y : tensors.x).value(shape);
}

Result<void> DirectPlan::run(const Tensors& tensors, void*) const {
  Shape shape = shape_;
  for (shape.first_tile = 0; shape.first_tile < tiles_; shape.first_tile += tiles_in_a_launch_) {
    LaunchSize size;
    size.groups[0] = std::min(tiles_in_a_launch_, tiles_ - shape.first_tile);
    size.threads = static_cast<int>(tile_.threads);
    CONVOY_CHECK(kernel_->launch(size, arguments(tensors, shape), tensors.stream));
  }
  return {};
}

// The kernels hold sizes and positions, the padded ones too, in 32 bits; offsets in 64.
bool positions_fit(const Geometry& g) {
  constexpr std::int64_t k_most = std::numeric_limits<std::int32_t>::max() / 4;
  for (std::size_t d = 0; d < 3; ++d) {
    if (std::max({g.in[d], g.out[d], g.filter[d], g.pad[d], g.stride[d], g.dilation[d]}) > k_most) return false;
    if (g.dilation[d] * g.filter[d] > k_most) return false;
  }
  return std::max({g.n, g.groups, g.c, g.k}) <= k_most;
}

class DirectSolver final : public Solver {
 public:
  std::string_view id() const override { return "direct"; }
  Tier tier(const Device&) const override { return Tier::generic; }
  std::string library() const override { return "convoy"; }

  Fit fits(const Problem& problem, const Device& device) const override {
    const DeviceInfo& info = device.info();
    if (info.kind == DeviceKind::cpu) return Fit::elsewhere();
    if (info.max_threads < 256) return Fit::no("the device has groups of fewer than 256 threads");
    if (problem.dtype == Dtype::f64 && !info.computes_f64) return Fit::no("the device computes no f64");
    if (!positions_fit(geometry_of(problem))) return Fit::no("a size is beyond 2^29");
    return Fit::yes();
  }

  std::vector<std::string> choices(const Problem&, const Device&, const PlanOptions&) const override { return {""}; }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!contains(options.allowed, Algorithm::direct)) {
      return fail(ErrorCode::unsupported, "direct: direct algorithms are excluded");
    }
    if (!options.params.empty()) {
      return fail(ErrorCode::unsupported, fmt::format("direct has no parameters, not '{}'", options.params));
    }
    return DirectPlan::create(problem, device);
  }
};

}  // namespace

const Solver& direct_solver() {
  static const DirectSolver solver;
  return solver;
}

}  // namespace convoy
