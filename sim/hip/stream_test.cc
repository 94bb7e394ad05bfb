// The order of queued work, with and without late streams, and events.
#include <algorithm>
#include <cmath>

#include "sim/hip/client_test.h"

namespace convoy::hip {
namespace {

class StreamTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    x_ = device_floats(64), host_ = host_floats(64), back_ = host_floats(64);
    std::vector<float> a = numbers(64, 11);
    std::copy(a.begin(), a.end(), host_);
    first_ = make_stream(k_stream_non_blocking), second_ = make_stream(k_stream_non_blocking);
    hip<Error(Event**)>("hipEventCreate")(&event_);
  }
  void TearDown() override {
    if (first_ != nullptr) {
      hip<Error(Stream*)>("hipStreamDestroy")(first_);
      hip<Error(Stream*)>("hipStreamDestroy")(second_);
      hip<Error(Event*)>("hipEventDestroy")(event_);
    }
    KernelTest::TearDown();
  }
  Error upload(Stream* stream) { return copy_async(x_, host_, 256, CopyKind::host_to_device, stream); }
  Error download(Stream* stream) { return copy_async(back_, x_, 256, CopyKind::device_to_host, stream); }
  Error multiply(Stream* stream) { return launch(kernel("multiply"), 1, 64, stream, {&x_, &count_}); }
  Error record(Stream* stream) { return hip<Error(Event*, Stream*)>("hipEventRecord")(event_, stream); }
  Error wait(Stream* stream) { return hip<Error(Stream*, Event*, unsigned)>("hipStreamWaitEvent")(stream, event_, 0); }

  float *x_ = nullptr, *host_ = nullptr, *back_ = nullptr;
  int count_ = 64;
  Stream *first_ = nullptr, *second_ = nullptr;
  Event* event_ = nullptr;
};

TEST_F(StreamTest, WorkRunsAtOnceUnlessLate) {
  EXPECT_EQ(upload(first_), Error::success);
  EXPECT_EQ(multiply(first_), Error::success);
  EXPECT_EQ(download(first_), Error::success);
  EXPECT_EQ(back_[5], host_[5] * 3.0f);
}

TEST_F(StreamTest, LateWorkRunsWhenWaitedFor) {
  ASSERT_EQ(configure("late=1"), 0);
  upload(first_);
  multiply(first_);
  download(first_);
  EXPECT_TRUE(std::isnan(back_[5]));
  EXPECT_EQ(synchronize(second_), Error::success);
  EXPECT_TRUE(std::isnan(back_[5])) << "waiting for another stream ran this one's work";
  EXPECT_EQ(synchronize(first_), Error::success);
  EXPECT_EQ(back_[5], host_[5] * 3.0f);
}

TEST_F(StreamTest, LateWorkWaitsForEventsOnly) {
  ASSERT_EQ(configure("late=1"), 0);
  upload(first_);
  multiply(first_);
  record(first_);
  multiply(first_);  // after the event: the other stream does not wait for it
  wait(second_);
  download(second_);
  EXPECT_EQ(synchronize(second_), Error::success);
  EXPECT_EQ(back_[5], host_[5] * 3.0f);
  synchronize(first_);
  EXPECT_EQ(read(x_, 64)[5], host_[5] * 3.0f * 3.0f);
}

TEST_F(StreamTest, AForgottenWaitShowsWhenLate) {
  ASSERT_EQ(configure("late=1"), 0);
  upload(first_);
  multiply(first_);
  download(second_);
  synchronize(second_);
  EXPECT_TRUE(std::isnan(back_[5])) << "the second stream waited although nobody told it";
  synchronize(first_);
}

TEST_F(StreamTest, AWaitIsForTheEventAsItWas) {
  ASSERT_EQ(configure("late=1"), 0);
  upload(first_);
  record(first_);
  wait(second_);
  multiply(first_);
  record(first_);  // again, for somebody else
  download(second_);
  synchronize(second_);
  EXPECT_EQ(back_[5], host_[5]);
  synchronize(first_);
}

TEST_F(StreamTest, TheNullStreamAndStreamsThatFollowItWaitForEachOther) {
  ASSERT_EQ(configure("late=1"), 0);
  Stream* following = make_stream();
  upload(following);
  multiply(nullptr);
  download(following);
  EXPECT_TRUE(std::isnan(back_[5]));
  EXPECT_EQ(synchronize(following), Error::success);
  EXPECT_EQ(back_[5], host_[5] * 3.0f);
  hip<Error(Stream*)>("hipStreamDestroy")(following);
}

TEST_F(StreamTest, PageableMemoryIsCopiedBeforeTheCallReturns) {
  ASSERT_EQ(configure("late=1"), 0);
  std::vector<float> pageable(64);
  upload(first_);
  multiply(first_);
  EXPECT_EQ(copy_async(pageable.data(), x_, 256, CopyKind::device_to_host, first_), Error::success);
  EXPECT_EQ(pageable[5], host_[5] * 3.0f);
}

TEST_F(StreamTest, AQueryAnswersNotReadyOnce) {
  ASSERT_EQ(configure("late=1"), 0);
  upload(first_);
  record(first_);
  download(first_);
  EXPECT_EQ(hip<Error(Event*)>("hipEventQuery")(event_), Error::not_ready);
  EXPECT_EQ(hip<Error(Event*)>("hipEventQuery")(event_), Error::success);
  EXPECT_EQ(hip<Error(Stream*)>("hipStreamQuery")(first_), Error::not_ready);
  EXPECT_EQ(hip<Error(Stream*)>("hipStreamQuery")(first_), Error::success);
  EXPECT_EQ(back_[5], host_[5]);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::success);  // "not ready" is no error
}

TEST_F(StreamTest, MemoryIsFreedInTheStreamsOrder) {
  ASSERT_EQ(configure("late=1"), 0);
  float* memory = nullptr;
  using Allocate = Error(float**, std::size_t, Stream*);
  ASSERT_EQ(hip<Allocate>("hipMallocAsync")(&memory, 256, first_), Error::success);
  copy_async(memory, host_, 256, CopyKind::host_to_device, first_);
  copy_async(x_, memory, 256, CopyKind::device_to_device, first_);
  ASSERT_EQ(hip<Error(void*, Stream*)>("hipFreeAsync")(memory, first_), Error::success);
  EXPECT_EQ(synchronize(first_), Error::success);
  EXPECT_EQ(read(x_, 64)[5], host_[5]);
  EXPECT_EQ(copy(memory, host_, 256, CopyKind::host_to_device), Error::invalid_value);  // gone
}

TEST_F(StreamTest, EventsTellTime) {
  Event* second_event = nullptr;
  hip<Error(Event**)>("hipEventCreate")(&second_event);
  using Elapsed = Error(float*, Event*, Event*);
  float milliseconds = -1;
  EXPECT_EQ(hip<Elapsed>("hipEventElapsedTime")(&milliseconds, event_, second_event), Error::invalid_handle);
  upload(first_);
  record(first_);
  multiply(first_);
  hip<Error(Event*, Stream*)>("hipEventRecord")(second_event, first_);
  EXPECT_EQ(hip<Elapsed>("hipEventElapsedTime")(&milliseconds, event_, second_event), Error::success);
  EXPECT_GT(milliseconds, 0);
  ASSERT_EQ(configure("late=1"), 0);
  record(first_);
  EXPECT_EQ(hip<Elapsed>("hipEventElapsedTime")(&milliseconds, event_, second_event), Error::not_ready);
  EXPECT_EQ(hip<Error(Event*)>("hipEventSynchronize")(event_), Error::success);
  hip<Error(Event*)>("hipEventDestroy")(second_event);
}

}  // namespace
}  // namespace convoy::hip
