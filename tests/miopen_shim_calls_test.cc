// Single calls of MIOpen's interface, with the interposer in front (LD_PRELOAD, see CMakeLists.txt): scaling factors, transposed mode,
// empty batches, wrong arguments, what is not ours, profiling, solution ids. A linked program, as compiled against MIOpen.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "abi/miopen.h"

namespace convoy::miopen {

#define MIOPEN_FUNCTION(name, result, parameters) extern "C" result name parameters;
#include "abi/miopen_functions.inc"
extern "C" {
int hipMalloc(void** memory, std::size_t bytes);
int hipFree(void* memory);
int hipMemcpy(void* to, const void* from, std::size_t bytes, int kind);
int hipDeviceSynchronize();
}

namespace {

constexpr int k_to_device = 1, k_to_host = 2;
constexpr unsigned k_seed = 20261121;

// Channels 2 -> 3, 1x1, on 2 images of 3x4.
constexpr int k_n = 2, k_c = 2, k_k = 3, k_h = 3, k_w = 4, k_points = k_h * k_w;

class Buffer {
 public:
  explicit Buffer(const std::vector<float>& values) : count_(values.size()) {
    EXPECT_EQ(hipMalloc(&data_, bytes() + 4), 0);
    EXPECT_EQ(hipMemcpy(data_, values.data(), bytes(), k_to_device), 0);
  }
  ~Buffer() { hipFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return data_; }
  std::vector<float> values() const {
    std::vector<float> values(count_);
    EXPECT_EQ(hipDeviceSynchronize(), 0);
    EXPECT_EQ(hipMemcpy(values.data(), data_, bytes(), k_to_host), 0);
    return values;
  }

 private:
  std::size_t bytes() const { return count_ * sizeof(float); }
  std::size_t count_;
  void* data_ = nullptr;
};

class ShimCalls : public testing::Test {
 protected:
  ShimCalls() {
    EXPECT_EQ(miopenCreate(&handle_), k_success);
    for (TensorDescriptor* tensor : {&x_, &w_, &y_}) EXPECT_EQ(miopenCreateTensorDescriptor(tensor), k_success);
    EXPECT_EQ(miopenCreateConvolutionDescriptor(&convolution_), k_success);
    describe(k_float, k_n, k_convolution);
  }
  ~ShimCalls() override {
    for (TensorDescriptor tensor : {x_, w_, y_}) miopenDestroyTensorDescriptor(tensor);
    miopenDestroyConvolutionDescriptor(convolution_);
    EXPECT_EQ(miopenDestroy(handle_), k_success);
  }

  void describe(DataType type, int n, Mode mode) {
    const int zeros[] = {0, 0}, ones[] = {1, 1};
    EXPECT_EQ(miopenInitConvolutionNdDescriptor(convolution_, 2, zeros, ones, ones, mode), k_success);
    const bool transposed = mode == k_transpose;
    miopenSet4dTensorDescriptor(x_, type, n, transposed ? k_k : k_c, k_h, k_w);
    miopenSet4dTensorDescriptor(w_, type, k_k, k_c, 1, 1);
    miopenSet4dTensorDescriptor(y_, type, n, transposed ? k_c : k_k, k_h, k_w);
  }

  static std::vector<float> random(int count) {
    static std::mt19937 generator(k_seed);
    std::uniform_real_distribution<float> between(0.5F, 1.5F);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = between(generator);
    return values;
  }

  static double forward_at(const std::vector<float>& x, const std::vector<float>& w, int n, int k, int point) {
    double sum = 0;
    for (int c = 0; c < k_c; ++c)
      sum += double{x[static_cast<std::size_t>((n * k_c + c) * k_points + point)]} *
             double{w[static_cast<std::size_t>(k * k_c + c)]};
    return sum;
  }

  Status forward(const Buffer& x, const Buffer& w, const Buffer& y, float alpha = 1, float beta = 0) {
    return miopenConvolutionForward(handle_, &alpha, x_, x.data(), w_, w.data(), convolution_, k_gemm, &beta, y_,
                                    y.data(), nullptr, 0);
  }

  Handle handle_ = nullptr;
  TensorDescriptor x_ = nullptr, w_ = nullptr, y_ = nullptr;
  ConvolutionDescriptor convolution_ = nullptr;
};

TEST_F(ShimCalls, scaling_factors_are_honoured) {
  const auto x = random(k_n * k_c * k_points), w = random(k_k * k_c), before = random(k_n * k_k * k_points);
  const Buffer x_buffer(x), w_buffer(w);
  for (const auto& [alpha, beta] : {std::pair{1.0F, 0.0F}, {2.0F, 0.0F}, {1.0F, 1.0F}, {-0.5F, 3.0F}, {0.0F, 0.25F}}) {
    const Buffer y(beta == 0 ? std::vector<float>(before.size(), NAN) : before);
    ASSERT_EQ(forward(x_buffer, w_buffer, y, alpha, beta), k_success) << alpha << " " << beta;
    const auto result = y.values();
    for (int i = 0; i < k_n * k_k * k_points; ++i) {
      const int n = i / (k_k * k_points), k = i / k_points % k_k;
      const double old = beta == 0 ? 0 : double{before[static_cast<std::size_t>(i)]};
      const double expected = double{alpha} * forward_at(x, w, n, k, i % k_points) + double{beta} * old;
      ASSERT_NEAR(result[static_cast<std::size_t>(i)], expected, 1e-5) << alpha << " " << beta << " at " << i;
    }
  }
}

// In transposed mode the filter is [c of x][k of y]; forward is backward data of the ordinary convolution.
TEST_F(ShimCalls, transposed_mode) {
  describe(k_float, k_n, k_transpose);
  const auto x = random(k_n * k_k * k_points), w = random(k_k * k_c);
  const Buffer x_buffer(x), w_buffer(w), y(std::vector<float>(std::size_t{k_n} * k_c * k_points, NAN));
  ASSERT_EQ(forward(x_buffer, w_buffer, y), k_success);
  const auto result = y.values();
  for (int i = 0; i < k_n * k_c * k_points; ++i) {
    const int n = i / (k_c * k_points), c = i / k_points % k_c;
    double sum = 0;
    for (int k = 0; k < k_k; ++k)
      sum += double{x[static_cast<std::size_t>((n * k_k + k) * k_points + i % k_points)]} *
             double{w[static_cast<std::size_t>(k * k_c + c)]};
    ASSERT_NEAR(result[static_cast<std::size_t>(i)], sum, 1e-5) << i;
  }
}

TEST_F(ShimCalls, an_empty_batch) {
  describe(k_float, 0, k_convolution);
  const Buffer x({}), w(random(k_k * k_c)), y({});
  EXPECT_EQ(forward(x, w, y), k_success);
  const Buffer dw(std::vector<float>(std::size_t{k_k} * k_c, NAN));
  const float one = 1, zero = 0;
  ASSERT_EQ(miopenConvolutionBackwardWeights(handle_, &one, y_, y.data(), x_, x.data(), convolution_, k_gemm, &zero, w_,
                                             dw.data(), nullptr, 0),
            k_success);
  for (const float value : dw.values()) EXPECT_EQ(value, 0);
}

TEST_F(ShimCalls, wrong_arguments_are_refused) {
  const Buffer x(random(k_n * k_c * k_points)), w(random(k_k * k_c)), y(random(k_n * k_k * k_points));
  const float one = 1, zero = 0;
  EXPECT_EQ(miopenConvolutionForward(handle_, &one, x_, nullptr, w_, w.data(), convolution_, k_gemm, &zero, y_,
                                     y.data(), nullptr, 0),
            k_bad_parm);
  EXPECT_EQ(miopenConvolutionForward(handle_, nullptr, x_, x.data(), w_, w.data(), convolution_, k_gemm, &zero, y_,
                                     y.data(), nullptr, 0),
            k_bad_parm);
  int found = 0;
  AlgorithmPerformance one_result{};
  EXPECT_EQ(miopenFindConvolutionForwardAlgorithm(handle_, x_, x.data(), w_, w.data(), convolution_, y_, y.data(), 0,
                                                  &found, &one_result, nullptr, 0, false),
            k_bad_parm);
  std::size_t bytes = 0;
  EXPECT_NE(miopenConvolutionForwardGetWorkSpaceSize(handle_, nullptr, x_, convolution_, y_, &bytes), k_success);
  EXPECT_NE(miopenConvolutionForwardGetWorkSpaceSize(handle_, w_, x_, nullptr, y_, &bytes), k_success);
  // An id that nobody handed out.
  EXPECT_EQ(miopenConvolutionForwardCompileSolution(handle_, w_, x_, convolution_, y_, std::uint64_t{1} << 40),
            k_bad_parm);
}

// What Convoy cannot express is answered by the library as ever, and by nobody else.
TEST_F(ShimCalls, what_is_not_ours_goes_to_the_library) {
  describe(k_double, k_n, k_convolution);
  std::size_t count = 77;
  const Status status = miopenConvolutionForwardGetSolutionCount(handle_, w_, x_, convolution_, y_, &count);
  EXPECT_TRUE(status != k_success || count != 1) << "the interposer has answered";
}

// The group count was never set: the library refuses, and so do we.
TEST_F(ShimCalls, a_filter_that_fits_no_group_count_is_refused) {
  miopenSet4dTensorDescriptor(w_, k_float, k_k + 1, k_c / 2, 1, 1);
  miopenSet4dTensorDescriptor(y_, k_float, k_n, k_k + 1, k_h, k_w);
  const Buffer x(random(k_n * k_c * k_points)), w(random((k_k + 1) * k_c / 2)), y(random(k_n * (k_k + 1) * k_points));
  EXPECT_NE(forward(x, w, y), k_success);
}

TEST_F(ShimCalls, immediate_mode_offers_one_solution_of_ours) {
  std::size_t count = 0;
  ASSERT_EQ(miopenConvolutionForwardGetSolutionCount(handle_, w_, x_, convolution_, y_, &count), k_success);
  EXPECT_EQ(count, 1U);
  ConvolutionSolution solution{};
  ASSERT_EQ(miopenConvolutionForwardGetSolution(handle_, w_, x_, convolution_, y_, 1, &count, &solution), k_success);
  EXPECT_GE(solution.solution_id, std::uint64_t{1} << 32);
  ASSERT_EQ(miopenConvolutionForwardCompileSolution(handle_, w_, x_, convolution_, y_, solution.solution_id),
            k_success);
  const auto x = random(k_n * k_c * k_points), w = random(k_k * k_c);
  const Buffer x_buffer(x), w_buffer(w), y(std::vector<float>(std::size_t{k_n} * k_k * k_points, NAN));
  ASSERT_EQ(miopenConvolutionForwardImmediate(handle_, w_, w_buffer.data(), x_, x_buffer.data(), convolution_, y_,
                                              y.data(), nullptr, 0, solution.solution_id),
            k_success);
  EXPECT_NEAR(y.values()[0], forward_at(x, w, 0, 0, 0), 1e-5);
  // The library's own ids stay its own: its naive kernel, which MIOpenDriver verifies against.
  ASSERT_EQ(miopenConvolutionForwardImmediate(handle_, w_, w_buffer.data(), x_, x_buffer.data(), convolution_, y_,
                                              y.data(), nullptr, 0, 85),
            k_success);
  EXPECT_NEAR(y.values()[1], forward_at(x, w, 0, 0, 1), 1e-5);
}

TEST_F(ShimCalls, who_wants_the_library_itself_gets_it) {
  const auto pass_through = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "convoy_miopen_pass_through"));
  ASSERT_NE(pass_through, nullptr);
  const auto first_id = [this] {
    std::size_t count = 0;
    ConvolutionSolution solution{};
    EXPECT_EQ(miopenConvolutionForwardGetSolution(handle_, w_, x_, convolution_, y_, 1, &count, &solution), k_success);
    return solution.solution_id;
  };
  pass_through(1);
  pass_through(1);
  pass_through(-1);
  EXPECT_LT(first_id(), std::uint64_t{1} << 32);
  pass_through(-1);
  EXPECT_GE(first_id(), std::uint64_t{1} << 32);
}

TEST_F(ShimCalls, profiled_handles_know_the_time_of_our_runs) {
  const Buffer x(random(k_n * k_c * k_points)), w(random(k_k * k_c)), y(random(k_n * k_k * k_points));
  ASSERT_EQ(miopenEnableProfiling(handle_, true), k_success);
  ASSERT_EQ(forward(x, w, y), k_success);
  float milliseconds = -1;
  ASSERT_EQ(miopenGetKernelTime(handle_, &milliseconds), k_success);
  EXPECT_GT(milliseconds, 0);
  ASSERT_EQ(miopenEnableProfiling(handle_, false), k_success);
}

}  // namespace
}  // namespace convoy::miopen

int main(int argc, char** argv) {
  std::printf("seed %u\n", convoy::miopen::k_seed);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
