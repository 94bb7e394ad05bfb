// Batches end with a wait outside of what is timed, so that a queue neither fills up nor empties the numbers of meaning. A
// runtime that executes in the call, as the simulator may, is part of what is measured: compare like with like.
#include "hot.h"

#include <algorithm>
#include <chrono>

#include "malloc_count.h"

namespace convoy::client {
namespace {

constexpr long k_batches = 20;

template <typename Run>
HotCalls time_batches(const Call& call, long calls, Run&& run) {
  HotCalls result;
  const long batch = std::max(calls / k_batches, 1L);
  std::vector<double> nanoseconds;
  long long mallocs = 0;
  for (long done = 0; done < calls; done += batch) {
    const long long before = miopen_client_malloc_count();
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < batch; ++i) run();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    mallocs += miopen_client_malloc_count() - before;
    nanoseconds.push_back(time.count() / static_cast<double>(batch));
    result.calls += batch;
    check_hip(hipStreamSynchronize(call.stream), "hipStreamSynchronize");
  }
  const auto middle = nanoseconds.begin() + static_cast<std::ptrdiff_t>(nanoseconds.size() / 2);
  std::nth_element(nanoseconds.begin(), middle, nanoseconds.end());
  result.nanoseconds = *middle;
  result.mallocs =
      miopen_client_malloc_count() < 0 ? -1 : static_cast<double>(mallocs) / static_cast<double>(result.calls);
  return result;
}

}  // namespace

HotCalls time_hot(const Api& api, const Client& client, const Call& call, const Outcome& warmed_up, long calls) {
  const Problem problem = client.as_told(call.problem, call.direction);
  TensorDescriptorOwner x(api), w(api), y(api);
  x.set(problem.dtype, problem.x());
  w.set(problem.dtype, problem.w());
  y.set(problem.dtype, problem.y());
  ConvolutionDescriptorOwner convolution(api);
  convolution.set(problem, k_convolution);
  const ConvolutionCalls functions(api, client.handle(), call, {x.get(), w.get(), y.get(), convolution.get()});
  const DeviceBuffer workspace(warmed_up.workspace);
  void* const memory = warmed_up.workspace == 0 ? nullptr : workspace.get();
  HotCalls result;
  if (warmed_up.immediate) {
    result = time_batches(call, calls, [&] {
      ConvolutionSolution best{};
      functions.best_solution(best);
      functions.run_immediate(warmed_up.choice, memory, warmed_up.workspace);
    });
    result.function = "GetSolution+Immediate";
  } else {
    result = time_batches(
        call, calls, [&] { functions.run(static_cast<AlgorithmCode>(warmed_up.choice), memory, warmed_up.workspace); });
    result.function = "Convolution";
  }
  return result;
}

}  // namespace convoy::client
