// One problem of the conformance test: inputs and the right output on the host, made once and used for every solver; and a
// run of one plan on a device between guard bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "solvers/numbers.h"
#include "solvers/solver.h"

namespace convoy {

inline constexpr std::uint64_t k_conformance_seed = 20261121;

class ConformanceCase {
 public:
  // `problem` may be transposed. The output is computed by the reference where that takes seconds at most, else elements
  // are compared with their definition: all, or a million.
  ConformanceCase(const Problem& problem, bool with_bias);

  const Problem& problem() const { return problem_; }  // ordinary

  struct Outcome {
    std::string failure;  // empty: right
    std::vector<std::byte> output;
  };
  // Runs `plan` on tensors of the device, the output and the workspace full of NaN, and looks at everything afterwards:
  // numbers, gaps between strides, inputs, guard bytes. `misaligned`: tensors begin one element behind what devices give.
  Outcome run(const Plan& plan, Device& device, bool misaligned) const;

 private:
  std::string check_output(std::vector<std::byte>& output) const;

  Problem problem_;
  std::vector<std::byte> tensors_[3];  // by TensorRole; the output poisoned
  std::vector<std::byte> bias_;        // empty: none
  std::vector<std::byte> expected_;    // empty: samples are compared
  std::vector<std::byte> elements_;    // where the output has gaps: 0xff on its elements, 0 between them
};

}  // namespace convoy
