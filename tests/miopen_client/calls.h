// MIOpen's calls for one convolution, the same in all three directions: what differs is which tensor is the result and in
// which order each function wants the other two. Everything throws MiopenError on a status other than success, except where
// a client looks at it itself.
#pragma once

#include <vector>

#include "hip_api.h"
#include "miopen_api.h"
#include "problem.h"

namespace convoy::client {

// One convolution as a framework's operator gets it. Pointers are to device memory.
struct Call {
  Problem problem;
  Direction direction = Direction::forward;
  void* x = nullptr;
  void* w = nullptr;
  void* y = nullptr;
  void* bias = nullptr;  // null: none. Backward weights: where its gradient goes
  void* stream = nullptr;
};

class TensorDescriptorOwner {
 public:
  explicit TensorDescriptorOwner(const Api& api);
  ~TensorDescriptorOwner();
  TensorDescriptorOwner(const TensorDescriptorOwner&) = delete;
  TensorDescriptorOwner& operator=(const TensorDescriptorOwner&) = delete;
  void set(DataType dtype, const TensorShape& shape);
  void set_v2(DataType dtype, const TensorShape& shape);
  TensorDescriptor get() const { return tensor_; }

 private:
  const Api& api_;
  TensorDescriptor tensor_ = nullptr;
};

class ConvolutionDescriptorOwner {
 public:
  explicit ConvolutionDescriptorOwner(const Api& api);
  ~ConvolutionDescriptorOwner();
  ConvolutionDescriptorOwner(const ConvolutionDescriptorOwner&) = delete;
  ConvolutionDescriptorOwner& operator=(const ConvolutionDescriptorOwner&) = delete;
  // miopenInitConvolutionNdDescriptor and miopenSetConvolutionGroupCount, as all clients do.
  void set(const Problem& problem, Mode mode);
  ConvolutionDescriptor get() const { return convolution_; }

 private:
  const Api& api_;
  ConvolutionDescriptor convolution_ = nullptr;
};

struct Descriptors {
  TensorDescriptor x, w, y;
  ConvolutionDescriptor convolution;
};

class ConvolutionCalls {
 public:
  ConvolutionCalls(const Api& api, Handle handle, const Call& call, const Descriptors& descriptors);

  // Leaves bytes alone when it fails. Old clients ignore the status.
  Status workspace_size(std::size_t& bytes) const;
  std::size_t checked_workspace_size() const;
  // Asks for one algorithm, as all clients do.
  AlgorithmPerformance find(void* workspace, std::size_t bytes, bool exhaustive) const;
  void run(AlgorithmCode algorithm, void* workspace, std::size_t bytes) const;

  std::size_t solution_count() const;
  std::vector<ConvolutionSolution> solutions(std::size_t room) const;
  // The first of them alone, without memory of its own: for hot loops.
  void best_solution(ConvolutionSolution& solution) const;
  void compile(std::uint64_t solution) const;
  void run_immediate(std::uint64_t solution, void* workspace, std::size_t bytes) const;

 private:
  struct Operand {
    TensorDescriptor descriptor;
    void* data;
  };
  template <typename Function>
  struct Named {
    Function function;
    const char* name;
  };
  struct Functions {
    Named<decltype(Api::miopenConvolutionForwardGetWorkSpaceSize)> workspace_size;
    Named<decltype(Api::miopenFindConvolutionForwardAlgorithm)> find;
    Named<decltype(Api::miopenConvolutionForward)> run;
    Named<decltype(Api::miopenConvolutionForwardGetSolutionCount)> solution_count;
    Named<decltype(Api::miopenConvolutionForwardGetSolution)> solutions;
    Named<decltype(Api::miopenConvolutionForwardCompileSolution)> compile;
    Named<decltype(Api::miopenConvolutionForwardImmediate)> run_immediate;
  };
  static Functions functions_of(const Api& api, Direction direction);
  // Queries and immediate mode want the weights before the input in the forward direction; find and run the other way.
  const Operand& query_first() const { return direction_ == Direction::forward ? second_ : first_; }
  const Operand& query_second() const { return direction_ == Direction::forward ? first_ : second_; }

  const Api& api_;
  Functions functions_;
  Handle handle_;
  Direction direction_;
  ConvolutionDescriptor convolution_;
  Operand first_, second_, result_;  // in the order of find and run
};

}  // namespace convoy::client
