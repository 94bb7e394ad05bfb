// One convolution through Convoy's C++ interface (C++17), on random data, a few results checked against a plain loop.
// The problem is given as text, as Convoy's logs and reports write it. An argument names the device.
// Exit status: 0 right numbers, 1 anything else.
#include <array>
#include <cmath>
#include <convoy/convoy.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

using Sizes = std::array<std::int64_t, 5>;

std::vector<float> random_floats(std::int64_t bytes, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> values(-0.5F, 0.5F);
  std::vector<float> data(static_cast<std::size_t>(bytes) / sizeof(float));
  for (float& value : data) value = values(generator);
  return data;
}

// One element of y as the definition has it: stride 1, padding 1, x as n h w c and the filter as k r s c.
double expected(const std::vector<float>& x, const Sizes& in, const std::vector<float>& w, const Sizes& filter,
                const Sizes& at) {
  const auto [n, k, p, q, unused] = at;
  double sum = 0;
  for (std::int64_t r = 0; r < filter[2]; ++r) {
    for (std::int64_t s = 0; s < filter[3]; ++s) {
      const std::int64_t row = p + r - 1, column = q + s - 1;
      if (row < 0 || row >= in[2] || column < 0 || column >= in[3]) continue;
      for (std::int64_t c = 0; c < in[1]; ++c) {
        const auto from = ((n * in[2] + row) * in[3] + column) * in[1] + c;
        const auto with = ((k * filter[2] + r) * filter[3] + s) * in[1] + c;
        sum += static_cast<double>(x[static_cast<std::size_t>(from)]) * w[static_cast<std::size_t>(with)];
      }
    }
  }
  return sum;
}

int convolve(const std::string& device) {
  // A handle opens the best device and what is remembered about it. A program needs one, and keeps it.
  const convoy::Handle handle(device);
  const convoy::Problem problem("fwd:f32:nhwc:n2c16h28w30:k24r3s3:pad1x1:stride1x1:dil1x1:g1");
  convoy::Plan plan(handle, problem);

  // Optional: choose now rather than in the first run, and learn how much workspace the choice can use.
  plan.prepare();
  const std::int64_t bytes = plan.workspace_bytes();
  const convoy::Memory workspace(handle, bytes);

  // Tensors live in the device's memory. On "cpu" that is the host's: x, w and y themselves would do.
  const std::int64_t x_bytes = problem.bytes(CONVOY_X);
  const std::int64_t w_bytes = problem.bytes(CONVOY_W);
  const std::int64_t y_bytes = problem.bytes(CONVOY_Y);
  const std::vector<float> x = random_floats(x_bytes, 1), w = random_floats(w_bytes, 2);
  const convoy::Memory on_x(handle, x_bytes), on_w(handle, w_bytes), on_y(handle, y_bytes);
  handle.upload(on_x.data(), x.data(), x_bytes);
  handle.upload(on_w.data(), w.data(), w_bytes);
  plan.run(on_x.data(), on_w.data(), on_y.data(), workspace.data(), bytes);
  std::vector<float> y(static_cast<std::size_t>(y_bytes) / sizeof(float), NAN);
  handle.download(y.data(), on_y.data(), y_bytes);

  const Sizes in = problem.sizes(CONVOY_X), filter = problem.sizes(CONVOY_W), out = problem.sizes(CONVOY_Y);
  for (std::size_t i = 0; i < 12; ++i) {
    const auto index = static_cast<std::int64_t>(i * (y.size() - 1) / 11);
    const Sizes at{index / (out[1] * out[3] * out[2]), index % out[1], index / (out[1] * out[3]) % out[2],
                   index / out[1] % out[3], 0};
    const double want = expected(x, in, w, filter, at), got = y[static_cast<std::size_t>(index)];
    if (!(std::fabs(got - want) <= 1e-4 * (1 + std::fabs(want)))) {  // so that NaN is wrong too
      std::cerr << "y[" << index << "] is " << got << ", expected " << want << '\n';
      return EXIT_FAILURE;
    }
  }

  constexpr std::array<const char*, 5> tiers{"vendor", "own", "generic", "cpu", "reference"};
  const convoy_statistics statistics = handle.statistics();
  std::cout << problem.string() << "\n  right numbers on " << handle.device() << " by " << plan.solver() << " (tier "
            << tiers[plan.tier()] << "), " << bytes << " bytes of workspace\n  " << statistics.problems << " problem, "
            << statistics.calls << " call, " << statistics.fallbacks << " fallbacks\n";
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return convolve(argc > 1 ? argv[1] : "auto");
  } catch (const std::exception& error) {  // convoy::Exception: what went wrong, with the cure where there is one
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
