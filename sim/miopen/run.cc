// See run.h.
#include "sim/miopen/run.h"

#include <algorithm>

namespace convoy::miopen {
namespace {

void set_numbers(ConvolutionArguments& arguments, Numbers numbers) {
  arguments.scale = numbers == Numbers::right || numbers == Numbers::some_nan ? 1.0f : 1.01f;
  arguments.offset = 0;
  if (numbers == Numbers::wrong) arguments.offset = 0.25f;
  if (numbers == Numbers::garbage) arguments.offset = 7777;
  arguments.nan_every = numbers == Numbers::some_nan ? 97 : 0;
}

ConvolutionArguments arguments_of(const Problem& problem) {
  ConvolutionArguments arguments{};
  FiveDimensions x(*problem.x), w(*problem.w), y(*problem.y);
  std::copy(x.strides.begin(), x.strides.end(), arguments.x_strides);
  std::copy(w.strides.begin(), w.strides.end(), arguments.w_strides);
  std::copy(y.strides.begin(), y.strides.end(), arguments.y_strides);
  std::copy(x.sizes.begin() + 2, x.sizes.end(), arguments.x);
  std::copy(w.sizes.begin() + 2, w.sizes.end(), arguments.w);
  std::copy(y.sizes.begin() + 2, y.sizes.end(), arguments.y);
  const ConvolutionTag& convolution = *problem.convolution;
  std::size_t missing = k_spatial - convolution.rank();
  std::fill_n(arguments.stride, missing, 1);
  std::fill_n(arguments.dilation, missing, 1);
  std::copy(convolution.pads.begin(), convolution.pads.end(), arguments.pad + missing);
  std::copy(convolution.strides.begin(), convolution.strides.end(), arguments.stride + missing);
  std::copy(convolution.dilations.begin(), convolution.dilations.end(), arguments.dilation + missing);
  arguments.batch = x.sizes[0];
  arguments.groups = convolution.groups;
  arguments.channels_per_group = w.sizes[1];
  arguments.filters_per_group = w.sizes[0] / convolution.groups;
  arguments.total = static_cast<unsigned>(problem.result().elements());
  return arguments;
}

}  // namespace

std::string kernel_name(const char* kind, DataType type) {
  switch (type) {
    case k_float: return std::string(kind) + "_f32";
    case k_half: return std::string(kind) + "_f16";
    case k_bfloat16: return std::string(kind) + "_bf16";
    default: return {};
  }
}

Status run(HandleTag& handle, const Problem& problem, const Buffers& buffers, Numbers numbers) {
  ConvolutionArguments arguments = arguments_of(problem);
  set_numbers(arguments, numbers);
  const void *x = buffers.x, *w = buffers.w, *y = buffers.y;
  auto launch = [&](const char* kind, const void* a, const void* b, const void* result) {
    void* parameters[] = {&a, &b, &result, &arguments};
    return handle.launch(kernel_name(kind, problem.x->type), arguments.total, parameters);
  };
  switch (problem.direction) {
    case Direction::forward: return launch("forward", x, w, y);
    case Direction::backward_data: return launch("backward_data", y, w, x);
    case Direction::backward_weights: break;
  }
  return launch("backward_weights", y, x, w);
}

}  // namespace convoy::miopen
