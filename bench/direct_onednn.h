// The rival: oneDNN called without Convoy, in the ways a careful user would. Several variants of one problem, because which
// memory formats are fastest is only known after timing: everything free (reorders from and to the user's plain layout in
// every call), only the weights free, everything plain. Weights are reordered in every call as Convoy does, whose contract
// lets them change between calls.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "problem/problem.h"
#include "solvers/solver.h"

namespace convoy::bench {

// Memory objects and arguments are made once, at creation, on the buffers given there: a call is a row of
// dnnl_primitive_execute and nothing else.
class DirectConvolution {
 public:
  // Every variant that oneDNN offers for `problem`; variants with equal primitives are listed once. None for element types
  // that oneDNN does not compute in, transposed problems, and where only its naive reference is left.
  static std::vector<std::unique_ptr<DirectConvolution>> variants(const Problem& problem, const Tensors& tensors);

  const std::string& implementation() const { return implementation_; }
  int reorders() const { return static_cast<int>(before_.size() + after_.size()); }
  void run() const;

 private:
  struct Step {
    dnnl::primitive primitive;
    std::array<dnnl::memory, 3> memories;  // keeps alive what the arguments point to
    std::array<dnnl_exec_arg_t, 3> arguments;
    int count;
  };
  struct Slot {
    dnnl::memory::desc user, inner;
    int argument;
    void* data;
  };

  struct Variant {
    bool free_data, free_weights;
    dnnl::algorithm algorithm;
  };

  // Throws dnnl::error where oneDNN has no such variant.
  static std::unique_ptr<DirectConvolution> create(const Problem& problem, const Tensors& tensors,
                                                   const Variant& variant);
  static void add_reorder(std::vector<Step>& steps, const dnnl::memory& from, const dnnl::memory& to);
  void assemble(const dnnl::primitive& convolution, const std::array<Slot, 3>& slots);
  void run_step(const Step& step) const;

  dnnl::stream stream_;
  std::string implementation_;
  std::vector<Step> before_, after_;
  Step convolution_;
};

}  // namespace convoy::bench
