// Implementation of host_tensors.h.
#include "solvers/host_tensors.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "solvers/element.h"
#include "solvers/geometry.h"
#include "solvers/numbers.h"
#include "solvers/reference_point.h"

namespace convoy {
namespace {

class StagedPlan final : public Plan {
 public:
  StagedPlan(const Problem& problem, Device& device, std::unique_ptr<Device> host, std::unique_ptr<Plan> inner)
      : problem_(problem),
        device_(device),
        host_(std::move(host)),
        inner_(std::move(inner)),
        detail_(std::string(inner_->detail()) + " on the host") {}

  std::int64_t workspace_bytes() const override { return 0; }
  Algorithm algorithm() const override { return inner_->algorithm(); }
  std::string_view detail() const override { return detail_; }

  Result<void> run(const Tensors& tensors, void*) const override {
    if (device_.is_capturing(tensors.stream))
      return fail(ErrorCode::unsupported, "computes on the host: cannot be recorded in a graph");
    CONVOY_TRY(const HostTensors staged,
               HostTensors::download(problem_, device_, tensors, HostTensors::Output::gaps_only));
    CONVOY_TRY(const DeviceBuffer workspace, host_->allocate(inner_->workspace_bytes()));
    CONVOY_CHECK(inner_->run(staged.tensors(), workspace.data()));
    return staged.upload_output(problem_, device_, tensors);
  }

 private:
  const Problem problem_;
  Device& device_;
  const std::unique_ptr<Device> host_;
  const std::unique_ptr<Plan> inner_;
  const std::string detail_;
};

std::int64_t output_channels(const Problem& problem) {
  return problem.output_role() == TensorRole::x ? problem.c : problem.k;
}

void*& tensor(Tensors& tensors, TensorRole role) {
  return role == TensorRole::x ? tensors.x : role == TensorRole::w ? tensors.w : tensors.y;
}

}  // namespace

Result<HostTensors> HostTensors::download(const Problem& problem, Device& device, const Tensors& tensors,
                                          Output output) {
  HostTensors staged;
  staged.tensors_ = tensors;
  if (device.host_accessible()) return staged;
  staged.host_ = make_cpu_device();
  const auto copy = [&](const void* from, std::int64_t bytes, bool content) -> Result<void*> {
    CONVOY_TRY(DeviceBuffer buffer, staged.host_->allocate(bytes));
    if (content && bytes > 0) CONVOY_CHECK(device.download(buffer.data(), from, bytes, tensors.stream));
    staged.buffers_.push_back(std::move(buffer));
    return staged.buffers_.back().data();
  };
  Tensors from = tensors;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    const bool overwritten =
        role == problem.output_role() && output == Output::gaps_only && problem.span(role) == problem.elements(role);
    CONVOY_TRY(tensor(staged.tensors_, role), copy(tensor(from, role), problem.bytes(role), !overwritten));
  }
  if (tensors.bias != nullptr) {
    CONVOY_TRY(staged.tensors_.bias, copy(tensors.bias, bias_bytes(problem), true));
  }
  staged.tensors_.stream = nullptr;
  return staged;
}

Result<void> HostTensors::upload_output(const Problem& problem, Device& device, const Tensors& tensors) const {
  if (!host_) return {};
  return device.upload(output_of(problem, tensors), output_of(problem, tensors_), problem.bytes(problem.output_role()),
                       tensors.stream);
}

Result<std::unique_ptr<Plan>> plan_on_host(const Solver& solver, const Problem& problem, Device& device,
                                           const PlanOptions& options) {
  auto host = make_cpu_device();
  PlanOptions host_options = options;
  // The caller's limit is about the device's memory. Here the copies of the tensors come on top of the workspace.
  const std::int64_t tensors =
      problem.bytes(TensorRole::x) + problem.bytes(TensorRole::w) + problem.bytes(TensorRole::y);
  host_options.workspace_limit = std::max<std::int64_t>(1, host->memory_available() / 5 * 4 - tensors);
  CONVOY_TRY(auto inner, solver.plan(problem, *host, host_options));
  return std::make_unique<StagedPlan>(problem, device, std::move(host), std::move(inner));
}

void add_bias(const Problem& problem, const Tensors& tensors, int threads) {
  const Geometry geometry = geometry_of(problem);
  const std::int64_t channels = output_channels(problem);
  const std::int64_t points = problem.output_role() == TensorRole::x ? geometry.in_points() : geometry.out_points();
  void* output = output_of(problem, tensors);
  parallel_for(problem.elements(problem.output_role()), 1 << 14, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t offset = output_offset(geometry, i);
      const double bias = load_element(tensors.bias, geometry.output_dtype, i / points % channels);
      store_element(output, geometry.output_dtype, offset, load_element(output, geometry.output_dtype, offset) + bias);
    }
  });
}

std::int64_t bias_bytes(const Problem& problem) {
  return output_channels(problem) * size_of(problem.dtype_of(problem.output_role()));
}

}  // namespace convoy
