// Fills and checks through the stream that the convolution runs on, as a framework copies.
#include "experiment.h"

#include <algorithm>

namespace convoy::client {

Experiment::Experiment(const Problem& problem, Direction direction, bool bias, const Stream& stream)
    : problem_(problem),
      direction_(direction),
      stream_(stream),
      x_(problem.x().elements() * bytes_of(problem.dtype)),
      w_(problem.w().elements() * bytes_of(problem.dtype)),
      y_(problem.y().elements() * bytes_of(problem.dtype)) {
  const int channels = direction == Direction::backward_data ? problem.c : problem.k;
  if (bias) bias_.emplace(static_cast<std::size_t>(channels) * bytes_of(problem.dtype));
}

void Experiment::upload(const std::vector<double>& values, const DeviceBuffer& buffer) const {
  const auto bytes = encode(values, problem_.dtype);
  check_hip(hipMemcpyAsync(buffer.get(), bytes.data(), bytes.size(), k_host_to_device, stream_.get()),
            "hipMemcpyAsync");
  stream_.synchronize();
}

std::vector<double> Experiment::download(const DeviceBuffer& buffer) const {
  std::vector<std::byte> bytes(buffer.bytes());
  check_hip(hipMemcpyAsync(bytes.data(), buffer.get(), bytes.size(), k_device_to_host, stream_.get()),
            "hipMemcpyAsync");
  stream_.synchronize();
  return decode(bytes, problem_.dtype);
}

void Experiment::fill(std::uint64_t seed) {
  const auto fill_one = [&](const DeviceBuffer& buffer, std::vector<double>& values, bool result) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if (result) {
      check_hip(hipMemsetAsync(buffer.get(), 0xff, buffer.bytes(), stream_.get()), "hipMemsetAsync");
      return;
    }
    values = random_values(buffer.bytes() / bytes_of(problem_.dtype), problem_.dtype, seed);
    upload(values, buffer);
  };
  fill_one(x_, host_.x, direction_ == Direction::backward_data);
  fill_one(w_, host_.w, direction_ == Direction::backward_weights);
  fill_one(y_, host_.y, direction_ == Direction::forward);
  if (has_bias()) fill_one(*bias_, host_.bias, bias_is_result());
  stream_.synchronize();
}

Call Experiment::call() const {
  return {problem_, direction_, x_.get(), w_.get(), y_.get(), has_bias() ? bias_->get() : nullptr, stream_.get()};
}

Check Experiment::check() {
  stream_.synchronize();
  if (direction_ == Direction::forward) host_.y = download(y_);
  if (direction_ == Direction::backward_data) host_.x = download(x_);
  if (direction_ == Direction::backward_weights) host_.w = download(w_);
  if (!has_bias() || !bias_is_result()) return check_convolution(problem_, direction_, host_);
  host_.bias = download(*bias_);
  HostTensors without_bias = host_;
  without_bias.bias.clear();
  const Check weights = check_convolution(problem_, direction_, without_bias);
  const Check gradient = check_bias_gradient(problem_, host_);
  return {weights.ok && gradient.ok, std::max(weights.error, gradient.error),
          std::max(weights.tolerance, gradient.tolerance)};
}

}  // namespace convoy::client
