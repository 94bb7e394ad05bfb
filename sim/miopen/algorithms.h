// What Find, Convolution* and immediate mode do, for all directions alike; api_find.cc and api_immediate.cc are their names.
#pragma once

#include "sim/miopen/handle.h"
#include "sim/miopen/problem.h"

namespace convoy::miopen {

struct Workspace {
  void* memory;
  std::size_t bytes;
};

struct FindResults {
  int room;
  int* found;
  AlgorithmPerformance* algorithms;
};

struct Solutions {
  std::size_t room;
  std::size_t* count;
  ConvolutionSolution* found;
};

// A function about one problem: the problem in the call's own terms, then whatever a planned fault makes of the call.
class ProblemCall {
 public:
  ProblemCall(Function function, Handle handle, const Problem& problem)
      : problem_(problem), call_(function, &problem_), handle_(handle) {}

  Status workspace_size(std::size_t* bytes) const;
  Status find(Buffers buffers, const FindResults& results, const Workspace& workspace) const;
  // `alpha` and `beta` point to 1 and 0.
  Status run(AlgorithmCode algorithm, const void* alpha, const void* beta, Buffers buffers,
             const Workspace& workspace) const;
  Status solution_count(std::size_t* count) const;
  Status solutions(const Solutions& wanted) const;
  Status solution_workspace_size(std::uint64_t id, std::size_t* bytes) const;
  Status compile_solution(std::uint64_t id) const;
  Status run_solution(std::uint64_t id, Buffers buffers, const Workspace& workspace) const;

 private:
  // Whether the body may go on; `status` otherwise is the answer.
  bool ends(Status& status) const;
  bool lacks_memory(const Buffers& buffers) const;
  Status launch(Buffers buffers, const Solver& solver, const Workspace& workspace) const;
  Status solver_of(std::uint64_t id, Solver& solver) const;
  Status measure(const Buffers& buffers) const;
  void make_ready(const Solver& solver) const;

  Problem problem_;
  Call call_;
  Handle handle_;
};

}  // namespace convoy::miopen
