// The same source compiled for the GPU and for the host must give the same bits: integers of all widths, floats, doubles, halves,
// conversions, divisions, private arrays, loops.
#include "test_kernels/arithmetic.h"

#include <random>
#include <vector>

#include "architectures_test.h"

namespace convoy::amdgpu::test {
namespace {

constexpr int k_threads = 5000;
constexpr unsigned k_seed = 3;

// Random words, and many of the kinds that break things: small, slightly negative, zero.
std::vector<unsigned> inputs() {
  std::mt19937 random(k_seed);
  std::vector<unsigned> words(static_cast<size_t>(k_threads) * arithmetic::k_inputs);
  for (auto& word : words) {
    word = random();
    switch (random() % 10) {
      case 0: word &= 0xff; break;
      case 1: word = ~(word & 0xf); break;
      case 2: word = 0; break;
      case 3: word >>= 12; break;
      default: break;
    }
  }
  return words;
}

class Arithmetic : public OnEach {
 protected:
  Result<void> run(const std::vector<unsigned>& in, std::vector<unsigned>& out) {
    const auto module = compile("arithmetic", GetParam(), {"-ffp-contract=off"});
    if (!module) return tl::unexpected(std::string("not loaded"));
    Memory memory;
    memory.add(in.data(), in.size() * sizeof in[0]);
    memory.add(out.data(), out.size() * sizeof out[0]);
    Arguments arguments;
    arguments << in.data() << out.data() << k_threads;
    return launch(*module, "arithmetic_test", {(k_threads + 127) / 128, 1, 128}, arguments, memory);
  }
};

TEST_P(Arithmetic, IsTheHostCompilers) {
  const auto in = inputs();
  const size_t size = static_cast<size_t>(k_threads) * arithmetic::k_most_results;
  std::vector<unsigned> wanted(size), got(size, 0xcccccccc);
  int results = 0;
  for (int thread = 0; thread < k_threads; thread++)
    results = arithmetic::compute(in.data(), wanted.data(), thread, k_threads);
  ASSERT_LE(results, arithmetic::k_most_results);
  const auto done = run(in, got);
  ASSERT_TRUE(done) << done.error();
  for (int r = 0; r < results; r++) {
    int different = 0, first = -1;
    for (int thread = 0; thread < k_threads; thread++) {
      const size_t at = static_cast<size_t>(r) * k_threads + static_cast<size_t>(thread);
      if (got[at] == wanted[at]) continue;
      if (different++ == 0) first = thread;
    }
    const size_t at = static_cast<size_t>(r) * k_threads + static_cast<size_t>(std::max(first, 0));
    EXPECT_EQ(different, 0) << "result " << r << ", seed " << k_seed << ", first in thread " << first << std::hex
                            << ": " << got[at] << ", on the host " << wanted[at];
  }
}

TEST_P(Arithmetic, OneBitOfOneInputIsSeen) {
  auto in = inputs();
  std::vector<unsigned> first(static_cast<size_t>(k_threads) * arithmetic::k_most_results), second = first;
  ASSERT_TRUE(run(in, first));
  in[4 * 1234] ^= 1;
  ASSERT_TRUE(run(in, second));
  EXPECT_NE(first, second);
}

INSTANTIATE_TEST_SUITE_P(Architectures, Arithmetic, testing::ValuesIn(k_architectures),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace convoy::amdgpu::test
