// The tensors of one convolution, on the device and on the host: filled with random numbers, the output with NaN; checked
// afterwards.
#pragma once

#include <optional>

#include "calls.h"
#include "numbers.h"

namespace convoy::client {

class Experiment {
 public:
  Experiment(const Problem& problem, Direction direction, bool bias, const Stream& stream);

  // New inputs, and NaN where the result goes. Complete on return.
  void fill(std::uint64_t seed);
  Call call() const;
  // Waits for the stream, reads the result.
  Check check();

 private:
  // Backward weights has the bias's gradient: a result, not an input. Backward data has a bias per channel of x, as
  // ConvTranspose wants.
  bool bias_is_result() const { return direction_ == Direction::backward_weights; }
  bool has_bias() const { return bias_.has_value(); }
  void upload(const std::vector<double>& values, const DeviceBuffer& buffer) const;
  std::vector<double> download(const DeviceBuffer& buffer) const;

  Problem problem_;
  Direction direction_;
  const Stream& stream_;
  DeviceBuffer x_, w_, y_;
  std::optional<DeviceBuffer> bias_;
  HostTensors host_;
};

}  // namespace convoy::client
