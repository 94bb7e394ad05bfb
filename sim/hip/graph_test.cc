// Recording and replaying, and what a recording stream refuses.
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "sim/hip/client_test.h"

namespace convoy::hip {
namespace {

class GraphTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    x_ = device_floats(64), host_ = host_floats(64), back_ = host_floats(64);
    stream_ = make_stream();
  }
  void TearDown() override {
    if (graph_ != nullptr) hip<Error(Graph*)>("hipGraphDestroy")(graph_);
    if (exec_ != nullptr) hip<Error(GraphExec*)>("hipGraphExecDestroy")(exec_);
    if (stream_ != nullptr) hip<Error(Stream*)>("hipStreamDestroy")(stream_);
    KernelTest::TearDown();
  }
  Error begin(CaptureMode mode = CaptureMode::global) {
    return hip<Error(Stream*, CaptureMode)>("hipStreamBeginCapture")(stream_, mode);
  }
  Error end() { return hip<Error(Stream*, Graph**)>("hipStreamEndCapture")(stream_, &graph_); }
  Error instantiate() {
    using Instantiate = Error(GraphExec**, Graph*, void**, char*, std::size_t);
    return hip<Instantiate>("hipGraphInstantiate")(&exec_, graph_, nullptr, nullptr, 0);
  }
  Error replay() { return hip<Error(GraphExec*, Stream*)>("hipGraphLaunch")(exec_, stream_); }
  Error multiply(Stream* stream) { return launch(kernel("multiply"), 1, 64, stream, {&x_, &count_}); }
  Error upload() { return copy_async(x_, host_, 256, CopyKind::host_to_device, stream_); }
  Error download() { return copy_async(back_, x_, 256, CopyKind::device_to_host, stream_); }
  CaptureStatus status() {
    CaptureStatus status{};
    EXPECT_EQ(hip<Error(Stream*, CaptureStatus*)>("hipStreamIsCapturing")(stream_, &status), Error::success);
    return status;
  }

  float *x_ = nullptr, *host_ = nullptr, *back_ = nullptr;
  int count_ = 64;
  Stream* stream_ = nullptr;
  Graph* graph_ = nullptr;
  GraphExec* exec_ = nullptr;
};

TEST_F(GraphTest, ReplaysKernelsCopiesAndFills) {
  float* zeros = device_floats(64);
  ASSERT_EQ(begin(), Error::success);
  EXPECT_EQ(status(), CaptureStatus::active);
  upload();
  multiply(stream_);
  download();
  using Fill = Error(void*, int, std::size_t, Stream*);
  EXPECT_EQ(hip<Fill>("hipMemsetAsync")(zeros, 0, 256, stream_), Error::success);
  ASSERT_EQ(end(), Error::success);
  EXPECT_EQ(status(), CaptureStatus::none);
  EXPECT_TRUE(std::isnan(back_[5])) << "recording ran the work";
  ASSERT_EQ(instantiate(), Error::success);
  for (float value : {2.0f, 5.0f}) {
    std::fill(host_, host_ + 64, value);
    ASSERT_EQ(replay(), Error::success);
    ASSERT_EQ(synchronize(stream_), Error::success);
    EXPECT_EQ(back_[5], value * 3.0f);
    EXPECT_EQ(read(zeros, 64)[63], 0.0f);
  }
}

TEST_F(GraphTest, OutlivesItsGraphAndItsModule) {
  begin();
  upload();
  multiply(stream_);
  ASSERT_EQ(end(), Error::success);
  ASSERT_EQ(instantiate(), Error::success);
  hip<Error(Graph*)>("hipGraphDestroy")(std::exchange(graph_, nullptr));
  hip<Error(Module*)>("hipModuleUnload")(std::exchange(module_, nullptr));
  std::fill(host_, host_ + 64, 2.0f);
  ASSERT_EQ(replay(), Error::success);
  EXPECT_EQ(read(x_, 64)[5], 6.0f);
}

TEST_F(GraphTest, ReplayOnFreedMemoryBreaksTheCard) {
  void* memory = nullptr;
  allocate(&memory, 256);
  begin();
  copy_async(memory, host_, 256, CopyKind::host_to_device, stream_);
  ASSERT_EQ(end(), Error::success);
  ASSERT_EQ(instantiate(), Error::success);
  hip<Error(void*)>("hipFree")(memory);
  EXPECT_EQ(replay(), Error::success);
  EXPECT_EQ(synchronize(stream_), Error::illegal_address);
  EXPECT_EQ(hip<Error()>("hipDeviceReset")(), Error::success);
  stream_ = nullptr;
}

TEST_F(GraphTest, UnsafeCallsSpoilACapture) {
  void* memory = nullptr;
  struct Case {
    const char* what;
    Error expected;
    std::function<Error()> call;
  } cases[] = {
      {"hipMalloc", Error::capture_unsupported, [&] { return allocate(&memory, 16); }},
      {"hipStreamSynchronize", Error::capture_unsupported, [&] { return synchronize(stream_); }},
      {"hipStreamQuery", Error::capture_unsupported, [&] { return hip<Error(Stream*)>("hipStreamQuery")(stream_); }},
      {"hipDeviceSynchronize", Error::capture_unsupported, [&] { return synchronize(); }},
      {"hipMemcpy", Error::capture_implicit, [&] { return copy(x_, host_, 4, CopyKind::host_to_device); }},
      {"null stream", Error::capture_implicit, [&] { return multiply(nullptr); }},
  };
  for (const Case& one : cases) {
    ASSERT_EQ(begin(), Error::success) << one.what;
    EXPECT_EQ(multiply(stream_), Error::success) << one.what;
    EXPECT_EQ(one.call(), one.expected) << one.what;
    EXPECT_EQ(status(), CaptureStatus::invalidated) << one.what;
    EXPECT_EQ(multiply(stream_), Error::capture_invalidated) << one.what;
    EXPECT_EQ(end(), Error::capture_invalidated) << one.what;
    EXPECT_EQ(graph_, nullptr);
    EXPECT_EQ(status(), CaptureStatus::none) << one.what;
  }
  EXPECT_EQ(memory, nullptr);
}

TEST_F(GraphTest, RelaxedModeAllowsAllocation) {
  void* memory = nullptr;
  ASSERT_EQ(begin(CaptureMode::relaxed), Error::success);
  EXPECT_EQ(allocate(&memory, 16), Error::success);
  EXPECT_EQ(end(), Error::success);
  CaptureMode mode = CaptureMode::relaxed;  // for this thread, whatever the capture's mode
  hip<Error(CaptureMode*)>("hipThreadExchangeStreamCaptureMode")(&mode);
  EXPECT_EQ(mode, CaptureMode::global);
  hip<Error(Graph*)>("hipGraphDestroy")(graph_);
  ASSERT_EQ(begin(), Error::success);
  EXPECT_EQ(hip<Error(void*)>("hipFree")(memory), Error::success);
  EXPECT_EQ(end(), Error::success);
  hip<Error(CaptureMode*)>("hipThreadExchangeStreamCaptureMode")(&mode);
}

TEST_F(GraphTest, CapturesBeginAndEndInOrder) {
  using Begin = Error(Stream*, CaptureMode);
  EXPECT_EQ(hip<Begin>("hipStreamBeginCapture")(nullptr, CaptureMode::global), Error::capture_unsupported);
  EXPECT_EQ(end(), Error::illegal_state);
  ASSERT_EQ(begin(), Error::success);
  EXPECT_EQ(begin(), Error::illegal_state);
  EXPECT_EQ(end(), Error::success);
}

class ForkTest : public GraphTest {
 protected:
  void SetUp() override {
    GraphTest::SetUp();
    if (IsSkipped()) return;
    other_ = make_stream();
    for (Event** event : {&fork_, &join_}) hip<Error(Event**)>("hipEventCreate")(event);
  }
  void TearDown() override {
    if (other_ != nullptr) hip<Error(Stream*)>("hipStreamDestroy")(other_);
    for (Event* event : {fork_, join_}) hip<Error(Event*)>("hipEventDestroy")(event);
    GraphTest::TearDown();
  }
  Error record(Event* event, Stream* stream) { return hip<Error(Event*, Stream*)>("hipEventRecord")(event, stream); }
  Error wait(Stream* stream, Event* event) {
    return hip<Error(Stream*, Event*, unsigned)>("hipStreamWaitEvent")(stream, event, 0);
  }
  Stream* other_ = nullptr;
  Event *fork_ = nullptr, *join_ = nullptr;
};

TEST_F(ForkTest, StreamsJoinACaptureByEvents) {
  begin();
  upload();
  record(fork_, stream_);
  ASSERT_EQ(wait(other_, fork_), Error::success);
  ASSERT_EQ(multiply(other_), Error::success);
  record(join_, other_);
  ASSERT_EQ(wait(stream_, join_), Error::success);
  download();
  EXPECT_EQ(hip<Error(Event*)>("hipEventQuery")(join_), Error::captured_event);
  ASSERT_EQ(end(), Error::success);
  ASSERT_EQ(instantiate(), Error::success);
  std::fill(host_, host_ + 64, 2.0f);
  replay();
  synchronize(stream_);
  EXPECT_EQ(back_[5], 6.0f);
}

TEST_F(ForkTest, AForkThatNobodyWaitsForIsAnError) {
  begin();
  upload();
  record(fork_, stream_);
  wait(other_, fork_);
  record(join_, other_);
  multiply(other_);  // after the event that the capture waits for
  wait(stream_, join_);
  EXPECT_EQ(end(), Error::capture_unjoined);
}

TEST_F(ForkTest, ACaptureCannotWaitForWorkOutside) {
  record(fork_, other_);
  begin();
  EXPECT_EQ(wait(stream_, fork_), Error::capture_isolation);
  EXPECT_EQ(end(), Error::capture_invalidated);
}

}  // namespace
}  // namespace convoy::hip
