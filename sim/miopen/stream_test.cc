// Work goes into the handle's stream, and nothing but Find waits for it.
#include <limits>
#include <thread>

#include "sim/hip/convoy_sim.h"
#include "sim/miopen/client_test.h"

namespace convoy::miopen {

extern "C" {
Error hipStreamCreateWithFlags(Queue*, unsigned);
Error hipStreamDestroy(Queue);
Error hipStreamBeginCapture(Queue, hip::CaptureMode);
Error hipStreamEndCapture(Queue, void**);
Error hipGraphInstantiate(void**, void*, void**, char*, std::size_t);
Error hipGraphLaunch(void*, Queue);
Error hipGraphExecDestroy(void*);
Error hipGraphDestroy(void*);
}

namespace {

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

class Streams : public MiopenTest {
 protected:
  void SetUp() override {
    MiopenTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(hipStreamCreateWithFlags(&stream_, hip::k_stream_non_blocking), Error::success);
    ASSERT_EQ(miopenSetStream(handle_, stream_), k_success);
  }
  void TearDown() override {
    if (stream_ != nullptr) hipStreamDestroy(stream_);
    MiopenTest::TearDown();
  }
  // The result as it is now, whatever is queued: device memory is memory of the process.
  static float first_number(const Convolution& convolution) {
    return *static_cast<const volatile float*>(convolution.y->memory);
  }

  Queue stream_ = nullptr;
};

TEST_F(Streams, OnlyFindWaits) {
  ASSERT_EQ(convoy_sim_configure("late=1"), 0);
  Convolution convolution(handle_, plain_shape());
  convolution.y->fill(k_nan);
  std::vector<AlgorithmPerformance> found;
  EXPECT_EQ(convolution.find(Way::forward, 1, found, 0), k_success);
  EXPECT_EQ(first_number(convolution), first_number(convolution)) << "Find has run it";
  convolution.y->fill(k_nan);
  EXPECT_EQ(convolution.run(Way::forward, k_direct), k_success);
  EXPECT_EQ(convolution.immediate(Way::forward, 85), k_success);
  EXPECT_NE(first_number(convolution), first_number(convolution)) << "nobody has waited yet";
  EXPECT_EQ(hipStreamSynchronize(stream_), Error::success);
  EXPECT_TRUE(convolution.is_right(Way::forward));
  ASSERT_EQ(convoy_sim_configure("late=0"), 0);
}

TEST_F(Streams, ConvolutionsAreCapturedIntoGraphs) {
  Convolution convolution(handle_, plain_shape());
  ASSERT_EQ(convolution.compile(Way::forward, 85), k_success);
  void *graph = nullptr, *executable = nullptr;
  ASSERT_EQ(hipStreamBeginCapture(stream_, hip::CaptureMode::global), Error::success);
  EXPECT_EQ(convolution.run(Way::forward, k_direct), k_success);
  ASSERT_EQ(hipStreamEndCapture(stream_, &graph), Error::success);
  ASSERT_EQ(hipGraphInstantiate(&executable, graph, nullptr, nullptr, 0), Error::success);
  for (unsigned seed : {11u, 12u}) {
    convolution.x->fill_random(seed);
    convolution.y->fill(k_nan);
    ASSERT_EQ(hipGraphLaunch(executable, stream_), Error::success);
    ASSERT_EQ(hipStreamSynchronize(stream_), Error::success);
    EXPECT_TRUE(convolution.is_right(Way::forward));
  }
  hipGraphExecDestroy(executable);
  hipGraphDestroy(graph);
}

TEST_F(Streams, FindFailsUnderCapture) {
  Convolution convolution(handle_, plain_shape());
  std::vector<AlgorithmPerformance> found;
  void* graph = nullptr;
  ASSERT_EQ(hipStreamBeginCapture(stream_, hip::CaptureMode::global), Error::success);
  EXPECT_EQ(convolution.find(Way::forward, 1, found, 0), k_unknown_error);
  EXPECT_NE(hipStreamEndCapture(stream_, &graph), Error::success);
}

TEST_F(Streams, AHandleStaysOnItsDevice) {
  ASSERT_EQ(convoy_sim_configure("devices=gfx1010,gfx1010"), 0);
  Handle second = nullptr;
  ASSERT_EQ(hipSetDevice(1), Error::success);
  ASSERT_EQ(miopenCreate(&second), k_success);
  {
    Convolution convolution(second, plain_shape());
    convolution.y->fill(k_nan);
    ASSERT_EQ(hipSetDevice(0), Error::success);
    EXPECT_EQ(convolution.immediate(Way::forward, 85), k_success);
    int current = -1;
    EXPECT_EQ(hipGetDevice(&current), Error::success);
    EXPECT_EQ(current, 0);
    EXPECT_TRUE(convolution.is_right(Way::forward));
  }
  EXPECT_EQ(miopenDestroy(second), k_success);
  ASSERT_EQ(convoy_sim_configure("devices=gfx1010"), 0);
}

TEST_F(Streams, EachThreadHasItsHandle) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      Handle handle = nullptr;
      ASSERT_EQ(miopenCreate(&handle), k_success);
      for (Way way : k_ways) {
        Convolution convolution(handle, plain_shape());
        std::vector<AlgorithmPerformance> found;
        EXPECT_EQ(convolution.find(way, 1, found, 0), k_success);
        EXPECT_EQ(convolution.run(way, found[0].algorithm), k_success);
        EXPECT_TRUE(convolution.is_right(way));
      }
      EXPECT_EQ(miopenDestroy(handle), k_success);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace convoy::miopen
