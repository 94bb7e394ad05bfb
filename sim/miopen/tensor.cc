// Tensor descriptors.
#include <algorithm>
#include <climits>
#include <cstring>
#include <functional>
#include <numeric>

#include "sim/miopen/descriptors.h"
#include "sim/miopen/library.h"

namespace convoy::miopen {
namespace {

constexpr DataType k_last_type = 9;  // int64, since 3.2

// Null strides: packed, the last dimension innermost.
template <typename Number>
Status set(const Call& call, TensorDescriptor tensor, DataType type, int dimensions, const Number* sizes,
           const Number* strides) {
  if (call.ended) return call.status;
  if (tensor == nullptr || sizes == nullptr) return refuse(k_bad_parm, "a null tensor descriptor or no sizes");
  if (dimensions < 1 || dimensions > k_max_dimensions) return refuse(k_bad_parm, "tensors have 1 to 5 dimensions");
  if (type < 0 || type > k_last_type || bytes_of(type) == 0) return refuse(k_bad_parm, "no such data type");
  TensorTag made{type, {}, {}};
  for (int i = 0; i < dimensions; ++i) {
    auto size = static_cast<std::int64_t>(sizes[i]);
    auto stride = strides == nullptr ? 0 : static_cast<std::int64_t>(strides[i]);
    if (size < 0 || size > INT_MAX || stride < 0)
      return refuse(k_bad_parm, "a size or stride is negative or too large");
    made.sizes.push_back(size);
    made.strides.push_back(stride);
  }
  for (std::int64_t i = dimensions - 1, stride = 1; strides == nullptr && i >= 0; --i) {
    auto axis = static_cast<std::size_t>(i);
    made.strides[axis] = stride;
    stride *= std::max<std::int64_t>(made.sizes[axis], 1);
  }
  *tensor = std::move(made);
  return k_success;
}

void store_as_int(std::int64_t value, int* to) {
  if (to != nullptr) *to = static_cast<int>(value);
}

}  // namespace

std::size_t bytes_of(DataType type) {
  constexpr std::size_t bytes[] = {2, 4, 4, 1, 0, 2, 8, 1, 1, 8};
  return type < 0 || type > k_last_type ? 0 : bytes[type];
}

std::int64_t TensorTag::elements() const {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t TensorTag::extent() const {
  if (elements() == 0) return 0;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < rank(); ++i) last += (sizes[i] - 1) * strides[i];
  return last + 1;
}

// The stride of a size of 1 does not matter.
bool TensorTag::packed() const {
  std::int64_t stride = 1;
  for (std::size_t i = rank(); i-- > 0; stride *= sizes[i]) {
    if (sizes[i] > 1 && strides[i] != stride) return false;
  }
  return true;
}

FiveDimensions::FiveDimensions(const TensorTag& tensor) {
  for (std::size_t i = 0; i < tensor.rank(); ++i) {
    std::size_t axis = i < 2 ? i : i + k_rank - tensor.rank();
    sizes[axis] = static_cast<int>(tensor.sizes[i]);
    strides[axis] = tensor.strides[i];
  }
}

CONVOY_MIOPEN Status miopenCreateTensorDescriptor(TensorDescriptor* tensor) {
  Call call(Function::miopenCreateTensorDescriptor);
  if (call.ended) return call.status;
  if (tensor == nullptr) return refuse(k_bad_parm, "nowhere to put the tensor descriptor");
  *tensor = new TensorTag;
  return k_success;
}

CONVOY_MIOPEN Status miopenDestroyTensorDescriptor(TensorDescriptor tensor) {
  Call call(Function::miopenDestroyTensorDescriptor);
  if (call.ended) return call.status;
  delete tensor;
  return k_success;
}

CONVOY_MIOPEN Status miopenSet4dTensorDescriptor(TensorDescriptor tensor, DataType type, int n, int c, int h, int w) {
  const int sizes[] = {n, c, h, w};
  return set<int>(Call(Function::miopenSet4dTensorDescriptor), tensor, type, 4, sizes, nullptr);
}

CONVOY_MIOPEN Status miopenSetTensorDescriptor(TensorDescriptor tensor, DataType type, int dimensions, const int* sizes,
                                               const int* strides) {
  return set(Call(Function::miopenSetTensorDescriptor), tensor, type, dimensions, sizes, strides);
}

CONVOY_MIOPEN Status miopenSetTensorDescriptorV2(TensorDescriptor tensor, DataType type, int dimensions,
                                                 const std::size_t* sizes, const std::size_t* strides) {
  return set(Call(Function::miopenSetTensorDescriptorV2), tensor, type, dimensions, sizes, strides);
}

CONVOY_MIOPEN Status miopenGet4dTensorDescriptor(TensorDescriptor tensor, DataType* type, int* n, int* c, int* h,
                                                 int* w, int* n_stride, int* c_stride, int* h_stride, int* w_stride) {
  Call call(Function::miopenGet4dTensorDescriptor);
  if (call.ended) return call.status;
  if (tensor == nullptr || tensor->rank() != 4) return refuse(k_bad_parm, "no tensor of 4 dimensions");
  if (type != nullptr) *type = tensor->type;
  int* const sizes[] = {n, c, h, w};
  int* const strides[] = {n_stride, c_stride, h_stride, w_stride};
  for (std::size_t i = 0; i < 4; ++i) {
    store_as_int(tensor->sizes[i], sizes[i]);
    store_as_int(tensor->strides[i], strides[i]);
  }
  return k_success;
}

CONVOY_MIOPEN Status miopenGetTensorDescriptorSize(TensorDescriptor tensor, int* dimensions) {
  Call call(Function::miopenGetTensorDescriptorSize);
  if (call.ended) return call.status;
  if (tensor == nullptr || dimensions == nullptr) return refuse(k_bad_parm, "a null tensor descriptor or result");
  *dimensions = static_cast<int>(tensor->rank());
  return k_success;
}

CONVOY_MIOPEN Status miopenGetTensorDescriptor(TensorDescriptor tensor, DataType* type, int* sizes, int* strides) {
  Call call(Function::miopenGetTensorDescriptor);
  if (call.ended) return call.status;
  if (tensor == nullptr) return refuse(k_bad_parm, "a null tensor descriptor");
  if (type != nullptr) *type = tensor->type;
  for (std::size_t i = 0; i < tensor->rank(); ++i) {
    if (sizes != nullptr) store_as_int(tensor->sizes[i], sizes + i);
    if (strides != nullptr) store_as_int(tensor->strides[i], strides + i);
  }
  return k_success;
}

CONVOY_MIOPEN Status miopenGetTensorNumBytes(TensorDescriptor tensor, std::size_t* bytes) {
  Call call(Function::miopenGetTensorNumBytes);
  if (call.ended) return call.status;
  if (tensor == nullptr || bytes == nullptr) return refuse(k_bad_parm, "a null tensor descriptor or result");
  *bytes = static_cast<std::size_t>(tensor->extent()) * bytes_of(tensor->type);
  return k_success;
}

}  // namespace convoy::miopen
