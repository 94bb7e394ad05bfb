// The functions that take MIOpen's place: thin, one shape for three directions. exports.map lists them; nothing else is visible.
// miopenCreate is not among them: the library looks for its databases beside the file in which it finds that symbol.
#include "calls.h"

#define CONVOY_INTERPOSED extern "C" __attribute__((visibility("default")))

namespace convoy::miopen {
namespace {

template <typename... Parameters>
using Member = Status (*RealLibrary::*)(Parameters...);

// Depth of calls in this thread whose caller wants MIOpen itself.
thread_local int t_pass_through = 0;

// `serve()` where the convolution is ours, else the real function with the same arguments.
template <typename Serve, typename... Parameters, typename... Values>
Status serve_or_forward(const Serve& serve, Status (*RealLibrary::*function)(Parameters...), Values... values) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr) return k_not_initialized;
    if (real->is_complete && t_pass_through == 0 && engine() != nullptr) {
      if (const auto status = serve()) return *status;
    }
    return real->*function == nullptr ? k_not_implemented : (real->*function)(values...);
  });
}

Scale scale_of(const void* alpha, const void* beta) {
  return {*static_cast<const float*>(alpha), *static_cast<const float*>(beta)};
}

}  // namespace

// +1: from here on MIOpen itself serves this thread; -1 ends it. Nests.
CONVOY_INTERPOSED void convoy_miopen_pass_through(int step) {
  t_pass_through += step;
}

// a, b, c: the tensors in the order of the signature; the public header's names differ by direction.
#define CONVOY_DIRECTION(Name, direction)                                                                              \
  CONVOY_INTERPOSED Status miopenConvolution##Name##GetWorkSpaceSize(                                                  \
      Handle handle, TensorDescriptor a, TensorDescriptor b, ConvolutionDescriptor convolution, TensorDescriptor c,    \
      std::size_t* bytes) {                                                                                            \
    return serve_or_forward(                                                                                           \
        [&] {                                                                                                          \
          return serve_workspace({direction, Order::query, handle, convolution, {a, b, c}}, bytes);                    \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##GetWorkSpaceSize, handle, a, b, convolution, c, bytes);                 \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenFindConvolution##Name##Algorithm(                                                     \
      Handle handle, TensorDescriptor a, const void* a_data, TensorDescriptor b, const void* b_data,                   \
      ConvolutionDescriptor convolution, TensorDescriptor c, void* c_data, int room, int* found,                       \
      AlgorithmPerformance* algorithms, void* workspace, std::size_t workspace_bytes, bool exhaustive) {               \
    return serve_or_forward(                                                                                           \
        [&] {                                                                                                          \
          return serve_find({direction, Order::run, handle, convolution, {a, b, c, a_data, b_data, c_data}},           \
                            {handle, workspace, workspace_bytes}, {room, found, algorithms});                          \
        },                                                                                                             \
        &RealLibrary::miopenFindConvolution##Name##Algorithm, handle, a, a_data, b, b_data, convolution, c, c_data,    \
        room, found, algorithms, workspace, workspace_bytes, exhaustive);                                              \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name(                                                                    \
      Handle handle, const void* alpha, TensorDescriptor a, const void* a_data, TensorDescriptor b,                    \
      const void* b_data, ConvolutionDescriptor convolution, AlgorithmCode algorithm, const void* beta,                \
      TensorDescriptor c, void* c_data, void* workspace, std::size_t workspace_bytes) {                                \
    return serve_or_forward(                                                                                           \
        [&]() -> std::optional<Status> {                                                                               \
          if (alpha == nullptr || beta == nullptr) return k_bad_parm;                                                  \
          return serve_run({direction, Order::run, handle, convolution, {a, b, c, a_data, b_data, c_data}},            \
                           {handle, workspace, workspace_bytes}, scale_of(alpha, beta));                               \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name, handle, alpha, a, a_data, b, b_data, convolution, algorithm, beta, c,   \
        c_data, workspace, workspace_bytes);                                                                           \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name##GetSolutionCount(                                                  \
      Handle handle, TensorDescriptor a, TensorDescriptor b, ConvolutionDescriptor convolution, TensorDescriptor c,    \
      std::size_t* count) {                                                                                            \
    return serve_or_forward(                                                                                           \
        [&] {                                                                                                          \
          return serve_solution_count({direction, Order::query, handle, convolution, {a, b, c}}, count);               \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##GetSolutionCount, handle, a, b, convolution, c, count);                 \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name##GetSolution(                                                       \
      Handle handle, TensorDescriptor a, TensorDescriptor b, ConvolutionDescriptor convolution, TensorDescriptor c,    \
      std::size_t room, std::size_t* count, ConvolutionSolution* solutions) {                                          \
    return serve_or_forward(                                                                                           \
        [&] {                                                                                                          \
          return serve_solutions({direction, Order::query, handle, convolution, {a, b, c}}, {room, count, solutions}); \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##GetSolution, handle, a, b, convolution, c, room, count, solutions);     \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name##GetSolutionWorkspaceSize(                                          \
      Handle handle, TensorDescriptor a, TensorDescriptor b, ConvolutionDescriptor convolution, TensorDescriptor c,    \
      std::uint64_t solution, std::size_t* bytes) {                                                                    \
    return serve_or_forward(                                                                                           \
        [&]() -> std::optional<Status> {                                                                               \
          if (solution < k_first_solution) return std::nullopt;                                                        \
          return serve_workspace({direction, Order::query, handle, convolution, {a, b, c}}, bytes);                    \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##GetSolutionWorkspaceSize, handle, a, b, convolution, c, solution,       \
        bytes);                                                                                                        \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name##CompileSolution(                                                   \
      Handle handle, TensorDescriptor a, TensorDescriptor b, ConvolutionDescriptor convolution, TensorDescriptor c,    \
      std::uint64_t solution) {                                                                                        \
    return serve_or_forward(                                                                                           \
        [&] {                                                                                                          \
          return serve_compile({direction, Order::query, handle, convolution, {a, b, c}}, solution);                   \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##CompileSolution, handle, a, b, convolution, c, solution);               \
  }                                                                                                                    \
  CONVOY_INTERPOSED Status miopenConvolution##Name##Immediate(                                                         \
      Handle handle, TensorDescriptor a, const void* a_data, TensorDescriptor b, const void* b_data,                   \
      ConvolutionDescriptor convolution, TensorDescriptor c, void* c_data, void* workspace,                            \
      std::size_t workspace_bytes, std::uint64_t solution) {                                                           \
    return serve_or_forward(                                                                                           \
        [&]() -> std::optional<Status> {                                                                               \
          if (solution < k_first_solution) return std::nullopt;                                                        \
          return serve_run({direction, Order::query, handle, convolution, {a, b, c, a_data, b_data, c_data}},          \
                           {handle, workspace, workspace_bytes}, {})                                                   \
              .value_or(k_bad_parm);                                                                                   \
        },                                                                                                             \
        &RealLibrary::miopenConvolution##Name##Immediate, handle, a, a_data, b, b_data, convolution, c, c_data,        \
        workspace, workspace_bytes, solution);                                                                         \
  }

CONVOY_DIRECTION(Forward, Direction::forward)
CONVOY_DIRECTION(BackwardData, Direction::backward_data)
CONVOY_DIRECTION(BackwardWeights, Direction::backward_weights)
#undef CONVOY_DIRECTION

CONVOY_INTERPOSED Status miopenEnableProfiling(Handle handle, bool enable) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr || real->miopenEnableProfiling == nullptr) return k_not_initialized;
    set_profiling(handle, enable);
    return real->miopenEnableProfiling(handle, enable);
  });
}

CONVOY_INTERPOSED Status miopenGetKernelTime(Handle handle, float* milliseconds) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr || real->miopenGetKernelTime == nullptr) return k_not_initialized;
    const Status status = real->miopenGetKernelTime(handle, milliseconds);
    if (milliseconds == nullptr) return status;
    const auto ours = profiled_time(handle, status == k_success ? *milliseconds : 0);
    if (!ours) return status;
    *milliseconds = *ours;
    return k_success;
  });
}

CONVOY_INTERPOSED Status miopenDestroy(Handle handle) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr || real->miopenDestroy == nullptr) return k_not_initialized;
    forget_profiling(handle);
    return real->miopenDestroy(handle);
  });
}

#ifdef CONVOY_STUB
// Tells an interposer, and the solver that looks for MIOpen, that this is not it.
extern "C" __attribute__((visibility("default"))) const char convoy_miopen_stub[] = "libMIOpen.vendor.so.1";
#endif

}  // namespace convoy::miopen
