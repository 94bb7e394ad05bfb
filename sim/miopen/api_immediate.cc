// The names of immediate mode: each puts its arguments in place; algorithms.cc does the rest.
#include "sim/miopen/algorithms.h"

namespace convoy::miopen {

CONVOY_MIOPEN Status miopenConvolutionForwardGetSolutionCount(Handle handle, TensorDescriptor w_tensor,
                                                              TensorDescriptor x_tensor,
                                                              ConvolutionDescriptor convolution,
                                                              TensorDescriptor y_tensor, std::size_t* count) {
  ProblemCall call(Function::miopenConvolutionForwardGetSolutionCount, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.solution_count(count);
}

CONVOY_MIOPEN Status miopenConvolutionForwardGetSolution(Handle handle, TensorDescriptor w_tensor,
                                                         TensorDescriptor x_tensor, ConvolutionDescriptor convolution,
                                                         TensorDescriptor y_tensor, std::size_t room,
                                                         std::size_t* count, ConvolutionSolution* solutions) {
  ProblemCall call(Function::miopenConvolutionForwardGetSolution, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.solutions({room, count, solutions});
}

CONVOY_MIOPEN Status miopenConvolutionForwardGetSolutionWorkspaceSize(Handle handle, TensorDescriptor w_tensor,
                                                                      TensorDescriptor x_tensor,
                                                                      ConvolutionDescriptor convolution,
                                                                      TensorDescriptor y_tensor, std::uint64_t solution,
                                                                      std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionForwardGetSolutionWorkspaceSize, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.solution_workspace_size(solution, bytes);
}

CONVOY_MIOPEN Status miopenConvolutionForwardCompileSolution(Handle handle, TensorDescriptor w_tensor,
                                                             TensorDescriptor x_tensor,
                                                             ConvolutionDescriptor convolution,
                                                             TensorDescriptor y_tensor, std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionForwardCompileSolution, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.compile_solution(solution);
}

CONVOY_MIOPEN Status miopenConvolutionForwardImmediate(Handle handle, TensorDescriptor w_tensor, const void* w,
                                                       TensorDescriptor x_tensor, const void* x,
                                                       ConvolutionDescriptor convolution, TensorDescriptor y_tensor,
                                                       void* y, void* workspace, std::size_t workspace_bytes,
                                                       std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionForwardImmediate, handle,
                   {Direction::forward, x_tensor, w_tensor, y_tensor, convolution});
  return call.run_solution(solution, {x, w, y}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataGetSolutionCount(Handle handle, TensorDescriptor dy_tensor,
                                                                   TensorDescriptor w_tensor,
                                                                   ConvolutionDescriptor convolution,
                                                                   TensorDescriptor dx_tensor, std::size_t* count) {
  ProblemCall call(Function::miopenConvolutionBackwardDataGetSolutionCount, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.solution_count(count);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataGetSolution(Handle handle, TensorDescriptor dy_tensor,
                                                              TensorDescriptor w_tensor,
                                                              ConvolutionDescriptor convolution,
                                                              TensorDescriptor dx_tensor, std::size_t room,
                                                              std::size_t* count, ConvolutionSolution* solutions) {
  ProblemCall call(Function::miopenConvolutionBackwardDataGetSolution, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.solutions({room, count, solutions});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataGetSolutionWorkspaceSize(Handle handle, TensorDescriptor dy_tensor,
                                                                           TensorDescriptor w_tensor,
                                                                           ConvolutionDescriptor convolution,
                                                                           TensorDescriptor dx_tensor,
                                                                           std::uint64_t solution, std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardDataGetSolutionWorkspaceSize, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.solution_workspace_size(solution, bytes);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataCompileSolution(Handle handle, TensorDescriptor dy_tensor,
                                                                  TensorDescriptor w_tensor,
                                                                  ConvolutionDescriptor convolution,
                                                                  TensorDescriptor dx_tensor, std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionBackwardDataCompileSolution, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.compile_solution(solution);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardDataImmediate(Handle handle, TensorDescriptor dy_tensor, const void* dy,
                                                            TensorDescriptor w_tensor, const void* w,
                                                            ConvolutionDescriptor convolution,
                                                            TensorDescriptor dx_tensor, void* dx, void* workspace,
                                                            std::size_t workspace_bytes, std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionBackwardDataImmediate, handle,
                   {Direction::backward_data, dx_tensor, w_tensor, dy_tensor, convolution});
  return call.run_solution(solution, {dx, w, dy}, {workspace, workspace_bytes});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsGetSolutionCount(Handle handle, TensorDescriptor dy_tensor,
                                                                      TensorDescriptor x_tensor,
                                                                      ConvolutionDescriptor convolution,
                                                                      TensorDescriptor dw_tensor, std::size_t* count) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsGetSolutionCount, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.solution_count(count);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsGetSolution(Handle handle, TensorDescriptor dy_tensor,
                                                                 TensorDescriptor x_tensor,
                                                                 ConvolutionDescriptor convolution,
                                                                 TensorDescriptor dw_tensor, std::size_t room,
                                                                 std::size_t* count, ConvolutionSolution* solutions) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsGetSolution, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.solutions({room, count, solutions});
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsGetSolutionWorkspaceSize(
    Handle handle, TensorDescriptor dy_tensor, TensorDescriptor x_tensor, ConvolutionDescriptor convolution,
    TensorDescriptor dw_tensor, std::uint64_t solution, std::size_t* bytes) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsGetSolutionWorkspaceSize, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.solution_workspace_size(solution, bytes);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsCompileSolution(Handle handle, TensorDescriptor dy_tensor,
                                                                     TensorDescriptor x_tensor,
                                                                     ConvolutionDescriptor convolution,
                                                                     TensorDescriptor dw_tensor,
                                                                     std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsCompileSolution, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.compile_solution(solution);
}

CONVOY_MIOPEN Status miopenConvolutionBackwardWeightsImmediate(Handle handle, TensorDescriptor dy_tensor,
                                                               const void* dy, TensorDescriptor x_tensor, const void* x,
                                                               ConvolutionDescriptor convolution,
                                                               TensorDescriptor dw_tensor, void* dw, void* workspace,
                                                               std::size_t workspace_bytes, std::uint64_t solution) {
  ProblemCall call(Function::miopenConvolutionBackwardWeightsImmediate, handle,
                   {Direction::backward_weights, x_tensor, dw_tensor, dy_tensor, convolution});
  return call.run_solution(solution, {x, dw, dy}, {workspace, workspace_bytes});
}

}  // namespace convoy::miopen
