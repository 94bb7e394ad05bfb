// The dispatcher on the CPU device without faults: plan cache, find records, verdicts remembered, threads, workspaces,
// a solver that fails after it had worked.
#include "dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "device/test_device.h"
#include "solvers/numbers.h"

namespace convoy {
namespace {

const char* const k_problem = "fwd:f32:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1";

// Passes everything to the host device; allocations can be made to fail.
class GrudgingDevice final : public ForwardingDevice {
 public:
  explicit GrudgingDevice(std::atomic<bool>& refuse) : ForwardingDevice(make_cpu_device()), refuse_(refuse) {}
  Result<DeviceBuffer> allocate(std::int64_t bytes) override {
    if (refuse_) return fail(ErrorCode::out_of_memory, "no more");
    return target().allocate(bytes);
  }

 private:
  std::atomic<bool>& refuse_;
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

TEST_F(DispatcherTest, want_of_memory_is_bridged_and_held_against_nobody) {
  std::atomic<bool> refuse{false};
  auto policy = policy_from(settings());
  ASSERT_TRUE(policy);
  Dispatcher dispatcher(*policy, std::make_unique<GrudgingDevice>(refuse), Store::open(store_config(settings())));
  const Problem problem = *parse_problem("fwd:f16:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto convolution = dispatcher.convolution(problem);
  Data data(problem);
  ASSERT_TRUE((*convolution)->run(data.tensors()));
  EXPECT_EQ((*convolution)->report().solver, "onednn");
  dispatcher.context().trim_workspaces();
  for (const bool refused : {true, true, false}) {
    refuse = refused;  // the workspace cannot be had
    fill_poison(data.y.data(), static_cast<std::int64_t>(data.y.size()));
    ASSERT_TRUE((*convolution)->run(data.tensors()));
    EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
    EXPECT_EQ((*convolution)->report().solver, "onednn") << "the choice stands";
  }
  EXPECT_EQ(dispatcher.statistics().causes.at("onednn failed"), 2);
  EXPECT_TRUE(dispatcher.context().store().contents()->incidents.empty());
}

// A pass is worth what was looked at: nothing without a check, nothing on zeros, nothing for other algorithms.
TEST_F(DispatcherTest, only_what_was_seen_is_remembered) {
  const Problem problem = *parse_problem(k_problem);
  const auto verdicts_after = [&](const char* key, const char* value, bool zero) {
    TestFolder folder;
    Settings one = settings();
    EXPECT_TRUE(one.set("cache_dir", folder.path()));
    EXPECT_TRUE(one.set(key, value));
    auto dispatcher = Dispatcher::create(one, "cpu");
    Data data(problem);
    if (zero) std::fill(data.w.begin(), data.w.end(), std::uint8_t{0});
    EXPECT_TRUE((*(*dispatcher)->convolution(problem))->run(data.tensors()));
    const auto contents = (*dispatcher)->context().store().contents();
    EXPECT_TRUE(contents->intents.empty());
    return contents->verdicts;
  };
  EXPECT_EQ(verdicts_after("verify", "sample", false).size(), 1U);
  EXPECT_EQ(verdicts_after("verify", "full", false).size(), 1U);
  EXPECT_TRUE(verdicts_after("verify", "off", false).empty());
  EXPECT_TRUE(verdicts_after("verify", "sample", true).empty());
  const auto all = verdicts_after("strategy", "auto", false);
  const auto winograd_off = verdicts_after("miopen.conv_winograd", "0", false);
  ASSERT_EQ(winograd_off.size(), 1U);
  EXPECT_NE(all.at(0).key.library, winograd_off[0].key.library);
}

// An output that holds the right numbers already must not hide a solver that writes none.
TEST_F(DispatcherTest, right_numbers_of_an_earlier_call_prove_nothing) {
  Settings silent = settings();
  ASSERT_TRUE(silent.set("fault", "onednn:silent"));
  ASSERT_TRUE(silent.set("trial", "never"));
  auto dispatcher = Dispatcher::create(silent, "cpu");
  const Problem problem = *parse_problem(k_problem);
  Data data(problem);
  const auto right = find_solver("reference")->plan(problem, (*dispatcher)->context().device(), {});
  ASSERT_TRUE((*right)->run(data.tensors(), nullptr));
  auto convolution = (*dispatcher)->convolution(problem);
  ASSERT_TRUE((*convolution)->run(data.tensors()));
  EXPECT_EQ((*convolution)->report().attempts[0].outcome, Outcome::wrong_result);
  EXPECT_EQ((*convolution)->report().solver, "reference");
  EXPECT_TRUE(check_sampled(problem, data.tensors(), 1000, 1).passed);
}

// Neither the plan cache's lock nor the report's is held while somebody climbs.
TEST_F(DispatcherTest, statistics_do_not_wait_for_a_trial) {
  Settings slow = settings();
  ASSERT_TRUE(slow.set("fault", "onednn:hang"));
  ASSERT_TRUE(slow.set("deadline_ms", "3000"));
  ASSERT_TRUE(slow.set("probe", CONVOY_PROGRAM));
  auto dispatcher = Dispatcher::create(slow, "cpu");
  const Problem problem = *parse_problem(k_problem);
  Problem other = problem;
  other.n = 7;
  std::atomic<bool> done{false};
  std::thread climber([&] {
    EXPECT_TRUE((*(*dispatcher)->convolution(problem))->prepare());
    done = true;
  });
  while ((*dispatcher)->context().children_started() == 0) std::this_thread::yield();
  EXPECT_EQ((*dispatcher)->statistics().problems, 1);
  EXPECT_TRUE((*dispatcher)->convolution(other));
  EXPECT_FALSE(done);
  climber.join();
}

TEST_F(DispatcherTest, bad_input_is_named) {
  auto nowhere = Dispatcher::create(settings(), "toaster");
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("toaster"), std::string::npos);
  EXPECT_NE(nowhere.error().message.find("convoy devices"), std::string::npos);
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
