// A libMIOpen.so.1 that computes nothing: what a call costs through it is what surrounds the call. Descriptors and handles are as real
// as they must be to be read back.
#include <algorithm>
#include <cstring>

#include "abi/miopen.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace convoy::miopen {

struct HandleTag {
  Queue stream = nullptr;
};
struct TensorTag {
  DataType type = k_float;
  int dimensions = 0;
  int sizes[k_max_dimensions]{}, strides[k_max_dimensions]{};
};
struct ConvolutionTag {
  int rank = 2;
  int pads[3]{}, strides[3]{}, dilations[3]{};
  Mode mode = k_convolution;
};

EXPORTED Status miopenGetVersion(std::size_t* major, std::size_t* minor, std::size_t* patch) {
  *major = 3;
  *minor = *patch = 0;
  return k_success;
}
EXPORTED Status miopenCreate(Handle* handle) {
  *handle = new HandleTag;
  return k_success;
}
EXPORTED Status miopenCreateWithStream(Handle* handle, Queue stream) {
  *handle = new HandleTag{stream};
  return k_success;
}
EXPORTED Status miopenSetStream(Handle handle, Queue stream) {
  handle->stream = stream;
  return k_success;
}
EXPORTED Status miopenGetStream(Handle handle, Queue* stream) {
  *stream = handle->stream;
  return k_success;
}
EXPORTED Status miopenCreateTensorDescriptor(TensorDescriptor* tensor) {
  *tensor = new TensorTag;
  return k_success;
}
EXPORTED Status miopenSetTensorDescriptor(TensorDescriptor tensor, DataType type, int dimensions, const int* sizes,
                                          const int* strides) {
  tensor->type = type;
  tensor->dimensions = dimensions;
  std::copy_n(sizes, dimensions, tensor->sizes);
  std::copy_n(strides, dimensions, tensor->strides);
  return k_success;
}
EXPORTED Status miopenGetTensorDescriptorSize(TensorDescriptor tensor, int* dimensions) {
  *dimensions = tensor->dimensions;
  return k_success;
}
EXPORTED Status miopenGetTensorDescriptor(TensorDescriptor tensor, DataType* type, int* sizes, int* strides) {
  *type = tensor->type;
  std::copy_n(tensor->sizes, tensor->dimensions, sizes);
  std::copy_n(tensor->strides, tensor->dimensions, strides);
  return k_success;
}
EXPORTED Status miopenGetTensorNumBytes(TensorDescriptor tensor, std::size_t* bytes) {
  std::size_t last = 0;
  for (int i = 0; i < tensor->dimensions; ++i)
    last += static_cast<std::size_t>((tensor->sizes[i] - 1) * tensor->strides[i]);
  *bytes = (last + 1) * sizeof(float);
  return k_success;
}
EXPORTED Status miopenGetConvolutionGroupCount(ConvolutionDescriptor, int* groups) {
  *groups = 1;
  return k_success;
}
EXPORTED Status miopenCreateConvolutionDescriptor(ConvolutionDescriptor* convolution) {
  *convolution = new ConvolutionTag;
  return k_success;
}
EXPORTED Status miopenInitConvolutionNdDescriptor(ConvolutionDescriptor convolution, int rank, const int* pads,
                                                  const int* strides, const int* dilations, Mode mode) {
  convolution->rank = rank;
  std::copy_n(pads, rank, convolution->pads);
  std::copy_n(strides, rank, convolution->strides);
  std::copy_n(dilations, rank, convolution->dilations);
  convolution->mode = mode;
  return k_success;
}
EXPORTED Status miopenGetConvolutionNdDescriptor(ConvolutionDescriptor convolution, int room, int* rank, int* pads,
                                                 int* strides, int* dilations, Mode* mode) {
  *rank = convolution->rank;
  std::copy_n(convolution->pads, room, pads);
  std::copy_n(convolution->strides, room, strides);
  std::copy_n(convolution->dilations, room, dilations);
  *mode = convolution->mode;
  return k_success;
}
EXPORTED Status miopenFindConvolutionForwardAlgorithm(Handle, TensorDescriptor, const void*, TensorDescriptor,
                                                      const void*, ConvolutionDescriptor, TensorDescriptor, void*, int,
                                                      int* found, AlgorithmPerformance* algorithms, void*, std::size_t,
                                                      bool) {
  *found = 1;
  algorithms[0] = {k_gemm, 1, 0};
  return k_success;
}

}  // namespace convoy::miopen
