// What the self test of `convoy doctor` computes: classes of problems, each with a name that findings and scripts know.
#pragma once

#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace convoy {

// full: every shape in every direction, type and memory order. quick: every shape in every direction, types and orders by
// turns, and of the networks' layers only the small ones.
enum class SelftestExtent { quick, full };

struct SelftestClass {
  std::string_view name;     // "kernel_sizes"
  std::string_view meaning;  // a few words for people
  std::vector<Problem> problems;
};
std::vector<SelftestClass> selftest_classes(SelftestExtent extent);

// The last class: small stacks of layers whose outputs are the next layers' inputs, forward and backward.
inline constexpr std::string_view k_training_step = "training_step";
inline constexpr std::string_view k_training_meaning = "two steps of a stack: forward, backward data, backward weights";

struct TrainingStack {
  std::vector<Problem> layers;  // forward; each reads what the one before it wrote
};
std::vector<TrainingStack> training_stacks(SelftestExtent extent);

}  // namespace convoy
