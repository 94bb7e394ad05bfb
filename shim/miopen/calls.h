// What the entry points have in common: the roles of their arguments, and one implementation for all three directions.
#pragma once

#include <new>

#include "served.h"

namespace convoy::miopen {

// Three tensors in the order of an entry point's parameters. Run and Find functions take them as x w y, dy w dx, dy x dw;
// workspace queries and immediate mode as w x y, dy w dx, dy x dw.
struct Ordered {
  TensorDescriptor first, second, third;
  const void* first_data = nullptr;
  const void* second_data = nullptr;
  const void* third_data = nullptr;
};
enum class Order { run, query };

struct Arguments {
  Direction direction;
  Order order;
  Handle handle;
  ConvolutionDescriptor convolution;
  Ordered tensors;

  CallDescriptors descriptors() const;
  Addresses addresses() const;
};

struct Scale {
  float alpha = 1, beta = 0;
  bool plain() const { return alpha == 1 && beta == 0; }
};

// C programs cannot catch: want of memory becomes a status.
template <typename Body>
Status without_exceptions(const Body& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return k_alloc_failed;
  } catch (...) {
    return k_internal_error;
  }
}

// Each returns nothing where the real library should get the call.
std::optional<Status> serve_workspace(const Arguments& arguments, std::size_t* bytes);
struct FindResults {
  int room;
  int* found;
  AlgorithmPerformance* algorithms;
};
std::optional<Status> serve_find(const Arguments& arguments, const RunOptions& options, const FindResults& results);
std::optional<Status> serve_run(const Arguments& arguments, const RunOptions& options, const Scale& scale);
std::optional<Status> serve_solution_count(const Arguments& arguments, std::size_t* count);
struct SolutionResults {
  std::size_t room;
  std::size_t* count;
  ConvolutionSolution* solutions;
};
std::optional<Status> serve_solutions(const Arguments& arguments, const SolutionResults& results);
std::optional<Status> serve_compile(const Arguments& arguments, std::uint64_t solution);

// Profiling (miopenEnableProfiling): runs of such a handle are waited for and timed.
void set_profiling(Handle handle, bool enable);
void forget_profiling(Handle handle);
// Milliseconds of the handle's last run of ours; nothing when it is not profiled, has had none, or the library has run
// something since: `librarys` is what it says now.
std::optional<float> profiled_time(Handle handle, float librarys);
Status run_profiled(const RealLibrary& real, const Found& found, const Addresses& addresses, const RunOptions& options);

}  // namespace convoy::miopen
