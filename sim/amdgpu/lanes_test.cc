// Exchanges between lanes, atomics, scratch with calls, and a tiled matrix product, on each architecture.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "architectures_test.h"

namespace convoy::amdgpu::test {
namespace {

constexpr int k_threads = 256;
constexpr int k_results = 17;

// What each thread of exchange_lanes must put, in its order.
std::vector<int> exchanged(const std::vector<int>& in, int t, int width) {
  const int lane = t % width, wave = t - lane, row = t & ~15, x = t & 15;
  const auto at = [&](int n) { return in[static_cast<size_t>(n)]; };
  const auto sum = [&](int begin, int end) { return std::accumulate(in.begin() + begin, in.begin() + end, 0); };
  const auto prefix = [&](int lanes) { return sum(std::max(row, t - lanes + 1), t + 1); };
  const auto wave_begin = in.begin() + wave, wave_end = wave_begin + width;
  const auto first_odd = std::find_if(wave_begin, wave_end, [](int value) { return value & 1; });
  const auto above_50 = static_cast<int>(std::count_if(wave_begin, wave_end, [](int value) { return value > 50; }));
  int of_class = 0;
  for (const int value : in) of_class += (value & 3) == (t & 3) ? value : 0;
  return {
      lane,
      sum(t & ~31, (t & ~31) + 32),
      prefix(2),
      prefix(4),
      prefix(16),
      at(t ^ 1),
      at(row | (15 - x)),
      at((t & ~7) | (7 - (t & 7))),
      x ? at(t - 1) : -5,
      lane >> 4 & 1 ? -5 : at(row | ((x - 1) & 15)),
      at(wave),
      at(wave + 7),
      above_50,
      at(t ^ 1),
      at((t & ~3) | (3 - (t & 3))),
      at(t) & 1 ? 3 * *first_odd : -1,
      of_class,
  };
}

std::vector<int> small_numbers() {
  std::vector<int> numbers(k_threads);
  for (int n = 0; n < k_threads; n++) numbers[static_cast<size_t>(n)] = (n * 37 + 11) % 97;
  return numbers;
}

class Lanes : public OnEach {
 protected:
  // Runs one group of 256 threads on two arrays.
  template <typename T, typename U>
  Result<void> run(const std::string& source, const std::string& kernel, const std::vector<T>& in,
                   std::vector<U>& out) {
    module_ = compile(source, GetParam());
    if (!module_) return tl::unexpected(std::string("not loaded"));
    Memory memory;
    memory.add(in.data(), in.size() * sizeof(T));
    memory.add(out.data(), out.size() * sizeof(U));
    Arguments arguments;
    arguments << in.data() << out.data();
    return launch(*module_, kernel, {1, 1, k_threads}, arguments, memory);
  }
  std::shared_ptr<Module> module_;
};

TEST_P(Lanes, ExchangeAndCount) {
  const auto in = small_numbers();
  std::vector<int> out((k_results + 1) * k_threads);  // atomics add to zeros
  const auto done = run("waves", "exchange_lanes", in, out);
  ASSERT_TRUE(done) << done.error();
  const int width = module_->kernel("exchange_lanes")->wave32 ? 32 : 64;
  for (int t = 0; t < k_threads; t++) {
    const auto wanted = exchanged(in, t, width);
    for (int r = 0; r < k_results; r++) {
      EXPECT_EQ(out[static_cast<size_t>(r * k_threads + t)], wanted[static_cast<size_t>(r)])
          << "result " << r << " of thread " << t;
    }
  }
  EXPECT_EQ(out[k_results * k_threads], std::accumulate(in.begin(), in.end(), 0));
  EXPECT_EQ(out[k_results * k_threads + 1], *std::max_element(in.begin(), in.end()));
}

TEST_P(Lanes, CallWithScratch) {
  const auto in = small_numbers();
  std::vector<int> out(k_threads, -1);
  const auto done = run("waves", "call_with_scratch", in, out);
  ASSERT_TRUE(done) << done.error();
  EXPECT_GT(module_->kernel("call_with_scratch")->scratch_bytes, 0u);
  for (int t = 0; t < k_threads; t++) {
    const int x = in[static_cast<size_t>(t)];
    std::vector<int> first(100), second(100);
    for (int n = 0; n < 100; n++) first[static_cast<size_t>(n)] = in[static_cast<size_t>((t + n) & 255)] * n;
    for (int n = 0; n < 100; n++) second[static_cast<size_t>(n)] = first[static_cast<size_t>((n * 13 + x) % 100)];
    unsigned sum = 0;
    for (int n = 0; n < x % 50 + 50; n++)
      sum = sum * 31 + static_cast<unsigned>(second[static_cast<size_t>(n * 7 % 100)]);
    EXPECT_EQ(static_cast<unsigned>(out[static_cast<size_t>(t)]),
              sum + static_cast<unsigned>(first[static_cast<size_t>(x % 100)]))
        << t;
  }
}

TEST_P(Lanes, IndexedRegisters) {
  const auto in = small_numbers();
  std::vector<int> out(k_threads, -1);
  const auto done = run("waves", "index_registers", in, out);
  ASSERT_TRUE(done) << done.error();
  const auto shared = static_cast<unsigned>(in[0]);
  for (unsigned t = 0; t < k_threads; t++) {
    unsigned array[8], sum = 0;
    for (unsigned n = 0; n < 8; n++) array[n] = static_cast<unsigned>(in[(t + n) & 255]);
    for (unsigned n = 0; n < 20; n++) array[(shared + n) & 7] += array[(shared * n) & 7] * 3 + 1;
    for (const unsigned x : array) sum = sum * 31 + x;
    EXPECT_EQ(static_cast<unsigned>(out[t]), sum) << t;
  }
}

TEST_P(Lanes, MatrixProduct) {
  constexpr int k_rows = 70, k_columns = 100, k_depth = 37;
  constexpr unsigned k_seed = 11;
  std::mt19937 random(k_seed);
  std::uniform_real_distribution<float> uniform(0.1F, 1);
  std::vector<float> a(k_rows * k_depth), b(k_depth * k_columns), c(k_rows * k_columns, NAN);
  for (auto& x : a) x = uniform(random);
  for (auto& x : b) x = -uniform(random);
  const auto module = compile("matrix_product", GetParam());
  ASSERT_TRUE(module);
  Memory memory;
  for (auto* one : {&a, &b, &c}) memory.add(one->data(), one->size() * 4);
  Arguments arguments;
  arguments << a.data() << b.data() << c.data() << k_rows << k_columns << k_depth;
  Statistics statistics;
  Options options = Options::defaults();
  options.statistics = options.race = true;
  const auto done = launch(*module, "matrix_product", {(k_columns + 63) / 64, (k_rows + 63) / 64, 256, options},
                           arguments, memory, &statistics);
  ASSERT_TRUE(done) << done.error();
  for (int row = 0; row < k_rows; row++) {
    for (int column = 0; column < k_columns; column++) {
      double sum = 0;
      for (int k = 0; k < k_depth; k++) {
        sum += static_cast<double>(a[static_cast<size_t>(row * k_depth + k)]) *
               b[static_cast<size_t>(k * k_columns + column)];
      }
      ASSERT_NEAR(c[static_cast<size_t>(row * k_columns + column)], sum, k_depth * 1e-6)
          << row << ", " << column << ", seed " << k_seed;
    }
  }
  // 4 groups, 3 iterations, 16 sums of 16 products a thread: the compiler may not save any of them.
  constexpr uint64_t k_multiply_adds = 4ull * 3 * 256 * 16 * 16;
  EXPECT_GE(statistics.flops, 2 * k_multiply_adds);
  EXPECT_GT(statistics.barrier, 0u);
  EXPECT_GE(statistics.lds_cycles, statistics.lds_cycles_least);
  EXPECT_GE(statistics.memory_lines, statistics.memory_lines_least);
  const auto loop = module->main_loop(*module->kernel("matrix_product"));
  ASSERT_TRUE(loop) << loop.error();
  EXPECT_GE(loop->fma, 16u * 16 / 2);  // packed or paired ones do two
  EXPECT_GT(loop->lds, 0u);
}

INSTANTIATE_TEST_SUITE_P(Architectures, Lanes, testing::ValuesIn(k_architectures),
                         [](const auto& one) { return std::string(one.param); });

class Matrices : public OnEach {};

// Against the products written down as AMD's lab notes have them: which element each lane's register holds.
TEST_P(Matrices, Multiply) {
  std::vector<float> a(256), b(256), out(24 * 64, NAN);
  for (int n = 0; n < 256; n++) {
    a[static_cast<size_t>(n)] = static_cast<float>(n * 7 % 23) * 0.25F - 2;
    b[static_cast<size_t>(n)] = static_cast<float>(n * 11 % 19) * 0.125F - 1;
  }
  const auto module = compile("matrix_instructions", GetParam());
  ASSERT_TRUE(module);
  Memory memory;
  for (auto* one : {&a, &b, &out}) memory.add(one->data(), one->size() * 4);
  Arguments arguments;
  arguments << a.data() << b.data() << out.data();
  const auto done = launch(*module, "multiply_matrices", {1, 1, 64}, arguments, memory);
  ASSERT_TRUE(done) << done.error();
  const auto at = [](const std::vector<float>& of, int n) { return of[static_cast<size_t>(n)]; };
  for (int lane = 0; lane < 64; lane++) {
    for (int r = 0; r < 4; r++) {  // 16 x 16 x 4: element k of row i is in lane 16 k + i
      float sum = static_cast<float>(r);
      for (int k = 0; k < 4; k++) sum += at(a, 16 * k + 4 * (lane / 16) + r) * at(b, 16 * k + lane % 16);
      EXPECT_FLOAT_EQ(at(out, r * 64 + lane), sum) << "16x16x4f32, register " << r << " of lane " << lane;
    }
    for (int r = 0; r < 16; r++) {  // 32 x 32 x 2
      float sum = 0;
      const int row = 8 * (r / 4) + 4 * (lane / 32) + r % 4;
      for (int k = 0; k < 2; k++) sum += at(a, 32 * k + row) * at(b, 32 * k + lane % 32);
      EXPECT_FLOAT_EQ(at(out, (4 + r) * 64 + lane), sum) << "32x32x2f32, register " << r << " of lane " << lane;
    }
    for (int r = 0; r < 4; r++) {  // 16 x 16 x 16 of halves: four consecutive elements a lane
      float sum = static_cast<float>(r);
      for (int k = 0; k < 16; k++) {
        const int from = 16 * (k / 4), part = 64 * (k % 4);
        sum += at(a, from + 4 * (lane / 16) + r + part) * at(b, from + lane % 16 + part);
      }
      EXPECT_FLOAT_EQ(at(out, (20 + r) * 64 + lane), sum) << "16x16x16f16, register " << r << " of lane " << lane;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, Matrices, testing::Values("gfx908", "gfx90a"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace convoy::amdgpu::test
