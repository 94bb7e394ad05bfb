// Implementation of calls.h.
#include "calls.h"

#include <cstdio>

namespace convoy::miopen {
namespace {

// Any code is accepted for a convolution of ours; this one exists in all three directions.
constexpr AlgorithmCode k_our_algorithm = k_direct;

std::size_t workspace_of(const Served& served) {
  return served.chosen ? static_cast<std::size_t>(engine()->convoy_plan_workspace_bytes(served.plan)) : 0;
}

bool has_null(const Addresses& addresses) {
  return addresses.x == nullptr || addresses.w == nullptr || addresses.y == nullptr;
}

std::int64_t bytes_of(const RealLibrary& real, TensorDescriptor tensor) {
  std::size_t bytes = 0;
  return real.miopenGetTensorNumBytes(tensor, &bytes) == k_success ? static_cast<std::int64_t>(bytes) : -1;
}

// output = alpha * convolution + beta * output, the convolution in memory of our own. The sum of two halves is the number
// itself: MIOpen's tensor operations have no plain scaled copy.
Status run_scaled(const RealLibrary& real, const Found& found, const Arguments& arguments, const RunOptions& options,
                  const Scale& scale) {
  if (real.is_capturing(arguments.handle)) return k_not_implemented;  // as the library: a graph cannot hold the memory
  const Ordered& t = arguments.tensors;
  void* temporary = nullptr;
  Queue stream = nullptr;
  if (const Status status = real.miopenGetStream(arguments.handle, &stream); status != k_success) return status;
  const std::int64_t bytes = bytes_of(real, t.third);
  if (bytes < 0 || engine()->convoy_allocate(found.served->handle, bytes, &temporary) != CONVOY_SUCCESS)
    return k_alloc_failed;
  Arguments aside = arguments;
  aside.tensors.third_data = temporary;
  Status status = run_served(real, found, aside.addresses(), options);
  const float half = scale.alpha / 2;
  // Some of the library's kernels add beta times what was there also where beta is 0, and there may be a NaN.
  if (status == k_success && scale.beta == 0 && real.hip_memset_async != nullptr &&
      real.hip_memset_async(const_cast<void*>(t.third_data), 0, static_cast<std::size_t>(bytes), stream) != 0)
    status = k_unknown_error;
  if (status == k_success) {
    status = real.miopenOpTensor(arguments.handle, k_add, &half, t.third, temporary, &half, t.third, temporary,
                                 &scale.beta, t.third, const_cast<void*>(t.third_data));
  }
  const convoy_status done = engine()->convoy_synchronize(found.served->handle, stream);
  engine()->convoy_free(found.served->handle, temporary);
  return status == k_success ? status_of(done) : status;
}

}  // namespace

CallDescriptors Arguments::descriptors() const {
  const Ordered& t = tensors;
  switch (direction) {
    case Direction::forward:
      return order == Order::run ? CallDescriptors{direction, t.first, t.second, t.third, convolution}
                                 : CallDescriptors{direction, t.second, t.first, t.third, convolution};
    case Direction::backward_data: return {direction, t.third, t.second, t.first, convolution};
    default: return {direction, t.second, t.third, t.first, convolution};
  }
}

Addresses Arguments::addresses() const {
  const Ordered& t = tensors;
  switch (direction) {
    case Direction::forward:
      return order == Order::run ? Addresses{t.first_data, t.second_data, t.third_data}
                                 : Addresses{t.second_data, t.first_data, t.third_data};
    case Direction::backward_data: return {t.third_data, t.second_data, t.first_data};
    default: return {t.second_data, t.third_data, t.first_data};
  }
}

std::optional<Status> serve_workspace(const Arguments& arguments, std::size_t* bytes) {
  const auto found = find_served(*real_library(), arguments.descriptors());
  if (!found) return std::nullopt;
  if (bytes == nullptr) return k_bad_parm;
  // Before the choice nobody knows: what is missing then comes from memory of ours.
  *bytes = workspace_of(*found->served);
  return k_success;
}

std::optional<Status> serve_find(const Arguments& arguments, const RunOptions& options, const FindResults& results) {
  const auto found = find_served(*real_library(), arguments.descriptors());
  if (!found) return std::nullopt;
  if (results.room < 1 || results.found == nullptr || results.algorithms == nullptr || has_null(arguments.addresses()))
    return k_bad_parm;
  const Status status = measure_served(*real_library(), *found, arguments.addresses(), options);
  if (status != k_success) return status;
  *results.found = 1;
  results.algorithms[0] = {k_our_algorithm, found->served->milliseconds, workspace_of(*found->served)};
  return k_success;
}

std::optional<Status> serve_run(const Arguments& arguments, const RunOptions& options, const Scale& scale) {
  const RealLibrary& real = *real_library();
  const auto found = find_served(real, arguments.descriptors());
  if (!found) return std::nullopt;
  if (has_null(arguments.addresses())) return k_bad_parm;
  if (!scale.plain()) return run_scaled(real, *found, arguments, options, scale);
  return run_profiled(real, *found, arguments.addresses(), options);
}

std::optional<Status> serve_solution_count(const Arguments& arguments, std::size_t* count) {
  if (!find_served(*real_library(), arguments.descriptors())) return std::nullopt;
  if (count == nullptr) return k_bad_parm;
  *count = 1;
  return k_success;
}

std::optional<Status> serve_solutions(const Arguments& arguments, const SolutionResults& results) {
  const auto found = find_served(*real_library(), arguments.descriptors());
  if (!found) return std::nullopt;
  if (results.room < 1 || results.count == nullptr || results.solutions == nullptr) return k_bad_parm;
  *results.count = 1;
  const Served& served = *found->served;
  results.solutions[0] = {served.milliseconds, workspace_of(served), served.solution, k_our_algorithm};
  return k_success;
}

std::optional<Status> serve_compile(const Arguments& arguments, std::uint64_t solution) {
  if (solution < k_first_solution) return std::nullopt;
  const auto found = find_served(*real_library(), arguments.descriptors());
  if (!found || found->served->solution != solution) return k_bad_parm;
  // The choice needs memory beside the program's; where there is none, the first run makes it.
  const convoy_status status = engine()->convoy_plan_prepare(found->served->plan);
  if (status == CONVOY_SUCCESS) found->served->chosen = true;
  return status == CONVOY_OUT_OF_MEMORY ? k_success : status_of(status);
}

}  // namespace convoy::miopen
