// One convolution through Convoy's C++ interface (C++17), on random data, a few results checked against a plain loop.
// The problem is given as text, as Convoy's logs and reports write it. Exit status: 0 right numbers, 1 anything else.
#include <array>
#include <cmath>
#include <convoy/convoy.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
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

// Memory of the alignment that Convoy asks of a workspace.
struct AlignedDelete {
  void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
};
using Workspace = std::unique_ptr<std::byte[], AlignedDelete>;

int convolve() {
  // A handle opens the best device and what is remembered about it. A program needs one, and keeps it.
  const convoy::Handle handle;
  const convoy::Problem problem("fwd:f32:nhwc:n2c16h28w30:k24r3s3:pad1x1:stride1x1:dil1x1:g1");
  convoy::Plan plan(handle, problem);

  // Optional: choose now rather than in the first run, and learn how much workspace the choice can use.
  plan.prepare();
  const std::int64_t bytes = plan.workspace_bytes();
  const Workspace workspace(new (std::align_val_t{64}) std::byte[static_cast<std::size_t>(bytes)]);

  std::vector<float> x = random_floats(problem.bytes(CONVOY_X), 1);
  std::vector<float> w = random_floats(problem.bytes(CONVOY_W), 2);
  std::vector<float> y(static_cast<std::size_t>(problem.bytes(CONVOY_Y)) / sizeof(float), NAN);
  plan.run(x.data(), w.data(), y.data(), workspace.get(), bytes);

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

int main() {
  try {
    return convolve();
  } catch (const std::exception& error) {  // convoy::Exception: what went wrong, with the cure where there is one
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
