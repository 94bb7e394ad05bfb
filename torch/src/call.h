// One convolution as PyTorch asks for it, and PyTorch's own way to compute it.
#pragma once

#include <array>
#include <tuple>

#include "torch_types.h"

namespace convoy::pytorch {

// The switches of torch.backends.cudnn and torch.use_deterministic_algorithms().
struct Switches {
  bool benchmark = false;
  bool deterministic = false;
  bool cudnn_enabled = true;  // MIOpen on ROCm
  bool allow_tf32 = false;
};
// Switches that no operator names, but that PyTorch's path asks for.
struct QuietSwitches {
  bool mkldnn = true;
  bool coarse = false;  // f32 may be computed with fewer bits elsewhere than in cuDNN: matrix products, oneDNN
};
QuietSwitches quiet_switches();
Switches current_switches();

struct Call {
  const at::Tensor& input;
  const at::Tensor& weight;
  at::IntArrayRef stride;
  at::IntArrayRef padding;
  at::IntArrayRef dilation;
  bool transposed;
  at::IntArrayRef output_padding;
  std::int64_t groups;
  Switches switches;
};

// What else the gradients need.
struct Gradients {
  const at::Tensor& grad_output;
  at::OptionalIntArrayRef bias_sizes;
  std::array<bool, 3> mask;  // of input, weight, bias
};

using OptionalTensor = Optional<at::Tensor>;
using ThreeTensors = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// PyTorch's own kernels, as if Convoy were not there: the functions behind the operators, so that nothing comes back to us.
at::Tensor plain_forward(const Call& call, const OptionalTensor& bias);
ThreeTensors plain_backward(const Call& call, const Gradients& gradients);
// True while this thread is inside one of the two: what they ask for in turn is theirs.
bool inside_plain();

}  // namespace convoy::pytorch
