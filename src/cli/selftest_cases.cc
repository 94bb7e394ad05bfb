// Expands the shapes of selftest_cases.inc. What they say is tested in selftest_cases_test.cc: a shape that is no problem would be
// left out here.
#include "cli/selftest_cases.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

namespace convoy {
namespace {

// In which directions, types and memory orders a class's shapes run in the full test.
enum class Spread {
  everything,
  layers,  // large: the first two variants only
};

struct ClassRow {
  std::string_view name;
  std::string_view meaning;
  Spread spread;
  std::string_view shapes;
};

constexpr ClassRow k_classes[] = {
#include "cli/selftest_cases.inc"
};

struct Variant {
  Dtype dtype;
  Layout layout;
};
// Quick takes one after the other.
constexpr std::array<Variant, 6> k_variants{{{Dtype::f32, Layout::channels_first},
                                             {Dtype::f16, Layout::channels_last},
                                             {Dtype::bf16, Layout::channels_first},
                                             {Dtype::f32, Layout::channels_last},
                                             {Dtype::f16, Layout::channels_first},
                                             {Dtype::bf16, Layout::channels_last}}};
constexpr std::array<Direction, 3> k_directions{Direction::forward, Direction::backward_data,
                                                Direction::backward_weights};

void add_shape(std::string_view shape, std::vector<Problem>& shapes) {
  if (auto problem = parse_problem(fmt::format("fwd:f32:{}", shape))) shapes.push_back(std::move(*problem));
}

std::vector<Problem> shapes_of(std::string_view text) {
  constexpr int k_largest_kernel = 11;
  std::vector<Problem> shapes;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const bool each_kernel = line.find('#') != std::string::npos;
    for (int size = 1; size <= (each_kernel ? k_largest_kernel : 1); ++size) {
      std::string one;
      for (const char c : line) one += c == '#' ? std::to_string(size) : std::string(1, c);
      add_shape(one, shapes);
    }
  }
  return shapes;
}

void add_directions(Problem problem, Variant variant, std::vector<Problem>& problems) {
  problem.dtype = variant.dtype;
  problem.layout = variant.layout;
  for (const Direction direction : k_directions) {
    problem.direction = direction;
    problems.push_back(problem);
  }
}

std::vector<Problem> problems_of(const ClassRow& row, SelftestExtent extent) {
  constexpr double k_quick_flops = 0.3e9;
  std::vector<Problem> problems;
  std::size_t turn = 0;
  for (const Problem& shape : shapes_of(row.shapes)) {
    if (extent == SelftestExtent::full) {
      const std::size_t variants = row.spread == Spread::everything ? k_variants.size() : 2;
      for (std::size_t i = 0; i < variants; ++i) add_directions(shape, k_variants[i], problems);
    } else if (shape.flops() <= k_quick_flops) {
      add_directions(shape, k_variants[turn++ % k_variants.size()], problems);
    }
  }
  return problems;
}

}  // namespace

std::vector<SelftestClass> selftest_classes(SelftestExtent extent) {
  std::vector<SelftestClass> classes;
  for (const ClassRow& row : k_classes) classes.push_back({row.name, row.meaning, problems_of(row, extent)});
  return classes;
}

std::vector<TrainingStack> training_stacks(SelftestExtent extent) {
  constexpr std::string_view k_layers =
      "nchw:n2c3h44w42:k16r5s5:pad2x2:stride2x2:dil1x1:g1\n"
      "nchw:n2c16h22w21:k16r3s3:pad1x1:stride1x1:dil1x1:g16\n"
      "nchw:n2c16h22w21:k24r1s1:pad0x0:stride1x1:dil1x1:g1\n"
      "nchw:n2c24h22w21:k32r3s3:pad1x1:stride2x2:dil1x1:g2\n"
      "nchw:n2c32h11w11:k10r2s2:pad0x0:stride2x2:dil1x1:g1:tr\n";
  std::vector<TrainingStack> stacks;
  for (std::size_t i = 0; i < (extent == SelftestExtent::full ? k_variants.size() : 2); ++i) {
    TrainingStack stack{shapes_of(k_layers)};
    for (Problem& layer : stack.layers) {
      layer.dtype = k_variants[i].dtype;
      layer.layout = k_variants[i].layout;
    }
    stacks.push_back(std::move(stack));
  }
  return stacks;
}

}  // namespace convoy
