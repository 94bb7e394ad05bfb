// A handle: a device, a stream, the kernels loaded there, and the solvers that are ready. Not for two threads at once.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "sim/miopen/hip_api.h"
#include "sim/miopen/library.h"
#include "sim/miopen/solvers.h"

namespace convoy::miopen {

struct HandleTag {
  HandleTag(int device_ordinal, std::string device_architecture, Queue queue)
      : device(device_ordinal), architecture(std::move(device_architecture)), stream(queue) {}
  ~HandleTag();
  HandleTag(const HandleTag&) = delete;
  HandleTag& operator=(const HandleTag&) = delete;

  // Compiles where nobody has yet. success: launch() will not have to.
  Status load();
  // One thread for each of `threads`, on the handle's stream; waits for nothing. Nothing is done for 0.
  Status launch(const std::string& kernel, unsigned threads, void** parameters);
  Status synchronize();

  const int device;
  const std::string architecture;
  Queue stream;
  Allocate allocate = nullptr;  // kept, never called: nothing here allocates
  Deallocate deallocate = nullptr;
  void* allocator_context = nullptr;
  bool profiling = false;
  float kernel_time = 0;  // of the last Find, milliseconds
  // By problem and algorithm, what Find, CompileSolution or Immediate made ready.
  std::map<std::pair<ProblemKey, AlgorithmCode>, Solver> ready;

 private:
  HipModule* module_ = nullptr;
};

}  // namespace convoy::miopen
