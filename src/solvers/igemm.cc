// Implicit GEMM on GPUs: all directions, strides, dilations and groups, f32, f16 and bf16. igemm_shape.cl explains the method,
// igemm_choice.h what can be chosen, igemm_recipe.h what a choice becomes. Here: when it applies, compiling, launching.
#include <algorithm>
#include <utility>

#include "solvers/geometry.h"
#include "solvers/gpu_kernel.h"
#include "solvers/igemm_recipe.h"
#include "solvers/solver.h"

#include <fmt/format.h>

namespace convoy {
namespace {

std::vector<ProgramSource> programs_of(const IgemmRecipe& recipe) {
  std::vector<ProgramSource> programs{recipe.main};
  if (recipe.pack) programs.push_back(*recipe.pack);
  if (recipe.reduce) programs.push_back(*recipe.reduce);
  return programs;
}

// A recipe and its compiled kernels: up to three launches.
class Kernels {
 public:
  static Result<Kernels> load(Device& device, IgemmRecipe recipe) {
    Kernels k;
    CONVOY_TRY(k.main_,
               load_kernel(device, recipe.main,
                           recipe.direction == Direction::backward_weights ? "igemm_weights" : "igemm_gather"));
    if (recipe.pack) {
      CONVOY_TRY(k.pack_, load_kernel(device, *recipe.pack, "igemm_pack"));
    }
    if (recipe.reduce) {
      CONVOY_TRY(k.reduce_, load_kernel(device, *recipe.reduce, "igemm_reduce"));
    }
    k.recipe_ = std::move(recipe);
    return k;
  }

  const IgemmRecipe& recipe() const { return recipe_; }

  Result<void> run(const Tensors& tensors, void* workspace) const {
    const IgemmShape& shape = recipe_.shape;
    const bool weights = recipe_.direction == Direction::backward_weights;
    const bool backward = recipe_.direction == Direction::backward_data;
    void* output = weights ? tensors.w : backward ? tensors.x : tensors.y;
    if (recipe_.pack) {
      KernelArguments pack;
      pack.buffer(tensors.w).buffer(workspace).value(shape);
      CONVOY_CHECK(pack_->launch(recipe_.pack_size, pack, tensors.stream));
    }
    KernelArguments main;
    if (weights) {
      main.buffer(tensors.x).buffer(tensors.y).buffer(output);
    } else {
      main.buffer(backward ? tensors.y : tensors.x).buffer(recipe_.pack ? workspace : tensors.w);
      main.buffer(tensors.bias).buffer(output);
    }
    main.buffer(workspace).value(shape);
    CONVOY_CHECK(main_->launch(recipe_.main_size, main, tensors.stream));
    if (!recipe_.reduce) return {};
    KernelArguments reduce;
    reduce.buffer(workspace).buffer(weights ? nullptr : tensors.bias).buffer(output);
    reduce.value(shape.partials_at).value(shape.target_size).value(recipe_.channel_stride);
    reduce.value(shape.groups * shape.channels).value(shape.splits);
    return reduce_->launch(recipe_.reduce_size, reduce, tensors.stream);
  }

 private:
  IgemmRecipe recipe_;
  GpuKernel main_, pack_, reduce_;
};

class IgemmPlan final : public Plan {
 public:
  IgemmPlan(Kernels kernels, std::optional<Kernels> unaligned, bool addresses)
      : kernels_(std::move(kernels)), unaligned_(std::move(unaligned)), addresses_(addresses) {
    const IgemmRecipe& recipe = kernels_.recipe();
    workspace_ = std::max(recipe.workspace, unaligned_ ? unaligned_->recipe().workspace : 0);
    detail_ = to_string(recipe.choice);
  }

  std::int64_t workspace_bytes() const override { return workspace_; }
  Algorithm algorithm() const override { return Algorithm::implicit_gemm; }
  std::string_view detail() const override { return detail_; }

  Result<void> run(const Tensors& tensors, void* workspace) const override {
    if (kernels_.recipe().main_size.groups[0] == 0) return {};  // no images
    // Handles of OpenCL are no addresses; its memory objects are aligned.
    const auto off = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 != 0; };
    if (unaligned_ && addresses_ && (off(tensors.x) || off(tensors.w) || off(tensors.y)))
      return unaligned_->run(tensors, workspace);
    return kernels_.run(tensors, workspace);
  }

 private:
  Kernels kernels_;
  std::optional<Kernels> unaligned_;
  bool addresses_;
  std::int64_t workspace_ = 0;
  std::string detail_;
};

class Igemm final : public Solver {
 public:
  std::string_view id() const override { return "igemm"; }
  Tier tier(const Device&) const override { return Tier::own; }
  std::string library() const override { return "convoy"; }

  Fit fits(const Problem& problem, const Device& device) const override {
    if (device.info().kind == DeviceKind::cpu) return Fit::elsewhere();
    if (problem.dtype != Dtype::f32 && problem.dtype != Dtype::f16 && problem.dtype != Dtype::bf16)
      return Fit::no("computes f32, f16 and bf16 only");
    if (device.info().max_threads < 256) return Fit::no("the device has groups of fewer than 256 threads");
    if (problem.depthwise()) return Fit::no("depthwise convolutions have one channel in a group: no matrix product");
    if (!fits_igemm_shape(geometry_of(problem))) return Fit::no("some size is beyond 2^28");
    if (problem.groups > 65535) return Fit::no("more than 65535 groups");
    const Geometry g = geometry_of(problem);
    if (problem.direction == Direction::backward_data && g.stride[0] * g.stride[1] * g.stride[2] > 65535)
      return Fit::no("strides whose product is above 65535");
    if (problem.direction == Direction::backward_weights && !problem.packed(TensorRole::w))
      return Fit::no("writes the gradient of packed filters only");
    return Fit::yes();
  }

  std::vector<std::string> choices(const Problem& problem, const Device& device,
                                   const PlanOptions& options) const override {
    std::vector<std::string> list{""};
    for (const IgemmChoice& choice : usable_igemm_choices(problem, device.info(), options.workspace_limit))
      list.push_back(to_string(choice));
    return list;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!contains(options.allowed, Algorithm::implicit_gemm))
      return fail(ErrorCode::unsupported, "igemm: the caller's options exclude implicit GEMM");
    const Geometry geometry = geometry_of(problem);
    IgemmChoice choice = default_igemm_choice(geometry, device.info());
    if (!options.params.empty()) {
      const auto parsed = parse_igemm_choice(options.params, geometry, device.info());
      if (!parsed) return fail(ErrorCode::unsupported, fmt::format("igemm: no such choice: '{}'", options.params));
      choice = *parsed;
    }
    CONVOY_TRY(IgemmRecipe recipe, igemm_recipe(problem, device.info(), choice, options.workspace_limit));
    std::vector<ProgramSource> programs = programs_of(recipe);
    std::optional<IgemmRecipe> generic;
    const bool addresses = device.info().kind != DeviceKind::opencl;
    if (recipe.vectors && addresses) {
      CONVOY_TRY(generic, igemm_recipe(problem, device.info(), default_igemm_choice(geometry, device.info()),
                                       options.workspace_limit));
      std::ranges::move(programs_of(*generic), std::back_inserter(programs));
    }
    CONVOY_CHECK(prepare_programs(device, programs, options));

    CONVOY_TRY(Kernels kernels, Kernels::load(device, std::move(recipe)));
    std::optional<Kernels> unaligned;
    if (generic) {
      CONVOY_TRY(unaligned, Kernels::load(device, std::move(*generic)));
    }
    return std::make_unique<IgemmPlan>(std::move(kernels), std::move(unaligned), addresses);
  }
};

}  // namespace

const Solver& igemm_solver() {
  static const Igemm solver;
  return solver;
}

}  // namespace convoy
