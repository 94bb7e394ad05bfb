// oneDNN on the host: the vendor tier of the CPU device. One primitive per problem where possible; where the
// workspace is bounded or a tensor has more elements than 32-bit offsets reach, the problem is cut into
// slices: images first, then groups, then output channels, then the channels that are summed over, whose
// partial results are added up here.
#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "solvers/convert.h"
#include "solvers/host_tensors.h"
#include "solvers/onednn_piece.h"
#include "solvers/solver.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// oneDNN's generated kernels hold offsets in 32 bits in places; pieces stay below.
constexpr std::int64_t k_piece_elements = std::numeric_limits<std::int32_t>::max();

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}
std::int64_t halved(std::int64_t value) {
  return (value + 1) / 2;
}

// Sizes of a slice: images, groups, channels c and k per group.
struct Slice {
  std::int64_t n, groups, c, k;
  auto key() const { return std::tie(n, groups, c, k); }
  bool operator<(const Slice& other) const { return key() < other.key(); }
};

Geometry cut(Geometry geometry, const Slice& slice) {
  geometry.n = slice.n;
  geometry.groups = slice.groups;
  geometry.c = slice.c;
  geometry.k = slice.k;
  return geometry;
}

// Which of a problem's extents is summed over, and is therefore cut last and into partial sums.
std::int64_t Slice::*summed_extent(Direction direction) {
  switch (direction) {
    case Direction::forward: return &Slice::c;
    case Direction::backward_data: return &Slice::k;
    case Direction::backward_weights: return &Slice::n;
  }
  return &Slice::c;
}

const std::array<std::int64_t, 5>& output_strides(const Geometry& g) {
  switch (g.direction) {
    case Direction::forward: return g.y;
    case Direction::backward_data: return g.x;
    case Direction::backward_weights: return g.w;
  }
  return g.y;
}

std::int64_t largest_tensor(const Geometry& g) {
  return std::max({g.n * g.c * g.groups * g.in_points(), g.k * g.groups * g.c * g.filter_points(),
                   g.n * g.k * g.groups * g.out_points()});
}

// The next smaller slice, or false when nothing is left to cut.
bool shrink(Slice& slice, Direction direction) {
  // In wrw images are summed over, but cutting them is what frees memory; their partial sums are only
  // filters.
  if (slice.n > 1) return slice.n = halved(slice.n), true;
  if (slice.groups > 1) return slice.groups = halved(slice.groups), true;
  const bool k_first = direction != Direction::backward_data;
  std::int64_t& outer = k_first ? slice.k : slice.c;
  std::int64_t& inner = k_first ? slice.c : slice.k;
  if (outer > 16) return outer = halved(outer), true;
  if (inner > 1) return inner = halved(inner), true;
  if (outer > 1) return outer = halved(outer), true;
  return false;
}

class OnednnPlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> create(const Problem& problem, const PlanOptions& options);

  std::int64_t workspace_bytes() const override { return workspace_bytes_; }
  Algorithm algorithm() const override { return first_->algorithm(); }
  std::string_view detail() const override { return detail_; }
  Result<void> run(const Tensors& tensors, void* workspace) const override;

 private:
  // One call of a piece.
  struct Step {
    const OnednnPiece* piece;
    std::int64_t x_offset, w_offset, y_offset;  // bytes
    bool first_part, last_part;                 // of a sum; both when there is only one part
  };

  bool summed() const {
    return slice_.*summed_extent(geometry_.direction) < whole_.*summed_extent(geometry_.direction);
  }
  Result<void> choose_slice(const PlanOptions& options);
  Result<const OnednnPiece*> piece_of(const Slice& slice);
  Result<void> list_steps();
  Result<void> add_step(const Slice& slice, const Slice& start, std::int64_t sum_begin);
  Result<void> run_summed(const Step& step, const std::array<char*, 3>& slots, char* workspace) const;

  Problem problem_;
  Geometry geometry_{};
  PieceOptions piece_options_;
  Slice whole_{}, slice_{};
  std::map<Slice, std::unique_ptr<OnednnPiece>> pieces_;
  const OnednnPiece* first_ = nullptr;
  std::vector<Step> steps_;
  std::int64_t piece_bytes_ = 0;  // workspace of the hungriest piece
  std::int64_t sum_bytes_ = 0;    // of the accumulator and of one partial sum, each
  std::int64_t workspace_bytes_ = 0;
  std::string detail_;
};

Result<const OnednnPiece*> OnednnPlan::piece_of(const Slice& slice) {
  auto& piece = pieces_[slice];
  if (!piece) {
    CONVOY_TRY(piece, OnednnPiece::create(cut(geometry_, slice), piece_options_));
  }
  return piece.get();
}

// Shrinks the slice until one piece and its sums fit into the limits.
Result<void> OnednnPlan::choose_slice(const PlanOptions& options) {
  slice_ = whole_;
  for (;;) {
    std::int64_t needed = 0;
    if (largest_tensor(cut(geometry_, slice_)) <= k_piece_elements) {
      piece_options_.partial_sum = summed();
      pieces_.clear();
      CONVOY_TRY(first_, piece_of(slice_));
      piece_bytes_ = first_->workspace_bytes();
      sum_bytes_ = summed() ? aligned(first_->output_elements() * 4) : 0;
      needed = piece_bytes_ + 2 * sum_bytes_;
      if (options.workspace_limit == 0 || needed <= options.workspace_limit) return {};
    }
    if (!shrink(slice_, geometry_.direction)) {
      return fail(ErrorCode::out_of_memory, fmt::format("oneDNN needs {} bytes of workspace at least, the limit is {}",
                                                        needed, options.workspace_limit));
    }
  }
}

Result<void> OnednnPlan::add_step(const Slice& slice, const Slice& start, std::int64_t sum_begin) {
  const Geometry& g = geometry_;
  Step step{};
  CONVOY_TRY(step.piece, piece_of(slice));
  piece_bytes_ = std::max(piece_bytes_, step.piece->workspace_bytes());
  // Channels are cut within a group only when groups are cut one by one, so these offsets are exact.
  const std::int64_t c = start.groups * g.c + start.c;
  const std::int64_t k = start.groups * g.k + start.k;
  const std::int64_t input = size_of(g.dtype), output = size_of(g.output_dtype);
  const bool x_is_output = g.direction == Direction::backward_data;
  const bool w_is_output = g.direction == Direction::backward_weights;
  const bool y_is_output = g.direction == Direction::forward;
  step.x_offset = (start.n * g.x[0] + c * g.x[1]) * (x_is_output ? output : input);
  step.w_offset = (k * g.w[0] + start.c * g.w[1]) * (w_is_output ? output : input);
  step.y_offset = (start.n * g.y[0] + k * g.y[1]) * (y_is_output ? output : input);
  const auto extent = summed_extent(g.direction);
  step.first_part = sum_begin == 0;
  step.last_part = sum_begin + slice.*extent >= whole_.*extent;
  steps_.push_back(step);
  return {};
}

// Every combination of parts; the summed extent varies fastest, so that one accumulator is enough.
Result<void> OnednnPlan::list_steps() {
  const auto summed = summed_extent(geometry_.direction);
  std::vector<std::int64_t Slice::*> order;
  for (const auto extent : {&Slice::n, &Slice::groups, &Slice::k, &Slice::c}) {
    if (extent != summed) order.push_back(extent);
  }
  order.push_back(summed);
  Slice start{};
  for (;;) {
    Slice part{};
    for (const auto extent : order) part.*extent = std::min(slice_.*extent, whole_.*extent - start.*extent);
    CONVOY_CHECK(add_step(part, start, start.*summed));
    std::size_t digit = order.size();
    while (digit > 0) {
      const auto extent = order[digit - 1];
      start.*extent += slice_.*extent;
      if (start.*extent < whole_.*extent) break;
      start.*extent = 0;
      --digit;
    }
    if (digit == 0) return {};
  }
}

Result<std::unique_ptr<Plan>> OnednnPlan::create(const Problem& problem, const PlanOptions& options) {
  auto plan = std::make_unique<OnednnPlan>();
  plan->problem_ = problem;
  plan->geometry_ = geometry_of(problem);
  plan->piece_options_.rank = problem.rank;
  plan->piece_options_.allowed = options.allowed;
  plan->piece_options_.threads = options.threads;
  for (const Algorithm algorithm :
       {Algorithm::gemm, Algorithm::direct, Algorithm::winograd, Algorithm::implicit_gemm}) {
    if (options.params != to_string(algorithm)) continue;
    plan->piece_options_.any_algorithm = false;
    plan->piece_options_.algorithm = algorithm;
  }
  if (!options.params.empty() && plan->piece_options_.any_algorithm) {
    return fail(ErrorCode::unsupported, fmt::format("onednn has no choice named '{}'", options.params));
  }
  const Geometry& g = plan->geometry_;
  plan->whole_ = {g.n, g.groups, g.c, g.k};
  CONVOY_CHECK(plan->choose_slice(options));
  CONVOY_CHECK(plan->list_steps());
  plan->workspace_bytes_ = aligned(plan->piece_bytes_) + 2 * plan->sum_bytes_;
  plan->detail_ = plan->first_->implementation();
  if (plan->steps_.size() > 1) plan->detail_ += fmt::format(" in {} slices", plan->steps_.size());
  return plan;
}

Result<void> OnednnPlan::run_summed(const Step& step, const std::array<char*, 3>& slots, char* workspace) const {
  char* sum = workspace + aligned(piece_bytes_);
  char* part = sum + sum_bytes_;
  CONVOY_CHECK(step.piece->run(slots[0], slots[1], step.first_part ? sum : part, workspace));
  const Dtype sum_dtype = geometry_.dtype == Dtype::i8 ? Dtype::i32 : Dtype::f32;
  if (!step.first_part) add_array(sum_dtype, step.piece->output_elements(), part, sum, piece_options_.threads);
  if (!step.last_part) return {};
  convert_block(step.piece->output_sizes(), {sum, sum_dtype, step.piece->output_strides()},
                {slots[2], geometry_.output_dtype, output_strides(geometry_)}, piece_options_.threads);
  return {};
}

Result<void> OnednnPlan::run(const Tensors& tensors, void* workspace) const {
  char* base = static_cast<char*>(workspace);
  for (const Step& step : steps_) {
    char* x = static_cast<char*>(tensors.x) + step.x_offset;
    char* w = static_cast<char*>(tensors.w) + step.w_offset;
    char* y = static_cast<char*>(tensors.y) + step.y_offset;
    std::array<char*, 3> slots{x, w, y};
    if (geometry_.direction == Direction::backward_data) slots = {w, y, x};
    if (geometry_.direction == Direction::backward_weights) slots = {x, y, w};
    if (sum_bytes_ == 0) {
      CONVOY_CHECK(step.piece->run(slots[0], slots[1], slots[2], base));
    } else {
      CONVOY_CHECK(run_summed(step, slots, base));
    }
  }
  if (tensors.bias != nullptr) add_bias(problem_, tensors, piece_options_.threads);
  return {};
}

class OnednnSolver final : public Solver {
 public:
  std::string_view id() const override { return "onednn"; }
  Tier tier(const Device& device) const override {
    return device.info().kind == DeviceKind::cpu ? Tier::vendor : Tier::cpu;
  }

  std::string library() const override {
    const dnnl_version_t* version = dnnl_version();
    return fmt::format("onednn {}.{}.{}", version->major, version->minor, version->patch);
  }

  Fit fits(const Problem& problem, const Device&) const override {
    if (problem.dtype == Dtype::f64) return Fit::no("oneDNN has no double precision");
    if (problem.empty()) return Fit::no("the batch is empty: nothing to compute, or only zeros");
    if (problem.out_override) {
      const Spatial out = problem.out();
      for (std::size_t i = 0; i < static_cast<std::size_t>(problem.rank); ++i) {
        const std::int64_t reach = problem.dilation[i] * (problem.filter[i] - 1) + 1;
        if ((out[i] - 1) * problem.stride[i] + reach < problem.in[i] + problem.pad[i] &&
            (problem.in[i] + 2 * problem.pad[i] - reach) / problem.stride[i] + 1 != out[i]) {
          return Fit::no("oneDNN cannot express this output padding");
        }
      }
    }
    return Fit::yes();
  }

  std::vector<std::string> choices(const Problem& problem, const Device&, const PlanOptions& options) const override {
    std::vector<std::string> list{""};
    const Geometry geometry = geometry_of(problem);
    if (largest_tensor(geometry) > k_piece_elements) return list;
    const auto families = OnednnPiece::families(geometry, problem.rank, options.threads);
    for (std::size_t i = 1; i < families.size(); ++i) {
      if (contains(options.allowed, families[i])) list.emplace_back(to_string(families[i]));
    }
    return list;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!device.host_accessible()) return plan_on_host(*this, problem, device, options);
    return OnednnPlan::create(problem, options);
  }
};

}  // namespace

const Solver& onednn_solver() {
  static const OnednnSolver solver;
  return solver;
}

}  // namespace convoy
