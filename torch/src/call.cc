// Implementation of call.h.
#include "call.h"

#include <ATen/ops/_convolution_native.h>
#include <ATen/ops/convolution_backward_native.h>
#include <dlfcn.h>

#include <string>

namespace convoy::pytorch {
namespace {

thread_local int g_depth = 0;

// The interposer in front of MIOpen, where it is loaded, too, would serve what PyTorch asks MIOpen for here.
using PassThrough = void (*)(int);
PassThrough pass_through() {
  static const auto function = reinterpret_cast<PassThrough>(dlsym(RTLD_DEFAULT, "convoy_miopen_pass_through"));
  return function;
}

class Inside {
 public:
  Inside() { count(1); }
  ~Inside() { count(-1); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  static void count(int step) {
    g_depth += step;
    if (pass_through() != nullptr) pass_through()(step);
  }
};

// The precision of f32 got an interface per operation in PyTorch 2.9, first by names, then by enumerations. The older functions
// throw when a program has used both kinds of switches, so the newest that there is is asked.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
bool allows_tf32(const at::Context& context) {
  return context.allowTF32CuDNN(at::Float32Op::CONV);
}

bool is_coarse(const at::Context& context) {
  const auto is_reduced = [&context](at::Float32Backend backend, at::Float32Op operation) {
    const auto precision = context.float32Precision(backend, operation);
    return precision == at::Float32Precision::TF32 || precision == at::Float32Precision::BF16;
  };
  return is_reduced(at::Float32Backend::MKLDNN, at::Float32Op::CONV) ||
         is_reduced(at::Float32Backend::CUDA, at::Float32Op::MATMUL);
}
#else
template <typename Context>
bool allows_tf32(const Context& context) {
  if constexpr (requires { context.allowTF32CuDNN("conv"); })
    return context.allowTF32CuDNN("conv");
  else
    return context.allowTF32CuDNN();
}

template <typename Context>
bool is_coarse(const Context& context) {
  if constexpr (requires { context.float32Precision("mkldnn", "conv") == "bf16"; }) {
    const auto is_reduced = [](const std::string& precision) { return precision == "tf32" || precision == "bf16"; };
    return is_reduced(context.float32Precision("mkldnn", "conv")) ||
           is_reduced(context.float32Precision("cuda", "matmul"));
  } else {
    return context.allowTF32CuBLAS();
  }
}
#endif

}  // namespace

Switches current_switches() {
  const auto& context = at::globalContext();
  return {context.benchmarkCuDNN(), context.deterministicCuDNN() || context.deterministicAlgorithms(),
          context.userEnabledCuDNN(), allows_tf32(context)};
}

QuietSwitches quiet_switches() {
  const auto& context = at::globalContext();
  return {context.userEnabledMkldnn(), is_coarse(context)};
}

bool inside_plain() {
  return g_depth > 0;
}

at::Tensor plain_forward(const Call& call, const OptionalTensor& bias) {
  const Inside inside;
  return at::native::_convolution(call.input, call.weight, bias, call.stride, call.padding, call.dilation,
                                  call.transposed, call.output_padding, call.groups, call.switches.benchmark,
                                  call.switches.deterministic, call.switches.cudnn_enabled, call.switches.allow_tf32);
}

ThreeTensors plain_backward(const Call& call, const Gradients& gradients) {
  const Inside inside;
  return at::native::convolution_backward(gradients.grad_output, call.input, call.weight, gradients.bias_sizes,
                                          call.stride, call.padding, call.dilation, call.transposed,
                                          call.output_padding, call.groups, gradients.mask);
}

}  // namespace convoy::pytorch
