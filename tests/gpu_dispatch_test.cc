// The dispatcher on the simulated AMD GPU, inside a program that uses the card itself: records graphs, breaks things, fills the
// memory, keeps the stream busy. Nothing of that may be held against a solver.
#include <thread>

#include "base/test_folder.h"
#include "dispatch/dispatcher.h"
#include "solvers/numbers.h"
#include "tests/device_case.h"

namespace convoy {
namespace {

constexpr const char* k_problem = "fwd:f32:nchw:n1c8h9w11:k16r3s3:pad1x1:stride1x1:dil1x1:g1";
// Sums over many channels are split: this one needs workspace.
constexpr const char* k_needy_problem = "fwd:f32:nchw:n1c512h7w7:k32r3s3:pad1x1:stride1x1:dil1x1:g1";

class GpuDispatch : public SimulatedCard {
 protected:
  void SetUp() override {
    SimulatedCard::SetUp();
    if (IsSkipped()) return;
    Settings settings;
    ASSERT_TRUE(settings.set("cache_dir", folder_.path()));
    ASSERT_TRUE(settings.set("system_cache_dirs", ""));
    auto opened = Dispatcher::create(settings, "sim:gfx1010");
    ASSERT_TRUE(opened) << opened.error().message;
    dispatcher_ = std::move(*opened);
    for (void*& stream : streams_) {
      constexpr unsigned k_non_blocking = 1;
      ASSERT_EQ(hip_function<int(void**, unsigned)>("hipStreamCreateWithFlags")(&stream, k_non_blocking), 0);
    }
  }
  void TearDown() override {
    random_ = {};
    for (void* stream : streams_) {
      if (stream != nullptr) hip_function<int(void*)>("hipStreamDestroy")(stream);
    }
    dispatcher_.reset();
    SimulatedCard::TearDown();
  }
  std::shared_ptr<Convolution> convolution(const char* text) {
    const Problem problem = *parse_problem(text);
    auto random = make_random_tensors(problem, dispatcher_->context().device(), 20261121);
    EXPECT_TRUE(random) << random.error().message;
    random_ = std::move(*random);
    return *dispatcher_->convolution(problem);
  }
  Tensors on(void* stream) const {
    Tensors tensors = random_.tensors;
    tensors.stream = stream;
    return tensors;
  }
  Store::Contents stored() { return *dispatcher_->context().store().contents(); }
  // The graph that a global-mode capture of streams_[1] gives after `work` was done meanwhile.
  void while_recording(const std::function<void()>& work) {
    ASSERT_EQ(hip_function<int(void*, int)>("hipStreamBeginCapture")(streams_[1], 0), 0);
    work();
    void* graph = nullptr;
    EXPECT_EQ(hip_function<int(void*, void**)>("hipStreamEndCapture")(streams_[1], &graph), 0) << "the graph is spoilt";
    if (graph != nullptr) hip_function<int(void*)>("hipGraphDestroy")(graph);
  }

  TestFolder folder_;
  std::unique_ptr<Dispatcher> dispatcher_;
  RandomTensors random_;
  std::array<void*, 2> streams_{};
};

TEST_F(GpuDispatch, a_first_run_goes_on_while_another_stream_is_recorded) {
  const auto one = convolution(k_needy_problem);
  while_recording([&] {
    const auto ran = one->run(on(streams_[0]));
    EXPECT_TRUE(ran) << ran.error().message;
  });
  EXPECT_EQ(one->report().solver, "igemm");
  EXPECT_TRUE(stored().incidents.empty());
}

TEST_F(GpuDispatch, a_wrong_stream_is_the_callers) {
  const auto one = convolution(k_problem);
  ASSERT_TRUE(one->run(on(streams_[0])));
  configure("fail=hipModuleLaunchKernel:1:400");
  const auto ran = one->run(on(streams_[0]));
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::invalid_argument) << ran.error().message;
  EXPECT_TRUE(stored().incidents.empty());
  EXPECT_TRUE(one->run(on(streams_[0])));
  EXPECT_EQ(one->report().solver, "igemm") << "the choice stands";
}

TEST_F(GpuDispatch, host_memory_is_refused_by_name_and_harms_nothing) {
  const auto one = convolution(k_problem);
  std::vector<float> host(4096);
  for (void* Tensors::*tensor : {&Tensors::x, &Tensors::w, &Tensors::y}) {
    Tensors wrong = on(streams_[0]);
    wrong.*tensor = host.data();
    const auto ran = one->run(wrong);
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(ran.error().message.find(" is not in the memory of sim:gfx1010"), std::string::npos)
        << ran.error().message;
  }
  EXPECT_TRUE(stored().incidents.empty());
  EXPECT_TRUE(one->run(on(streams_[0])));
}

TEST_F(GpuDispatch, what_stays_broken_is_held_against_nobody_who_comes_later) {
  const auto one = convolution(k_problem);
  ASSERT_TRUE(one->run(on(streams_[0])));
  configure("fail=hipModuleLaunchKernel:1:700");
  const auto ran = one->run(on(streams_[0]));
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message.find("lost"), std::string::npos) << ran.error().message;
  EXPECT_TRUE(stored().incidents.empty());
}

TEST_F(GpuDispatch, idle_workspaces_give_way) {
  DispatchContext& context = dispatcher_->context();
  auto large = context.acquire_workspace(1 << 20, streams_[1]);
  ASSERT_TRUE(large);
  context.release_workspace(std::move(*large), streams_[1]);
  configure("fail=hipMalloc:1:2");
  const auto other = context.acquire_workspace(1 << 20, streams_[0]);
  EXPECT_TRUE(other) << other.error().message;
}

TEST_F(GpuDispatch, each_thread_has_workspaces_for_its_own_default_stream) {
  DispatchContext& context = dispatcher_->context();
  auto* const per_thread = reinterpret_cast<void*>(2);
  auto mine = context.acquire_workspace(4096, per_thread);
  ASSERT_TRUE(mine);
  void* const place = mine->data();
  context.release_workspace(std::move(*mine), per_thread);
  std::thread([&] {
    const auto theirs = context.acquire_workspace(4096, per_thread);
    ASSERT_TRUE(theirs);
    EXPECT_NE(theirs->data(), place);
  }).join();
  const auto again = context.acquire_workspace(4096, per_thread);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->data(), place);
}

TEST_F(GpuDispatch, alternatives_that_are_not_compiled_leave_no_record) {
  const auto one = convolution(k_needy_problem);
  ASSERT_TRUE(one->run(on(streams_[0])));
  EXPECT_EQ(dispatcher_->statistics().untuned, 1);
  EXPECT_TRUE(stored().finds.empty());
}

}  // namespace
}  // namespace convoy
