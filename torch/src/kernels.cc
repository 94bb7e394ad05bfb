// The operators that Convoy stands in front of: below autograd, autocast and every transform, so that whatever PyTorch makes of
// a convolution arrives here as plain tensors. PyTorch's own path goes first, without a detour once it is chosen.
#include <ATen/TracerMode.h>
#include <torch/library.h>

#include "active.h"
#include "devices.h"
#include "weights.h"

namespace convoy::pytorch {
namespace {

// The tensors of one call of the engine, contiguous in the request's layout.
struct Operands {
  at::Tensor x, w, y;
  at::Tensor bias;  // undefined: none
};

at::Tensor allocate(at::IntArrayRef sizes, const at::TensorOptions& options, at::MemoryFormat format) {
  try {
    return at::empty(sizes, options, format);
  } catch (const c10::OutOfMemoryError&) {
  }
  empty_cache(options.device());
  return at::empty(sizes, options, format);
}

// Memory for the plan's workspace from PyTorch's allocator; undefined where it has none, or not so much.
at::Tensor allocate_workspace(convoy_plan plan, const at::Tensor& like) {
  const std::int64_t bytes = engine()->convoy_plan_workspace_bytes(plan);
  if (bytes == 0) return {};
  try {
    return at::empty({bytes}, like.options().dtype(at::kByte).memory_format(c10::nullopt));
  } catch (const c10::OutOfMemoryError&) {
    return {};
  }
}

void give_up(const PlainCall& plain, convoy_status status) {
  // What PyTorch says of its own path, users know how to read.
  if (plain.thrown != nullptr) std::rethrow_exception(plain.thrown);
  TORCH_CHECK_WITH(OutOfMemoryError, status != CONVOY_OUT_OF_MEMORY, "Convoy: ", engine()->convoy_last_error());
}

// False: this call cannot be ours (a graph records what was never run before, or the engine has failed): PyTorch's turn.
bool run_engine(convoy_plan plan, PlainCall& plain, const Operands& operands) {
  const c10::OptionalDeviceGuard guard(plain.call.input.device());
  const at::Tensor workspace = allocate_workspace(plan, plain.call.input);
  convoy_call call{};
  call.x = operands.x.data_ptr();
  call.w = operands.w.data_ptr();
  call.y = operands.y.data_ptr();
  call.bias = operands.bias.defined() ? operands.bias.data_ptr() : nullptr;
  call.workspace = workspace.defined() ? workspace.data_ptr() : nullptr;
  call.workspace_bytes = workspace.defined() ? workspace.numel() : 0;
  call.stream = current_stream(plain.call.input.device());
  call.context = &plain;
  const convoy_status status = engine()->convoy_enqueue(plan, &call);
  if (status == CONVOY_SUCCESS) return true;
  if (status != CONVOY_INVALID_ARGUMENT) give_up(plain, status);
  return false;
}

void note_failure(PlainCall& plain) {
  plain.thrown = std::current_exception();
  plain.failed_already = true;
}

at::Tensor forward(const Call& call, const OptionalTensor& bias) {
  const Scope& scope = current_scope();
  const bool asked_for = scope.depth > 0 || is_served_weight(call.weight);
  Session* const session = inside_plain() ? nullptr : session_for_forward(asked_for);
  if (session == nullptr) return plain_forward(call, bias);
  Served* const served = session->find(call, bias);
  convoy_plan const plan = served == nullptr ? nullptr : served->plan(CONVOY_FORWARD);
  if (plan == nullptr) return plain_forward(call, bias);
  ++session->forward_calls;
  if (asked_for) served->in_scope = true;
  if (scope.layer >= 0) session->count_layer(scope.layer, *served);

  PlainCall plain{call};
  plain.bias = &bias;
  plain.retries = &session->retries;
  if (engine()->convoy_plan_claim(plan) != 0) {
    try {
      return compute_with_retry(plain);
    } catch (...) {
      note_failure(plain);
    }
  }
  const at::MemoryFormat format = memory_format_of(served->request());
  Operands operands{call.input.contiguous(format), call.weight.contiguous(format), {}, {}};
  operands.y = allocate(served->output_sizes(), call.input.options(), format);
  if (bias.has_value() && bias->defined()) operands.bias = bias->contiguous();
  plain.output = operands.y;
  if (!run_engine(plan, plain, operands)) return plain_forward(call, bias);
  return operands.y;
}

// True where the engine can compute a gradient of this size and kind.
bool is_gradient_of(const at::Tensor& grad_output, const Call& call, const Served& served) {
  return grad_output.defined() && grad_output.layout() == at::kStrided && grad_output.has_storage() &&
         !grad_output.is_neg() && grad_output.scalar_type() == call.input.scalar_type() &&
         grad_output.device() == call.input.device() && grad_output.sizes() == served.output_sizes();
}

Served* find_for_gradients(const GradientSession& active, const Call& call, const Gradients& gradients) {
  if (active.session == nullptr || inside_plain()) return nullptr;
  Served* const served = active.only_known ? active.session->find_known(call) : active.session->find(call, {});
  if (served == nullptr || (active.only_known && !served->in_scope)) return nullptr;
  return is_gradient_of(gradients.grad_output, call, *served) ? served : nullptr;
}

at::Tensor gradient_of_bias(const at::Tensor& grad_output) {
  std::vector<std::int64_t> dims{0};
  for (std::int64_t i = 2; i < grad_output.dim(); ++i) dims.push_back(i);
  return grad_output.sum(dims);
}

// One convolution_backward that Convoy serves.
class Backward {
 public:
  Backward(Session& session, Served& served, const Call& call, const Gradients& gradients)
      : session_(session), served_(served), call_(call), gradients_(gradients) {}

  // False: cannot be ours.
  bool run() {
    const std::array<convoy_plan, 2> plans{gradients_.mask[0] ? served_.plan(CONVOY_BACKWARD_DATA) : nullptr,
                                           gradients_.mask[1] ? served_.plan(CONVOY_BACKWARD_WEIGHTS) : nullptr};
    if ((gradients_.mask[0] && plans[0] == nullptr) || (gradients_.mask[1] && plans[1] == nullptr)) return false;
    ++session_.backward_calls;
    run_claimed(plans);
    if (gradients_.mask[0] && !input.defined() && !run_one(plans[0], 0)) return false;
    if (gradients_.mask[1] && !weight.defined() && !run_one(plans[1], 1)) return false;
    if (gradients_.mask[2] && !bias.defined()) bias = gradient_of_bias(gradients_.grad_output);
    return true;
  }

  at::Tensor input, weight, bias;

 private:
  // What PyTorch's path serves, in one call of it. Where that fails, who is to blame shows when each gradient is computed alone.
  void run_claimed(const std::array<convoy_plan, 2>& plans) {
    std::array<bool, 3> mask{};
    for (std::size_t i = 0; i < plans.size(); ++i)
      mask[i] = plans[i] != nullptr && engine()->convoy_plan_claim(plans[i]) != 0;
    if (!mask[0] && !mask[1]) return;
    mask[2] = gradients_.mask[2];
    try {
      std::tie(input, weight, bias) = plain_backward(call_, {gradients_.grad_output, gradients_.bias_sizes, mask});
    } catch (const std::exception&) {
      input = weight = bias = at::Tensor();
    }
  }

  bool run_one(convoy_plan plan, std::size_t which) {
    const at::MemoryFormat format = memory_format_of(served_.request());
    const at::Tensor& like = which == 0 ? call_.input : call_.weight;
    at::Tensor output = allocate(like.sizes(), like.options(), format);
    std::array<bool, 3> mask{};
    mask[which] = true;
    const Gradients one{gradients_.grad_output, gradients_.bias_sizes, mask};
    PlainCall plain{call_};
    plain.gradients = &one;
    plain.output = output;
    plain.retries = &session_.retries;
    Operands operands;
    operands.x = which == 0 ? output : call_.input.contiguous(format);
    operands.w = which == 1 ? output : call_.weight.contiguous(format);
    operands.y = gradients_.grad_output.contiguous(format);
    if (!run_engine(plan, plain, operands)) return false;
    (which == 0 ? input : weight) = std::move(output);
    return true;
  }

  Session& session_;
  Served& served_;
  const Call& call_;
  const Gradients& gradients_;
};

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, std::int64_t groups) {
  const Switches switches = current_switches();
  // A tracer records the other operator, and would record what is behind it if that were passed over.
  if (at::tracer::impl::is_dispatch_enabled()) {
    return at::_convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups,
                            switches.benchmark, switches.deterministic, switches.cudnn_enabled, switches.allow_tf32);
  }
  return forward({input, weight, stride, padding, dilation, transposed, output_padding, groups, switches}, bias);
}

// What TorchScript's traces call, with the switches of the day they were made.
at::Tensor convolution_with_switches(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                                     at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                                     bool transposed, at::IntArrayRef output_padding, std::int64_t groups,
                                     bool benchmark, bool deterministic, bool cudnn_enabled, bool allow_tf32) {
  const Switches switches{benchmark, deterministic, cudnn_enabled, allow_tf32};
  return forward({input, weight, stride, padding, dilation, transposed, output_padding, groups, switches}, bias);
}

ThreeTensors convolution_backward(const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight,
                                  at::OptionalIntArrayRef bias_sizes, at::IntArrayRef stride, at::IntArrayRef padding,
                                  at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
                                  std::int64_t groups, std::array<bool, 3> output_mask) {
  const Call call{input, weight, stride, padding, dilation, transposed, output_padding, groups, current_switches()};
  const Gradients gradients{grad_output, bias_sizes, output_mask};
  const GradientSession active = session_for_gradients();
  if (Served* const served = find_for_gradients(active, call, gradients)) {
    Backward backward(*active.session, *served, call, gradients);
    if (backward.run()) return {backward.input, backward.weight, backward.bias};
  }
  return plain_backward(call, gradients);
}

// PyTorch 2 has a kernel of its own for the gradients on CUDA, and warns when it is covered.
#if TORCH_VERSION_MAJOR >= 2
class Quiet final : public c10::WarningHandler {
 public:
  Quiet() : guard_(this) {}
  void process(const c10::Warning&) override {}

 private:
  c10::WarningUtils::WarningHandlerGuard guard_;
};
#else
struct Quiet {};
#endif

}  // namespace

void register_kernels() {
  static const bool once = [] {
    [[maybe_unused]] const Quiet quiet;
    for (const c10::DispatchKey key : {c10::DispatchKey::CPU, c10::DispatchKey::CUDA}) {
      // Stays for ever: switched off, the kernels hand everything through.
      auto* library = new torch::Library(torch::Library::IMPL, "aten", key, __FILE__, __LINE__);
      library->impl("convolution", TORCH_FN(convolution));
      library->impl("_convolution", TORCH_FN(convolution_with_switches));
      library->impl("convolution_backward", TORCH_FN(convolution_backward));
    }
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace convoy::pytorch
