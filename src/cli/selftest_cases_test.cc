// The self test's cases: all are problems, none stands there twice, and together they are what docs/doctor.md promises.
#include "cli/selftest_cases.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

namespace convoy {
namespace {

constexpr std::array k_extents{SelftestExtent::quick, SelftestExtent::full};

std::vector<Problem> all_of(SelftestExtent extent) {
  std::vector<Problem> all;
  for (const SelftestClass& one : selftest_classes(extent)) {
    all.insert(all.end(), one.problems.begin(), one.problems.end());
  }
  return all;
}

TEST(SelftestCases, EachIsAProblemAndStandsThereOnce) {
  for (const SelftestExtent extent : k_extents) {
    std::set<std::string> seen, names{std::string(k_training_step)};
    for (const SelftestClass& one : selftest_classes(extent)) {
      EXPECT_TRUE(names.insert(std::string(one.name)).second) << one.name;
      EXPECT_FALSE(one.problems.empty()) << one.name;
      for (const Problem& problem : one.problems) {
        EXPECT_TRUE(validate(problem)) << one.name << ' ' << problem.to_string();
        EXPECT_TRUE(seen.insert(problem.to_string()).second) << one.name << ' ' << problem.to_string();
      }
    }
  }
}

// A line that is no problem would be left out in silence.
TEST(SelftestCases, NoLineIsLost) {
  std::ifstream file(CONVOY_SOURCE_DIR "/src/cli/selftest_cases.inc");
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("nc")) lines += line.find('#') == std::string::npos ? 1 : 11;
  }
  EXPECT_GT(lines, 90U);
  std::size_t shapes = 0;
  for (const SelftestClass& one : selftest_classes(SelftestExtent::full)) {
    shapes += one.problems.size() / (one.name == "networks" ? 3 * 2 : 3 * 6);
  }
  EXPECT_EQ(shapes, lines);
}

TEST(SelftestCases, EveryKernelSizeInEveryDirectionTypeAndOrder) {
  std::set<std::tuple<Direction, Dtype, Layout, std::int64_t>> seen;
  for (const Problem& one : all_of(SelftestExtent::full)) {
    if (one.rank == 2 && one.filter[0] == one.filter[1] && one.filter[0] <= 11)
      seen.insert({one.direction, one.dtype, one.layout, one.filter[0]});
  }
  EXPECT_EQ(seen.size(), 3U * 3 * 2 * 11);
}

TEST(SelftestCases, EveryRankInEveryDirectionTypeAndOrderAlsoTransposed) {
  std::set<std::tuple<Direction, Dtype, Layout, int, bool>> seen;
  for (const Problem& one : all_of(SelftestExtent::full))
    seen.insert({one.direction, one.dtype, one.layout, one.rank, one.transposed});
  EXPECT_EQ(seen.size(), 3U * 3 * 2 * 3 * 2);
}

TEST(SelftestCases, QuickMeetsEveryDirectionAndType) {
  for (const SelftestClass& one : selftest_classes(SelftestExtent::quick)) {
    std::set<Direction> directions;
    std::set<Dtype> types;
    for (const Problem& problem : one.problems) {
      directions.insert(problem.direction);
      types.insert(problem.dtype);
      EXPECT_LE(problem.flops(), 0.3e9) << problem.to_string();
    }
    EXPECT_EQ(directions.size(), 3U) << one.name;
    EXPECT_EQ(types.size(), 3U) << one.name;
  }
}

TEST(SelftestCases, ImagesBelowAtAndAboveTheSizeThatHangs) {
  std::set<std::int64_t> sizes;
  for (const Problem& one : all_of(SelftestExtent::quick)) {
    if (one.direction == Direction::forward && one.in[0] == one.in[1]) sizes.insert(one.in[0]);
  }
  for (const std::int64_t size : {32, 41, 42, 43, 44, 64, 128}) EXPECT_EQ(sizes.count(size), 1U) << size;
}

// What a widespread test script of owners runs in PyTorch, forward: batch, channels in and out, filter, image, stride, padding.
TEST(SelftestCases, TheLayersOfOwnersScripts) {
  using Layer = std::array<std::int64_t, 7>;
  constexpr std::array<Layer, 19> k_script{{{2, 3, 64, 1, 32, 1, 0},
                                            {2, 64, 128, 3, 32, 1, 1},
                                            {2, 128, 256, 5, 32, 1, 2},
                                            {2, 3, 64, 7, 224, 2, 3},
                                            {2, 64, 64, 3, 56, 1, 1},
                                            {2, 64, 128, 3, 56, 2, 1},
                                            {2, 128, 256, 3, 28, 2, 1},
                                            {2, 256, 512, 3, 14, 2, 1},
                                            {2, 3, 64, 3, 224, 1, 1},
                                            {2, 64, 128, 3, 112, 1, 1},
                                            {2, 128, 256, 3, 56, 1, 1},
                                            {2, 256, 512, 3, 28, 1, 1},
                                            {2, 512, 512, 3, 14, 1, 1},
                                            {2, 32, 32, 3, 112, 1, 1},
                                            {2, 32, 64, 1, 112, 1, 0},
                                            {2, 64, 64, 5, 56, 1, 2},
                                            {2, 64, 128, 1, 56, 1, 0},
                                            {8, 3, 64, 7, 224, 2, 3},
                                            {16, 3, 32 * 2, 3, 32, 1, 1}}};
  std::set<std::pair<Direction, Layer>> there;
  for (const Problem& one : all_of(SelftestExtent::full)) {
    if (one.dtype != Dtype::f32 || one.groups != 1 || one.transposed || one.dilation[0] != 1) continue;
    there.insert({one.direction, {one.n, one.c, one.k, one.filter[0], one.in[0], one.stride[0], one.pad[0]}});
  }
  for (const Direction direction : {Direction::forward, Direction::backward_data, Direction::backward_weights}) {
    for (std::size_t i = 0; i < k_script.size(); ++i)
      EXPECT_EQ(there.count({direction, k_script[i]}), 1U) << to_string(direction) << " layer " << i;
  }
}

TEST(SelftestCases, LayersOfAStackFitEachOther) {
  for (const SelftestExtent extent : k_extents) {
    const auto stacks = training_stacks(extent);
    ASSERT_GE(stacks.size(), 2U);
    for (const TrainingStack& stack : stacks) {
      ASSERT_EQ(stack.layers.size(), 5U);
      for (std::size_t i = 1; i < stack.layers.size(); ++i) {
        EXPECT_EQ(stack.layers[i].dims(TensorRole::x), stack.layers[i - 1].dims(TensorRole::y)) << i;
        EXPECT_EQ(stack.layers[i].strides(TensorRole::x), stack.layers[i - 1].strides(TensorRole::y)) << i;
      }
    }
  }
}

}  // namespace
}  // namespace convoy
