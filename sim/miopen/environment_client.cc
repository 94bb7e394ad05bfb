// A program that process_test.cc starts with different variables: does the steps it is told, prints what each returned.
//   convoy_sim_miopen_client SIZE STEP...   one 3x3 convolution of SIZE x SIZE
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sim/miopen/client_test.h"

using namespace convoy::miopen;

namespace {

constexpr std::size_t k_workspace = 1 << 20;

const char* verdict(Convolution& convolution) {
  bool has_nan = false;
  for (float number : convolution.y->read()) has_nan = has_nan || number != number;
  return has_nan ? "nan" : convolution.is_right(Way::forward) ? "right" : "wrong";
}

void print_found(const char* step, Status status, const std::vector<AlgorithmPerformance>& found) {
  std::printf("%s %d", step, status);
  for (const AlgorithmPerformance& each : found) std::printf(" %d:%zu", each.algorithm, each.memory);
  std::printf("\n");
}

void do_step(Convolution& convolution, std::string_view step) {
  std::vector<AlgorithmPerformance> found;
  std::vector<ConvolutionSolution> solutions;
  std::size_t number = 0;
  if (step == "version") {
    std::size_t minor = 0, patch = 0;
    Status status = miopenGetVersion(&number, &minor, &patch);
    std::printf("version %d %zu.%zu.%zu\n", status, number, minor, patch);
  } else if (step == "query") {
    Status status = convolution.workspace_size(Way::forward, &number);
    std::printf("query %d %zu\n", status, number);
  } else if (step == "find" || step == "find-without") {
    Status status = convolution.find(Way::forward, 9, found, step == "find" ? k_workspace : 0);
    print_found(step.data(), status, found);
  } else if (step == "run" || step == "run-without") {
    Status status = convolution.run(Way::forward, k_direct, step == "run" ? k_workspace : 0);
    std::printf("%s %d %s\n", step.data(), status, verdict(convolution));
  } else if (step == "immediate") {
    Status status = convolution.immediate(Way::forward, 85, k_workspace);
    std::printf("immediate %d %s\n", status, verdict(convolution));
  } else if (step == "count") {
    Status status = convolution.solution_count(Way::forward, &number);
    std::printf("count %d %zu\n", status, number);
  } else if (step == "solutions") {
    Status status = convolution.solutions(Way::forward, 9, solutions);
    std::printf("solutions %d", status);
    for (const ConvolutionSolution& each : solutions) std::printf(" %zu", std::size_t{each.solution_id});
    std::printf("\n");
  } else if (step == "fork") {
    if (fork() == 0) std::exit(miopenGetVersion(nullptr, nullptr, nullptr));
    wait(nullptr);
  } else {
    std::printf("no such step: %s\n", step.data());
  }
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  int size = count > 1 ? std::atoi(arguments[1]) : 6;
  Handle handle = nullptr;
  Status status = miopenCreate(&handle);
  if (status != k_success) {
    std::printf("create %d\n", status);
    return 1;
  }
  Shape shape = plain_shape();
  shape.x[2] = shape.x[3] = size;
  {
    Convolution convolution(handle, shape);
    for (int i = 2; i < count; ++i) do_step(convolution, arguments[i]);
  }
  miopenDestroy(handle);
}
