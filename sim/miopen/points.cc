// What is done number by number: filling, scaling, operations of two tensors, biases. All through one kernel but BackwardBias.
#include <algorithm>
#include <cstring>
#include <limits>

#include "sim/amdgpu/number.h"
#include "sim/miopen/run.h"

namespace convoy::miopen {
namespace {

template <typename Number>
Number read(const void* number) {
  Number value;
  std::memcpy(&value, number, sizeof value);
  return value;
}

// SetTensor and ScaleTensor read their factor in the tensor's own type, as the real library; the others read float.
float factor_of(const void* number, DataType type) {
  if (type == k_half) return amdgpu::half_to_float(read<std::uint16_t>(number));
  if (type == k_bfloat16) return amdgpu::bfloat_to_float(read<std::uint16_t>(number));
  return read<float>(number);
}

Status check_tensor(Handle handle, TensorDescriptor tensor, const void* memory) {
  if (handle == nullptr || tensor == nullptr || tensor->rank() == 0) {
    return refuse(k_bad_parm, "a null handle or no tensor");
  }
  if (memory == nullptr && tensor->elements() != 0) return refuse(k_bad_parm, "a null tensor");
  if (kernel_name("", tensor->type).empty()) {
    return refuse(k_not_implemented, "only float, half and bfloat16 are computed");
  }
  if (tensor->elements() > std::numeric_limits<std::uint32_t>::max()) {
    return refuse(k_not_implemented, "a tensor of more than 2^32 - 1 numbers");
  }
  return k_success;
}

struct Operand {
  TensorDescriptor tensor;
  const void* memory;
};

// `c` gives the sizes; a size of 1 of `a` or `b` stretches.
Status launch_points(HandleTag& handle, PointArguments arguments, const Operand& a, const Operand& b,
                     const Operand& c) {
  FiveDimensions ours(*c.tensor);
  std::copy(ours.sizes.begin(), ours.sizes.end(), arguments.sizes);
  auto set_strides = [&](const Operand& operand, long long* strides) {
    FiveDimensions theirs(*operand.tensor);
    for (std::size_t i = 0; i < k_rank; ++i) strides[i] = theirs.sizes[i] == 1 ? 0 : theirs.strides[i];
  };
  set_strides(a, arguments.a_strides);
  set_strides(b, arguments.b_strides);
  set_strides(c, arguments.c_strides);
  arguments.total = static_cast<unsigned>(c.tensor->elements());
  const void *a_memory = a.memory, *b_memory = b.memory, *c_memory = c.memory;
  void* parameters[] = {&a_memory, &b_memory, &c_memory, &arguments};
  return handle.launch(kernel_name("points", c.tensor->type), arguments.total, parameters);
}

Status one_tensor(const Call& call, Handle handle, const Operand& y, const void* alpha, PointOperation operation) {
  if (call.ended) return call.status;
  if (Status status = check_tensor(handle, y.tensor, y.memory); status != k_success) return status;
  if (alpha == nullptr) return refuse(k_bad_parm, "null alpha");
  PointArguments arguments{};
  arguments.operation = operation;
  arguments.alpha1 = factor_of(alpha, y.tensor->type);
  return launch_points(*handle, arguments, y, y, y);
}

bool fits(const TensorTag& small, const TensorTag& large) {
  if (small.rank() != large.rank() || small.type != large.type) return false;
  for (std::size_t i = 0; i < small.rank(); ++i) {
    if (small.sizes[i] != large.sizes[i] && small.sizes[i] != 1) return false;
  }
  return true;
}

Status check_bias(const TensorTag& bias, const TensorTag& tensor, const void* alpha, const void* beta) {
  if (alpha == nullptr || beta == nullptr) return refuse(k_bad_parm, "null alpha or beta");
  if (read<float>(alpha) != 1 || read<float>(beta) != 0) {
    return refuse(k_not_implemented, "only alpha = 1 and beta = 0 are supported");
  }
  if (!fits(bias, tensor) || tensor.rank() < 3 || bias.elements() != tensor.sizes[1] ||
      bias.sizes[1] != tensor.sizes[1]) {
    return refuse(k_bad_parm, "a bias has one number for each channel and as many dimensions as its tensor");
  }
  return k_success;
}

}  // namespace

CONVOY_MIOPEN Status miopenSetTensor(Handle handle, TensorDescriptor tensor, void* y, const void* alpha) {
  return one_tensor(Call(Function::miopenSetTensor), handle, {tensor, y}, alpha, k_point_set);
}

CONVOY_MIOPEN Status miopenScaleTensor(Handle handle, TensorDescriptor tensor, void* y, const void* alpha) {
  return one_tensor(Call(Function::miopenScaleTensor), handle, {tensor, y}, alpha, k_point_scale);
}

CONVOY_MIOPEN Status miopenOpTensor(Handle handle, TensorOperation operation, const void* alpha1,
                                    TensorDescriptor a_tensor, const void* a, const void* alpha2,
                                    TensorDescriptor b_tensor, const void* b, const void* beta,
                                    TensorDescriptor c_tensor, void* c) {
  Call call(Function::miopenOpTensor);
  if (call.ended) return call.status;
  for (const Operand& operand : {Operand{a_tensor, a}, Operand{b_tensor, b}, Operand{c_tensor, c}}) {
    Status status = check_tensor(handle, operand.tensor, operand.memory);
    if (status != k_success) return status;
  }
  if (alpha1 == nullptr || alpha2 == nullptr || beta == nullptr) return refuse(k_bad_parm, "a null factor");
  if (operation < k_add || operation > k_maximum) return refuse(k_bad_parm, "no such operation");
  if (a_tensor->sizes != c_tensor->sizes || a_tensor->type != c_tensor->type || !fits(*b_tensor, *c_tensor)) {
    return refuse(k_bad_parm, "a must have the sizes of c, b those or 1, and all one type");
  }
  PointArguments arguments{};
  arguments.operation = operation;
  arguments.alpha1 = read<float>(alpha1);
  arguments.alpha2 = read<float>(alpha2);
  arguments.beta = read<float>(beta);
  return launch_points(*handle, arguments, {a_tensor, a}, {b_tensor, b}, {c_tensor, c});
}

// Adds to what y holds.
CONVOY_MIOPEN Status miopenConvolutionForwardBias(Handle handle, const void* alpha, TensorDescriptor b_tensor,
                                                  const void* b, const void* beta, TensorDescriptor y_tensor, void* y) {
  Call call(Function::miopenConvolutionForwardBias);
  if (call.ended) return call.status;
  if (Status status = check_tensor(handle, b_tensor, b); status != k_success) return status;
  if (Status status = check_tensor(handle, y_tensor, y); status != k_success) return status;
  if (Status status = check_bias(*b_tensor, *y_tensor, alpha, beta); status != k_success) return status;
  if (y_tensor->type == k_bfloat16) return refuse(k_not_implemented, "ForwardBias has no bfloat16");
  PointArguments arguments{};
  arguments.operation = k_point_add;
  arguments.alpha1 = arguments.alpha2 = 1;
  return launch_points(*handle, arguments, {y_tensor, y}, {b_tensor, b}, {y_tensor, y});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardBias(Handle handle, const void* alpha, TensorDescriptor dy_tensor,
                                                   const void* dy, const void* beta, TensorDescriptor db_tensor,
                                                   void* db) {
  Call call(Function::miopenConvolutionBackwardBias);
  if (call.ended) return call.status;
  if (Status status = check_tensor(handle, dy_tensor, dy); status != k_success) return status;
  if (Status status = check_tensor(handle, db_tensor, db); status != k_success) return status;
  if (Status status = check_bias(*db_tensor, *dy_tensor, alpha, beta); status != k_success) return status;
  BiasArguments arguments{};
  FiveDimensions dimensions(*dy_tensor);
  std::copy(dimensions.sizes.begin(), dimensions.sizes.end(), arguments.sizes);
  std::copy(dimensions.strides.begin(), dimensions.strides.end(), arguments.strides);
  arguments.bias_stride = db_tensor->strides[1];
  void* parameters[] = {&dy, &db, &arguments};
  return handle->launch(kernel_name("backward_bias", dy_tensor->type), static_cast<unsigned>(dimensions.sizes[1]),
                        parameters);
}

}  // namespace convoy::miopen
