// Robust statistics over repeated timings. Neither the mean (biased up by interruptions) nor the minimum (a lucky shot)
// estimates a run time well: we take the mean of what is left after clipping outliers round the median.
#pragma once

#include <algorithm>
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

// Now plus `patience`, at most a year: "for ever" must not overflow a time point.
inline std::chrono::steady_clock::time_point deadline_in(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds k_year = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::min(patience, k_year);
}

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace convoy
