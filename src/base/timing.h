// Robust statistics over repeated timings. Neither the mean (biased up by interruptions) nor the minimum (a lucky shot)
// estimates a run time well: we take the mean of what is left after clipping outliers round the median.
#pragma once

#include <chrono>
#include <span>

namespace convoy {

// Centre and spread of a sample, in the sample's unit.
struct Timing {
  double centre = 0;  // mean of the samples within 3 median absolute deviations of the median
  double spread = 0;  // median absolute deviation
  int samples = 0;
};
Timing robust_timing(std::span<const double> samples);

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace convoy
