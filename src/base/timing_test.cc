// Robust statistics: what must not move the centre, and what must.
#include "base/timing.h"

#include <chrono>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace convoy {
namespace {

TEST(RobustTiming, NoneAndFewSamples) {
  EXPECT_EQ(robust_timing({}).samples, 0);
  const std::vector<double> one{4.0};
  EXPECT_EQ(robust_timing(one).centre, 4.0);
  EXPECT_EQ(robust_timing(one).spread, 0.0);
  const std::vector<double> two{4.0, 6.0};
  EXPECT_EQ(robust_timing(two).centre, 5.0);
  EXPECT_EQ(robust_timing(two).spread, 1.0);
  EXPECT_EQ(robust_timing(two).samples, 2);
}

TEST(RobustTiming, InterruptionsAndLuckyShotsDoNotMoveTheCentre) {
  const std::vector<double> samples{10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 250.0, 0.1};
  const Timing timing = robust_timing(samples);
  EXPECT_NEAR(timing.centre, 10.0, 1e-9);
  EXPECT_NEAR(timing.spread, 0.15, 0.06);
  EXPECT_EQ(timing.samples, 8);
}

TEST(RobustTiming, EqualSamplesWithOneOutlier) {
  const std::vector<double> samples{7.0, 7.0, 7.0, 7.0, 90.0};
  EXPECT_EQ(robust_timing(samples).centre, 7.0);
  EXPECT_EQ(robust_timing(samples).spread, 0.0);
}

TEST(RobustTiming, ThirtyPercentOfSpoiledSamplesAreTolerated) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise(5.0, 0.05);
    std::uniform_real_distribution<double> spoiled(20.0, 500.0);
    std::vector<double> samples;
    for (int i = 0; i < 100; ++i) samples.push_back(i % 10 < 3 ? spoiled(random) : noise(random));
    EXPECT_NEAR(robust_timing(samples).centre, 5.0, 0.05) << "seed " << seed;
  }
}

TEST(DeadlineIn, ForEverDoesNotOverflow) {
  EXPECT_GT(deadline_in(std::chrono::milliseconds::max()), deadline_in(std::chrono::hours(24)));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_GE(deadline_in(std::chrono::milliseconds(5)) - before, std::chrono::milliseconds(5));
}

}  // namespace
}  // namespace convoy
