// The dispatcher on the CPU device without faults: plan cache, find records, verdicts remembered, threads, workspaces,
// a solver that fails after it had worked.
#include "dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "solvers/numbers.h"

namespace convoy {
namespace {

const char* const k_problem = "fwd:f32:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1";

// Passes everything to the host device; allocations can be made to fail.
class GrudgingDevice final : public Device {
 public:
  explicit GrudgingDevice(std::atomic<bool>& refuse) : refuse_(refuse), host_(make_cpu_device()) {}
  const DeviceInfo& info() const override { return host_->info(); }
  std::int64_t memory_available() const override { return host_->memory_available(); }
  Result<DeviceBuffer> allocate(std::int64_t bytes) override {
    if (refuse_) return fail(ErrorCode::out_of_memory, "no more");
    return host_->allocate(bytes);
  }
  void release(void*, std::int64_t) override {}
  bool host_accessible() const override { return true; }

 private:
  std::atomic<bool>& refuse_;
  std::unique_ptr<Device> host_;
};

struct Data {
  explicit Data(const Problem& p)
      : x(static_cast<std::size_t>(p.bytes(TensorRole::x))),
        w(static_cast<std::size_t>(p.bytes(TensorRole::w))),
        y(static_cast<std::size_t>(p.bytes(TensorRole::y)), 0xff) {
    fill_random(x.data(), p.dtype, p.span(TensorRole::x), 1);
    fill_random(w.data(), p.dtype, p.span(TensorRole::w), 2);
  }
  Tensors tensors() { return {x.data(), w.data(), y.data()}; }
  std::vector<std::uint8_t> x, w, y;
};

class DispatcherTest : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings;
    EXPECT_TRUE(settings.set("cache_dir", folder_.path()));
    EXPECT_TRUE(settings.set("system_cache_dirs", ""));
    return settings;
  }
  TestFolder folder_;
};

TEST_F(DispatcherTest, one_convolution_per_problem_and_right_numbers) {
  auto dispatcher = Dispatcher::create(settings(), "auto");
  ASSERT_TRUE(dispatcher) << dispatcher.error().message;
  const Problem problem = *parse_problem(k_problem);
  auto one = (*dispatcher)->convolution(problem);
  auto two = (*dispatcher)->convolution(problem);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(*one, *two);
  Data data(problem);
  for (int i = 0; i < 3; ++i) {
    fill_poison(data.y.data(), static_cast<std::int64_t>(data.y.size()));
    ASSERT_TRUE((*one)->run(data.tensors()));
    EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
  }
  const Statistics statistics = (*dispatcher)->statistics();
  EXPECT_EQ(statistics.calls, 3);
  EXPECT_EQ(statistics.calls_per_tier[static_cast<std::size_t>(Tier::vendor)], 3);
  EXPECT_EQ(statistics.fallbacks, 0);
  EXPECT_EQ(statistics.children_started, 0);
}

TEST_F(DispatcherTest, verdicts_and_finds_are_remembered_across_handles) {
  const Problem problem = *parse_problem(k_problem);
  Data data(problem);
  for (const bool second : {false, true}) {
    auto dispatcher = Dispatcher::create(settings(), "cpu");
    ASSERT_TRUE(dispatcher);
    auto convolution = (*dispatcher)->convolution(problem);
    ASSERT_TRUE((*convolution)->run(data.tensors()));
    EXPECT_EQ((*convolution)->report().solver, "onednn");
    EXPECT_EQ((*convolution)->report().checked, !second) << "the numbers are checked once";
    const auto contents = (*dispatcher)->context().store().contents();
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->finds.size(), 1U);
    EXPECT_EQ(contents->verdicts.size(), 1U);
    EXPECT_TRUE(contents->intents.empty());
    EXPECT_TRUE(contents->incidents.empty());
  }
}

TEST_F(DispatcherTest, immediate_mode_times_nothing) {
  Settings immediate = settings();
  ASSERT_TRUE(immediate.set("find", "immediate"));
  auto dispatcher = Dispatcher::create(immediate, "cpu");
  const Problem problem = *parse_problem(k_problem);
  Data data(problem);
  auto convolution = (*dispatcher)->convolution(problem);
  ASSERT_TRUE((*convolution)->run(data.tensors()));
  EXPECT_TRUE((*dispatcher)->context().store().contents()->finds.empty());
}

TEST_F(DispatcherTest, strategies_restrict_the_algorithms_that_run) {
  const Problem problem = *parse_problem(k_problem);
  Data data(problem);
  for (const char* strategy : {"gemm", "implicit_gemm", "cpu", "vendor", "auto", "selective"}) {
    Settings one = settings();
    ASSERT_TRUE(one.set("strategy", strategy));
    ASSERT_TRUE(one.set("size_threshold", "10"));
    auto dispatcher = Dispatcher::create(one, "cpu");
    auto convolution = (*dispatcher)->convolution(problem);
    fill_poison(data.y.data(), static_cast<std::int64_t>(data.y.size()));
    ASSERT_TRUE((*convolution)->run(data.tensors())) << strategy;
    EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
    const auto report = (*convolution)->report();
    if (std::string_view(strategy) == "gemm" && report.solver == "onednn") {
      EXPECT_NE(report.detail.find("gemm"), std::string::npos) << report.detail;
    }
    const bool without_vendor = std::string_view(strategy) == "cpu" || std::string_view(strategy) == "selective";
    EXPECT_EQ(report.tier == Tier::cpu, without_vendor) << strategy;
  }
}

TEST_F(DispatcherTest, threads_share_a_convolution) {
  auto dispatcher = Dispatcher::create(settings(), "cpu");
  const std::vector<std::string> texts{k_problem, "wrw:f32:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1",
                                       "bwd:f16:nhwc:n2c16h20w20:k24r3s3:pad1x1:stride2x2:dil1x1:g1"};
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const Problem problem = *parse_problem(texts[static_cast<std::size_t>(i) % texts.size()]);
      Data data(problem);
      fill_random(data.y.data(), problem.dtype, problem.span(TensorRole::y), 3);
      auto convolution = (*dispatcher)->convolution(problem);
      for (int round = 0; round < 5; ++round) {
        const bool right = (*convolution)->run(data.tensors()) && check_sampled(problem, data.tensors(), 100, 1).passed;
        if (!right) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ((*dispatcher)->statistics().calls, 30);
}

TEST_F(DispatcherTest, a_callers_workspace_is_used_and_none_is_needed) {
  auto dispatcher = Dispatcher::create(settings(), "cpu");
  const Problem problem = *parse_problem("fwd:f16:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto convolution = (*dispatcher)->convolution(problem);
  EXPECT_EQ((*convolution)->workspace_bytes(), 0);
  ASSERT_TRUE((*convolution)->prepare());
  const std::int64_t needed = (*convolution)->workspace_bytes();
  ASSERT_GT(needed, 0);
  Data data(problem);
  auto workspace = (*dispatcher)->context().device().allocate(needed);
  ASSERT_TRUE(workspace);
  fill_poison(workspace->data(), needed);
  ASSERT_TRUE((*convolution)->run(data.tensors(), workspace->data(), needed));
  EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
  const auto* bytes = static_cast<const std::uint8_t*>(workspace->data());
  EXPECT_TRUE(std::any_of(bytes, bytes + needed, [](std::uint8_t byte) { return byte != 0xff; }))
      << "workspace untouched";
  ASSERT_TRUE((*convolution)->run(data.tensors(), workspace->data(), needed - 1));
}

TEST_F(DispatcherTest, a_solver_that_fails_later_is_struck_off_in_the_same_call) {
  std::atomic<bool> refuse{false};
  auto policy = policy_from(settings());
  ASSERT_TRUE(policy);
  Dispatcher dispatcher(*policy, std::make_unique<GrudgingDevice>(refuse), Store::open(store_config(settings())));
  const Problem problem = *parse_problem("fwd:f16:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto convolution = dispatcher.convolution(problem);
  Data data(problem);
  ASSERT_TRUE((*convolution)->run(data.tensors()));
  EXPECT_EQ((*convolution)->report().solver, "onednn");
  (*convolution)->trim();
  refuse = true;  // the workspace cannot be had any more
  fill_poison(data.y.data(), static_cast<std::int64_t>(data.y.size()));
  ASSERT_TRUE((*convolution)->run(data.tensors()));
  EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
  EXPECT_EQ((*convolution)->report().solver, "reference");
  const Statistics statistics = dispatcher.statistics();
  EXPECT_EQ(statistics.fallbacks, 1);
  EXPECT_EQ(statistics.causes.at("onednn failed"), 1);
  EXPECT_EQ(dispatcher.context().store().contents()->incidents.size(), 1U);
}

TEST_F(DispatcherTest, bad_input_is_named) {
  auto nowhere = Dispatcher::create(settings(), "toaster");
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("toaster"), std::string::npos);
  EXPECT_NE(nowhere.error().message.find("cpu"), std::string::npos);
  Settings faulty = settings();
  ASSERT_TRUE(faulty.set("fault", "onednn:explode", Origin::environment, "CONVOY_FAULT"));
  auto broken = Dispatcher::create(faulty, "cpu");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("CONVOY_FAULT"), std::string::npos) << broken.error().message;
  auto dispatcher = Dispatcher::create(settings(), "cpu");
  Problem problem = *parse_problem(k_problem);
  problem.groups = 5;
  EXPECT_FALSE((*dispatcher)->convolution(problem));
}

}  // namespace
}  // namespace convoy
