// The vendor's library on AMD GPUs. MIOpen keeps what it has found in its handle, so each device has one handle of ours, and the
// program's own are left alone. A plan lets MIOpen find (which compiles and measures, and fills MIOpen's user databases);
// run() is one call of MIOpen under the handle's lock.
//
// What MIOpen finds slower than our own kernels by design is refused: its naive kernels, which it takes where nothing else
// applies (3-D on RDNA, unusual strides, no workspace).
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "solvers/miopen_handle.h"
#include "solvers/solver.h"

#include <fmt/format.h>

namespace convoy {
namespace {

using miopen::AlgorithmCode;
using miopen::Functions;
using miopen::Status;

constexpr float k_one = 1, k_zero = 0;
// Of the solvers ConvDirectNaiveConvFwd, ...Bwd and ...Wrw.
constexpr std::uint64_t k_first_naive = 85, k_last_naive = 87;
constexpr std::size_t k_most_solutions = 16;

std::optional<Algorithm> algorithm_of(AlgorithmCode code) {
  switch (code) {
    case miopen::k_gemm: return Algorithm::gemm;
    case miopen::k_direct: return Algorithm::direct;
    case miopen::k_fft: return Algorithm::fft;
    case miopen::k_winograd: return Algorithm::winograd;
    case miopen::k_implicit_gemm: return Algorithm::implicit_gemm;
    default: return std::nullopt;
  }
}

class MiopenPlan final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> create(const MiopenLibrary& library, const Problem& problem, Device& device,
                                              const PlanOptions& options);

  std::int64_t workspace_bytes() const override { return workspace_bytes_; }
  Algorithm algorithm() const override { return algorithm_; }
  std::string_view detail() const override { return to_string(algorithm_); }
  Result<void> run(const Tensors& tensors, void* workspace) const override;

 private:
  MiopenPlan(std::shared_ptr<MiopenHandle> handle, const Problem& problem)
      : handle_(std::move(handle)), functions_(handle_->functions()), direction_(problem.direction), of_(functions_) {}

  Result<void> choose(const Problem& problem, Device& device, const PlanOptions& options);
  Result<std::size_t> workspace_asked_for(const PlanOptions& options);
  Status find(miopen::Handle handle, const Tensors& scratch, void* workspace, std::size_t bytes);
  Result<void> take_allowed(const PlanOptions& options);
  bool only_naive(miopen::Handle handle) const;
  Status call(miopen::Handle handle, const Tensors& tensors, void* workspace) const;

  const std::shared_ptr<MiopenHandle> handle_;
  const Functions& functions_;
  const Direction direction_;
  MiopenDescriptors of_;
  std::array<miopen::AlgorithmPerformance, 5> found_{};
  int found_count_ = 0;
  AlgorithmCode code_ = miopen::k_direct;
  Algorithm algorithm_ = Algorithm::direct;
  std::int64_t workspace_bytes_ = 0;
};

constexpr std::array<std::string_view, 3> k_run_names{"miopenConvolutionForward", "miopenConvolutionBackwardData",
                                                      "miopenConvolutionBackwardWeights"};
constexpr std::array<std::string_view, 3> k_find_names{"miopenFindConvolutionForwardAlgorithm",
                                                       "miopenFindConvolutionBackwardDataAlgorithm",
                                                       "miopenFindConvolutionBackwardWeightsAlgorithm"};

Result<std::unique_ptr<Plan>> MiopenPlan::create(const MiopenLibrary& library, const Problem& problem, Device& device,
                                                 const PlanOptions& options) {
  CONVOY_TRY(auto handle, MiopenHandle::of(library.functions, device));
  std::unique_ptr<MiopenPlan> plan(new MiopenPlan(std::move(handle), problem));
  CONVOY_CHECK(plan->of_.create(problem, options.deterministic));
  CONVOY_CHECK(plan->choose(problem, device, options));
  return plan;
}

Result<std::size_t> MiopenPlan::workspace_asked_for(const PlanOptions& options) {
  std::size_t bytes = 0;
  CONVOY_CHECK(handle_->use("asking for the workspace", nullptr, [&](miopen::Handle handle) {
    switch (direction_) {
      case Direction::forward:
        return functions_.miopenConvolutionForwardGetWorkSpaceSize(handle, of_.w, of_.x, of_.convolution, of_.y,
                                                                   &bytes);
      case Direction::backward_data:
        return functions_.miopenConvolutionBackwardDataGetWorkSpaceSize(handle, of_.y, of_.w, of_.convolution, of_.x,
                                                                        &bytes);
      default:
        return functions_.miopenConvolutionBackwardWeightsGetWorkSpaceSize(handle, of_.y, of_.x, of_.convolution, of_.w,
                                                                           &bytes);
    }
  }));
  if (options.workspace_limit > 0) bytes = std::min(bytes, static_cast<std::size_t>(options.workspace_limit));
  return bytes;
}

// Overwrites the output with whatever MIOpen measures.
Status MiopenPlan::find(miopen::Handle handle, const Tensors& t, void* workspace, std::size_t bytes) {
  const int room = static_cast<int>(found_.size());
  switch (direction_) {
    case Direction::forward:
      return functions_.miopenFindConvolutionForwardAlgorithm(handle, of_.x, t.x, of_.w, t.w, of_.convolution, of_.y,
                                                              t.y, room, &found_count_, found_.data(), workspace, bytes,
                                                              false);
    case Direction::backward_data:
      return functions_.miopenFindConvolutionBackwardDataAlgorithm(handle, of_.y, t.y, of_.w, t.w, of_.convolution,
                                                                   of_.x, t.x, room, &found_count_, found_.data(),
                                                                   workspace, bytes, false);
    default:
      return functions_.miopenFindConvolutionBackwardWeightsAlgorithm(handle, of_.y, t.y, of_.x, t.x, of_.convolution,
                                                                      of_.w, t.w, room, &found_count_, found_.data(),
                                                                      workspace, bytes, false);
  }
}

// On tensors of our own: MIOpen's measuring destroys the output, and the caller's may be all there is.
Result<void> MiopenPlan::choose(const Problem& problem, Device& device, const PlanOptions& options) {
  CONVOY_TRY(std::size_t bytes, workspace_asked_for(options));
  CONVOY_TRY(const DeviceBuffer x, device.allocate(problem.bytes(TensorRole::x)));
  CONVOY_TRY(const DeviceBuffer w, device.allocate(problem.bytes(TensorRole::w)));
  CONVOY_TRY(const DeviceBuffer y, device.allocate(problem.bytes(TensorRole::y)));
  auto workspace = device.allocate(static_cast<std::int64_t>(bytes));
  if (!workspace) bytes = 0;  // then with what needs none
  Tensors scratch;
  scratch.x = x.data();
  scratch.w = w.data();
  scratch.y = y.data();
  for (const DeviceBuffer* buffer : {&x, &w, &y})
    CONVOY_CHECK(device.fill(buffer->data(), 0, buffer->bytes(), nullptr));
  bool naive = false;
  CONVOY_CHECK(handle_->use(k_find_names[static_cast<std::size_t>(direction_)], nullptr, [&](miopen::Handle handle) {
    const Status status = find(handle, scratch, workspace ? workspace->data() : nullptr, bytes);
    naive = status == miopen::k_success && found_count_ > 0 && only_naive(handle);
    return status;
  }));
  CONVOY_CHECK(device.synchronize(nullptr));
  if (naive && !options.naive) return fail(ErrorCode::unsupported, "MIOpen has nothing but its naive kernel for this");
  return take_allowed(options);
}

// Immediate mode lists what Find has just recorded, with the solvers' names.
bool MiopenPlan::only_naive(miopen::Handle handle) const {
  for (int i = 0; i < std::min(found_count_, static_cast<int>(found_.size())); ++i) {
    if (found_[static_cast<std::size_t>(i)].algorithm != miopen::k_direct) return false;
  }
  std::array<miopen::ConvolutionSolution, k_most_solutions> solutions{};
  std::size_t count = 0;
  Status status = miopen::k_success;
  switch (direction_) {
    case Direction::forward:
      status = functions_.miopenConvolutionForwardGetSolution(handle, of_.w, of_.x, of_.convolution, of_.y,
                                                              solutions.size(), &count, solutions.data());
      break;
    case Direction::backward_data:
      status = functions_.miopenConvolutionBackwardDataGetSolution(handle, of_.y, of_.w, of_.convolution, of_.x,
                                                                   solutions.size(), &count, solutions.data());
      break;
    case Direction::backward_weights:
      status = functions_.miopenConvolutionBackwardWeightsGetSolution(handle, of_.y, of_.x, of_.convolution, of_.w,
                                                                      solutions.size(), &count, solutions.data());
      break;
  }
  if (status != miopen::k_success || count == 0) return false;
  for (std::size_t i = 0; i < std::min(count, solutions.size()); ++i) {
    const miopen::ConvolutionSolution& one = solutions[i];
    if (one.algorithm == miopen::k_direct && (one.solution_id < k_first_naive || one.solution_id > k_last_naive))
      return false;
  }
  return true;
}

// The fastest of the algorithms that may be used.
Result<void> MiopenPlan::take_allowed(const PlanOptions& options) {
  const miopen::AlgorithmPerformance* best = nullptr;
  for (int i = 0; i < std::min(found_count_, static_cast<int>(found_.size())); ++i) {
    const miopen::AlgorithmPerformance& one = found_[static_cast<std::size_t>(i)];
    const auto algorithm = algorithm_of(one.algorithm);
    if (!algorithm || !contains(options.allowed, *algorithm)) continue;
    if (best == nullptr || one.time < best->time) best = &one;
  }
  if (best == nullptr) return fail(ErrorCode::unsupported, "MIOpen finds none of the algorithms that may be used");
  const std::int64_t bytes = static_cast<std::int64_t>(best->memory);
  if (best->memory > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) ||
      (options.workspace_limit > 0 && bytes > options.workspace_limit)) {
    return fail(ErrorCode::out_of_memory, fmt::format("MIOpen's {} needs {} bytes of workspace",
                                                      to_string(*algorithm_of(best->algorithm)), best->memory));
  }
  code_ = best->algorithm;
  algorithm_ = *algorithm_of(code_);
  workspace_bytes_ = bytes;
  return {};
}

Status MiopenPlan::call(miopen::Handle handle, const Tensors& t, void* workspace) const {
  const auto bytes = static_cast<std::size_t>(workspace_bytes_);
  switch (direction_) {
    case Direction::forward:
      return functions_.miopenConvolutionForward(handle, &k_one, of_.x, t.x, of_.w, t.w, of_.convolution, code_,
                                                 &k_zero, of_.y, t.y, workspace, bytes);
    case Direction::backward_data:
      return functions_.miopenConvolutionBackwardData(handle, &k_one, of_.y, t.y, of_.w, t.w, of_.convolution, code_,
                                                      &k_zero, of_.x, t.x, workspace, bytes);
    default:
      return functions_.miopenConvolutionBackwardWeights(handle, &k_one, of_.y, t.y, of_.x, t.x, of_.convolution, code_,
                                                         &k_zero, of_.w, t.w, workspace, bytes);
  }
}

Result<void> MiopenPlan::run(const Tensors& tensors, void* workspace) const {
  return handle_->use(k_run_names[static_cast<std::size_t>(direction_)], tensors.stream, [&](miopen::Handle handle) {
    const Status status = call(handle, tensors, workspace);
    if (status != miopen::k_success || tensors.bias == nullptr) return status;
    const bool forward = direction_ == Direction::forward;
    const miopen::TensorDescriptor output = forward ? of_.y : of_.x;
    void* data = forward ? tensors.y : tensors.x;
    return functions_.miopenOpTensor(handle, miopen::k_add, &k_one, output, data, &k_one, of_.bias, tensors.bias,
                                     &k_zero, output, data);
  });
}

class MiopenSolver final : public Solver {
 public:
  std::string_view id() const override { return "miopen"; }
  Tier tier(const Device&) const override { return Tier::vendor; }
  std::string library() const override { return "miopen " + miopen_version(); }

  Fit fits(const Problem& problem, const Device& device) const override {
    if (device.info().kind != DeviceKind::hip) return Fit::elsewhere();
    const auto& library = miopen_library(device);
    if (!library) return Fit::no(library.error().message);
    if (problem.dtype != Dtype::f32 && problem.dtype != Dtype::f16 && problem.dtype != Dtype::bf16)
      return Fit::no("MIOpen is used for f32, f16 and bf16");
    if (problem.empty()) return Fit::no("the batch is empty");
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      if (problem.span(role) > std::numeric_limits<int>::max())
        return Fit::no("a tensor reaches beyond 2^31 elements, which MIOpen cannot describe");
    }
    return Fit::yes();
  }

  // MIOpen measures its own.
  std::vector<std::string> choices(const Problem&, const Device&, const PlanOptions&) const override { return {""}; }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!options.params.empty())
      return fail(ErrorCode::unsupported, "miopen has no choice named '" + options.params + "'");
    const auto& library = miopen_library(device);
    if (!library) return tl::unexpected<Error>(library.error());
    return MiopenPlan::create(**library, problem, device, options);
  }
};

}  // namespace

const Solver& miopen_solver() {
  static const MiopenSolver solver;
  return solver;
}

}  // namespace convoy
