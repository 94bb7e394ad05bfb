// Implementation of timing.h.
#include "base/timing.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace convoy {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

Timing robust_timing(std::span<const double> samples) {
  if (samples.empty()) return {};
  const double centre = median({samples.begin(), samples.end()});
  std::vector<double> deviations;
  deviations.reserve(samples.size());
  for (const double sample : samples) deviations.push_back(std::abs(sample - centre));
  const double spread = median(std::move(deviations));
  double sum = 0;
  int kept = 0;
  for (const double sample : samples) {
    if (std::abs(sample - centre) > 3 * spread) continue;
    sum += sample;
    ++kept;
  }
  return {sum / kept, spread, static_cast<int>(samples.size())};
}

}  // namespace convoy
