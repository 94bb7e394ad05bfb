// What libconvoy_miopen.so adds to a call of miopenConvolutionForward: the same call into a library that computes nothing
// (null_miopen.cc), directly and through the interposer, in pairs. On the simulated card's runtime, which computes nothing here
// either: no GPU is timed.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "abi/miopen.h"
#include "base/timing.h"

namespace {
thread_local long long g_allocations = 0;
}

extern "C" {
void* __libc_malloc(std::size_t bytes);  // NOLINT: glibc's name
__attribute__((visibility("default"))) void* malloc(std::size_t bytes) {
  ++g_allocations;
  return __libc_malloc(bytes);
}
}

namespace convoy::miopen {
namespace {

struct Functions {
#define MIOPEN_FUNCTION(name, result, parameters) result(*name) parameters = nullptr;
#include "abi/miopen_functions.inc"
};

void* open(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  std::fprintf(stderr, "shim_hot_path: %s\n", dlerror());
  std::exit(1);
}

struct Convolution {
  explicit Convolution(const Functions& f) {
    const int x_sizes[] = {32, 64, 56, 56}, w_sizes[] = {64, 64, 3, 3};
    const int x_strides[] = {64 * 56 * 56, 56 * 56, 56, 1}, w_strides[] = {64 * 9, 9, 3, 1};
    const int ones[] = {1, 1};
    f.miopenCreate(&handle);
    for (TensorDescriptor* tensor : {&x, &w, &y}) f.miopenCreateTensorDescriptor(tensor);
    f.miopenSetTensorDescriptor(x, k_float, 4, x_sizes, x_strides);
    f.miopenSetTensorDescriptor(w, k_float, 4, w_sizes, w_strides);
    f.miopenSetTensorDescriptor(y, k_float, 4, x_sizes, x_strides);
    f.miopenCreateConvolutionDescriptor(&convolution);
    f.miopenInitConvolutionNdDescriptor(convolution, 2, ones, ones, ones, k_convolution);
  }
  Handle handle = nullptr;
  TensorDescriptor x = nullptr, w = nullptr, y = nullptr;
  ConvolutionDescriptor convolution = nullptr;
};

using Forward = decltype(Functions::miopenConvolutionForward);

// Nanoseconds of one call.
double time_calls(Forward forward, const Convolution& c, void* const* data, int calls) {
  const float one = 1, zero = 0;
  const Stopwatch watch;
  for (int i = 0; i < calls; ++i) {
    if (forward(c.handle, &one, c.x, data[0], c.w, data[1], c.convolution, k_gemm, &zero, c.y, data[2], nullptr, 0) !=
        k_success)
      std::exit(1);
  }
  return watch.milliseconds() * 1e6 / calls;
}

int run(const char* null_library, const char* shim) {
  void* real = open(null_library);
  Functions f;
#define MIOPEN_FUNCTION(name, result, parameters) f.name = reinterpret_cast<decltype(f.name)>(dlsym(real, #name));
#include "abi/miopen_functions.inc"
  const auto ours = reinterpret_cast<Forward>(dlsym(open(shim), "miopenConvolutionForward"));
  const auto count_solutions = reinterpret_cast<decltype(f.miopenConvolutionForwardGetSolutionCount)>(
      dlsym(open(shim), "miopenConvolutionForwardGetSolutionCount"));
  const auto allocate = reinterpret_cast<int (*)(void**, std::size_t)>(dlsym(real, "hipMalloc"));
  const Convolution c(f);
  void* data[3] = {};
  for (void*& one : data) {
    if (allocate == nullptr || allocate(&one, std::size_t{4} * 32 * 64 * 56 * 56) != 0) return 1;
  }
  constexpr int k_calls = 20'000, k_pairs = 41;
  time_calls(ours, c, data, 10);  // chooses
  std::size_t solutions = 0;
  count_solutions(c.handle, c.w, c.x, c.convolution, c.y, &solutions);
  if (solutions != 1) {
    std::fprintf(stderr, "shim_hot_path: the interposer hands the convolution on, nothing is measured\n");
    return 1;
  }
  const long long before = g_allocations;
  time_calls(ours, c, data, k_calls);
  const double allocations = static_cast<double>(g_allocations - before) / k_calls;
  std::vector<double> direct, through, added;
  for (int i = 0; i < k_pairs; ++i) {
    const bool ours_first = i % 2 == 0;
    const double first = time_calls(ours_first ? ours : f.miopenConvolutionForward, c, data, k_calls);
    const double second = time_calls(ours_first ? f.miopenConvolutionForward : ours, c, data, k_calls);
    direct.push_back(ours_first ? second : first);
    through.push_back(ours_first ? first : second);
    added.push_back(through.back() - direct.back());
  }
  std::printf("direct %.1f ns, through the interposer %.1f ns, added %.1f ns; allocations per call %.3f\n",
              robust_timing(direct).centre, robust_timing(through).centre, robust_timing(added).centre, allocations);
  return 0;
}

}  // namespace
}  // namespace convoy::miopen

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: shim_hot_path NULL_MIOPEN INTERPOSER\n");
    return 2;
  }
  // Nothing is computed, so there are no numbers to check and nobody to suspect.
  for (const char* setting : {"CONVOY_VERIFY=off", "CONVOY_TRIAL=never", "CONVOY_FIND=immediate",
                              "CONVOY_CACHE_DIR=/nonexistent/convoy", "CONVOY_SIM_DEVICES=gfx1010"})
    putenv(const_cast<char*>(setting));
  return convoy::miopen::run(argv[1], argv[2]);
}
