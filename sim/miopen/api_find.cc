// The names of Find and run, and of the queries of their workspace: each puts its arguments in place; algorithms.cc does the rest.
#include "sim/miopen/algorithms.h"

namespace convoy::miopen {

CONVOY_MIOPEN Status miopenConvolutionForwardGetWorkSpaceSize(Handle handle, TensorDescriptor w_tensor,
                                                              TensorDescriptor x_tensor,
                                                              ConvolutionDescriptor convolution,
                                                              TensorDescriptor y_tensor, std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionForwardGetWorkSpaceSize, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.workspace_size(bytes);
}

CONVOY_MIOPEN Status miopenFindConvolutionForwardAlgorithm(Handle handle, TensorDescriptor x_tensor, const void* x,
                                                           TensorDescriptor w_tensor, const void* w,
                                                           ConvolutionDescriptor convolution, TensorDescriptor y_tensor,
                                                           void* y, int room, int* found,
                                                           AlgorithmPerformance* algorithms, void* workspace,
                                                           std::size_t workspace_bytes, bool /*exhaustive*/) {
  ProblemCall call(Function::miopenFindConvolutionForwardAlgorithm, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.find({x, w, y}, {room, found, algorithms}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionForward(Handle handle, const void* alpha, TensorDescriptor x_tensor,
                                              const void* x, TensorDescriptor w_tensor, const void* w,
                                              ConvolutionDescriptor convolution, AlgorithmCode algorithm,
                                              const void* beta, TensorDescriptor y_tensor, void* y, void* workspace,
                                              std::size_t workspace_bytes) {
  ProblemCall call(Function::miopenConvolutionForward, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.run(algorithm, alpha, beta, {x, w, y}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataGetWorkSpaceSize(Handle handle, TensorDescriptor dy_tensor,
                                                                   TensorDescriptor w_tensor,
                                                                   ConvolutionDescriptor convolution,
                                                                   TensorDescriptor dx_tensor, std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardDataGetWorkSpaceSize, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.workspace_size(bytes);
}

CONVOY_MIOPEN Status miopenFindConvolutionBackwardDataAlgorithm(
    Handle handle, TensorDescriptor dy_tensor, const void* dy, TensorDescriptor w_tensor, const void* w,
    ConvolutionDescriptor convolution, TensorDescriptor dx_tensor, void* dx, int room, int* found,
    AlgorithmPerformance* algorithms, void* workspace, std::size_t workspace_bytes, bool /*exhaustive*/) {
  ProblemCall call(Function::miopenFindConvolutionBackwardDataAlgorithm, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.find({dx, w, dy}, {room, found, algorithms}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardData(Handle handle, const void* alpha, TensorDescriptor dy_tensor,
                                                   const void* dy, TensorDescriptor w_tensor, const void* w,
                                                   ConvolutionDescriptor convolution, AlgorithmCode algorithm,
                                                   const void* beta, TensorDescriptor dx_tensor, void* dx,
                                                   void* workspace, std::size_t workspace_bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardData, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.run(algorithm, alpha, beta, {dx, w, dy}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsGetWorkSpaceSize(Handle handle, TensorDescriptor dy_tensor,
                                                                      TensorDescriptor x_tensor,
                                                                      ConvolutionDescriptor convolution,
                                                                      TensorDescriptor dw_tensor, std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsGetWorkSpaceSize, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.workspace_size(bytes);
}

CONVOY_MIOPEN Status miopenFindConvolutionBackwardWeightsAlgorithm(
    Handle handle, TensorDescriptor dy_tensor, const void* dy, TensorDescriptor x_tensor, const void* x,
    ConvolutionDescriptor convolution, TensorDescriptor dw_tensor, void* dw, int room, int* found,
    AlgorithmPerformance* algorithms, void* workspace, std::size_t workspace_bytes, bool /*exhaustive*/) {
  ProblemCall call(Function::miopenFindConvolutionBackwardWeightsAlgorithm, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.find({x, dw, dy}, {room, found, algorithms}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeights(Handle handle, const void* alpha, TensorDescriptor dy_tensor,
                                                      const void* dy, TensorDescriptor x_tensor, const void* x,
                                                      ConvolutionDescriptor convolution, AlgorithmCode algorithm,
                                                      const void* beta, TensorDescriptor dw_tensor, void* dw,
                                                      void* workspace, std::size_t workspace_bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardWeights, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.run(algorithm, alpha, beta, {x, dw, dy}, {workspace, workspace_bytes});
}

}  // namespace convoy::miopen
