// The C interface and its C++ header at work: numbers, workspaces, threads, faults, statistics.
#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>

#include "api_case.h"

namespace convoy {
namespace {

// --- numbers --------------------------------------------------------------------------------------------------------

class ApiNumbers : public Api, public testing::WithParamInterface<std::tuple<int, int, int>> {};

TEST_P(ApiNumbers, AreThoseOfTheLoop) {
  const auto [direction, dtype, layout] = GetParam();
  convoy_problem_desc desc = small_desc();
  desc.direction = static_cast<convoy_direction>(direction);
  desc.dtype = static_cast<convoy_dtype>(dtype);
  desc.layout = static_cast<convoy_layout>(layout);
  const Handle one = handle();
  for (const bool vendor : {true, false}) {
    Case data(desc);
    const Handle other = handle({"fault=onednn:error"});
    const Plan plan(vendor ? one : other, data.problem);
    EXPECT_GT(data.wrong(), 0) << "nothing has run yet";
    ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS) << convoy_last_error();
    EXPECT_EQ(data.wrong(), 0) << plan.solver();
    EXPECT_EQ(plan.solver(), vendor && dtype != CONVOY_F64 ? "onednn" : "reference");
  }
}

using testing::Combine;
using testing::Values;
INSTANTIATE_TEST_SUITE_P(Real, ApiNumbers,
                         Combine(Values(CONVOY_FORWARD, CONVOY_BACKWARD_DATA, CONVOY_BACKWARD_WEIGHTS),
                                 Values(CONVOY_F32, CONVOY_F16, CONVOY_BF16, CONVOY_F64),
                                 Values(CONVOY_CHANNELS_FIRST, CONVOY_CHANNELS_LAST)));
INSTANTIATE_TEST_SUITE_P(Whole, ApiNumbers,
                         Combine(Values(CONVOY_FORWARD), Values(CONVOY_I8),
                                 Values(CONVOY_CHANNELS_FIRST, CONVOY_CHANNELS_LAST)));

// --- plans ----------------------------------------------------------------------------------------------------------

TEST_F(Api, PlansOfEqualProblemsShareTheirChoice) {
  const Handle one = handle();
  Case data(small_desc());
  Plan first(one, data.problem);
  const Plan second(one, Problem(std::string(k_problem)));
  EXPECT_EQ(second.solver(), "");
  EXPECT_EQ(second.workspace_bytes(), 0);
  first.prepare();
  EXPECT_EQ(second.solver(), "onednn");
  EXPECT_EQ(second.tier(), CONVOY_TIER_VENDOR);
  ASSERT_EQ(data.run(second.get()), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_EQ(data.wrong(), 0);
  EXPECT_EQ(one.statistics().problems, 1);
  EXPECT_EQ(one.statistics().calls, 1) << "preparing is no call";
}

TEST_F(Api, DeviceMemoryAndBias) {
  const Handle one = handle();
  Case data(small_desc());
  const Memory x(one, data.problem.bytes(CONVOY_X)), w(one, data.problem.bytes(CONVOY_W)),
      y(one, data.problem.bytes(CONVOY_Y));
  one.upload(x.data(), data.x.bytes.data(), data.problem.bytes(CONVOY_X));
  one.upload(w.data(), data.w.bytes.data(), data.problem.bytes(CONVOY_W));
  std::vector<float> bias(static_cast<std::size_t>(data.y.sizes[1]));
  for (std::size_t k = 0; k < bias.size(); ++k) bias[k] = 3 + 0.5F * static_cast<float>(k);
  Plan plan(one, data.problem);
  convoy_call call{};
  call.x = x.data();
  call.w = w.data();
  call.y = y.data();
  call.bias = bias.data();
  for (int i = 0; i < 2; ++i) {  // the run that chooses, and one that does not
    plan.enqueue(call);
    one.synchronize();
    one.download(data.y.bytes.data(), y.data(), data.problem.bytes(CONVOY_Y));
    EXPECT_GT(data.wrong(), 0) << "the bias is missing";
    const auto area = static_cast<std::size_t>(data.y.sizes[2] * data.y.sizes[3]);
    for (std::size_t j = 0; j < data.y.values.size(); ++j) {
      auto* place = data.y.place(j);
      put(place, get<float>(place) - bias[j / area % bias.size()]);
    }
    EXPECT_EQ(data.wrong(), 0);
  }
  expect_error(convoy_enqueue(plan.get(), nullptr), CONVOY_INVALID_ARGUMENT, "call is NULL");
  convoy_problem_desc gradient = small_desc();
  gradient.direction = CONVOY_BACKWARD_WEIGHTS;
  const Plan weights(one, Problem(gradient));
  expect_error(convoy_enqueue(weights.get(), &call), CONVOY_INVALID_ARGUMENT, "no bias");
}

TEST_F(Api, HostPointersAreExplainedWhereTheDeviceHasMemoryOfItsOwn) {
  std::unique_ptr<Handle> one;
  try {
    one = std::make_unique<Handle>("sim:gfx1010", settings());
  } catch (const Exception& error) {
    GTEST_SKIP() << error.what();
  }
  Case data(small_desc());
  Plan plan(*one, data.problem);
  expect_error(data.run(plan.get()), CONVOY_INVALID_ARGUMENT, "x is not in the memory of sim:gfx1010");
  try {
    plan.prepare();
  } catch (const Exception& error) {
    GTEST_SKIP() << "nothing compiles for gfx1010 here: " << error.what();
  }
  expect_error(data.run(plan.get()), CONVOY_DEVICE, "must be memory of sim:gfx1010, as convoy_allocate() gives it");
}

TEST_F(Api, BadMemoryRequestsAreNamed) {
  const Handle one = handle();
  void* memory = nullptr;
  char byte = 0;
  expect_error(convoy_allocate(nullptr, 1, &memory), CONVOY_INVALID_ARGUMENT, "handle is NULL");
  expect_error(convoy_allocate(one.get(), -1, &memory), CONVOY_INVALID_ARGUMENT, "negative");
  expect_error(convoy_allocate(one.get(), 1, nullptr), CONVOY_INVALID_ARGUMENT, "memory is NULL");
  expect_error(convoy_allocate(one.get(), INT64_MAX / 2, &memory), CONVOY_OUT_OF_MEMORY, "available");
  expect_error(convoy_upload(one.get(), nullptr, &byte, 1, nullptr), CONVOY_INVALID_ARGUMENT, "to is NULL");
  expect_error(convoy_download(one.get(), &byte, nullptr, 1, nullptr), CONVOY_INVALID_ARGUMENT, "from is NULL");
  expect_error(convoy_download(one.get(), &byte, &byte, -1, nullptr), CONVOY_INVALID_ARGUMENT, "negative");
  expect_error(convoy_synchronize(nullptr, nullptr), CONVOY_INVALID_ARGUMENT, "handle is NULL");
  convoy_free(one.get(), nullptr);
  convoy_free(one.get(), &byte);  // not ours: nothing happens
  convoy_free(nullptr, &byte);
}

TEST_F(Api, PlanOutlivesHandleAndProblem) {
  Case data(small_desc());
  auto one = std::make_unique<Handle>(handle());
  auto problem = std::make_unique<Problem>(small_desc());
  Plan plan(*one, *problem);
  one.reset();
  problem.reset();
  ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_EQ(data.wrong(), 0);
  EXPECT_EQ(plan.solver(), "onednn");
}

TEST_F(Api, HandlesAreIndependent) {
  const Handle faulty = handle({"fault=onednn:error"}), sound = handle();
  Case data(small_desc());
  const Plan slow(faulty, data.problem), fast(sound, data.problem);
  ASSERT_EQ(data.run(slow.get()), CONVOY_SUCCESS) << convoy_last_error();
  ASSERT_EQ(data.run(fast.get()), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_EQ(slow.solver(), "reference");
  EXPECT_EQ(fast.solver(), "onednn");
  EXPECT_EQ(sound.statistics().fallbacks, 0);
}

// A caller's own way to compute, by the library itself on another handle.
struct Brought {
  convoy_plan plan;
  Case* data;
  int runs = 0;
  int status = CONVOY_SUCCESS;  // any number that C can return
};

convoy_status run_brought(void* context, void*, char* message, std::size_t capacity) {
  auto& brought = *static_cast<Brought*>(context);
  ++brought.runs;
  if (brought.status == CONVOY_SUCCESS) return brought.data->run(brought.plan);
  std::snprintf(message, capacity, "my library is broken");
  return static_cast<convoy_status>(brought.status);
}

TEST_F(Api, AnExternalServesIsClaimedAndGivenUp) {
  const Handle one = handle(), other = handle();
  Case data(small_desc());
  const Plan inner(other, data.problem);
  Brought brought{inner.get(), &data};
  const convoy_external external{"mine", "mine 1", nullptr, CONVOY_TIER_VENDOR, 0, run_brought};
  convoy_plan plan = nullptr;
  ASSERT_EQ(convoy_plan_create_external(&plan, one.get(), data.problem.get(), &external), CONVOY_SUCCESS);
  EXPECT_EQ(convoy_plan_claim(plan), 0) << "nothing is chosen yet";
  convoy_call call{};
  call.x = data.x.bytes.data();
  call.w = data.w.bytes.data();
  call.y = data.y.bytes.data();
  call.context = &brought;
  ASSERT_EQ(convoy_enqueue(plan, &call), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_STREQ(convoy_plan_solver(plan), "mine");
  EXPECT_EQ(data.wrong(), 0);
  EXPECT_EQ(convoy_plan_claim(plan), 1);
  EXPECT_EQ(one.statistics().calls, 2);
  brought.status = 77;
  ASSERT_EQ(convoy_enqueue(plan, &call), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_STREQ(convoy_plan_solver(plan), "onednn");
  EXPECT_EQ(convoy_plan_claim(plan), 0);
  EXPECT_EQ(convoy_plan_prepare(plan), CONVOY_SUCCESS) << "something is chosen";
  convoy_plan_destroy(plan);
}

TEST_F(Api, WrongExternalsAreNamed) {
  const Handle one = handle();
  Case data(small_desc());
  const auto refused = [&](void (*spoil)(convoy_external&), const char* part) {
    convoy_external external{"mine", "mine 1", nullptr, CONVOY_TIER_VENDOR, 0, run_brought};
    spoil(external);
    convoy_plan plan = nullptr;
    expect_error(convoy_plan_create_external(&plan, one.get(), data.problem.get(), &external), CONVOY_INVALID_ARGUMENT,
                 part);
    EXPECT_EQ(plan, nullptr);
  };
  refused([](convoy_external& e) { e.id = nullptr; }, "external->id is NULL");
  refused([](convoy_external& e) { e.id = "No Spaces"; }, "a-z, 0-9 and _");
  refused([](convoy_external& e) { e.library = nullptr; }, "external->library is NULL");
  refused([](convoy_external& e) { e.run = nullptr; }, "external->run is NULL");
  refused([](convoy_external& e) { e.stand_in = "nobody"; }, "is no solver");
  refused([](convoy_external& e) { e.tier = CONVOY_TIER_REFERENCE; }, "cannot be the reference");
  refused([](convoy_external& e) { e.allowance = std::nan(""); }, "not between 0 and 1");
  convoy_plan plan = nullptr;
  expect_error(convoy_plan_create_external(&plan, one.get(), data.problem.get(), nullptr), CONVOY_INVALID_ARGUMENT,
               "external is NULL");
  EXPECT_EQ(convoy_plan_claim(nullptr), 0);
}

TEST_F(Api, NullArgumentsOfPlansAreNamed) {
  const Handle one = handle();
  Case data(small_desc());
  convoy_plan raw = nullptr;
  expect_error(convoy_plan_create(nullptr, one.get(), data.problem.get()), CONVOY_INVALID_ARGUMENT, "plan is NULL");
  expect_error(convoy_plan_create(&raw, nullptr, data.problem.get()), CONVOY_INVALID_ARGUMENT, "handle is NULL");
  expect_error(convoy_plan_create(&raw, one.get(), nullptr), CONVOY_INVALID_ARGUMENT, "problem is NULL");
  expect_error(convoy_plan_prepare(nullptr), CONVOY_INVALID_ARGUMENT, "plan is NULL");
  expect_error(data.run(nullptr), CONVOY_INVALID_ARGUMENT, "plan is NULL");
  EXPECT_EQ(convoy_plan_workspace_bytes(nullptr), 0);
  EXPECT_STREQ(convoy_plan_solver(nullptr), "");
  EXPECT_EQ(convoy_plan_tier(nullptr), CONVOY_TIER_REFERENCE);
  convoy_plan_destroy(nullptr);
  const Plan plan(one, data.problem);
  auto* x = data.x.bytes.data();
  auto* w = data.w.bytes.data();
  auto* y = data.y.bytes.data();
  expect_error(convoy_run(plan.get(), nullptr, w, y, nullptr, 0), CONVOY_INVALID_ARGUMENT, "x is NULL");
  expect_error(convoy_run(plan.get(), x, nullptr, y, nullptr, 0), CONVOY_INVALID_ARGUMENT, "w is NULL");
  expect_error(convoy_run(plan.get(), x, w, nullptr, nullptr, 0), CONVOY_INVALID_ARGUMENT, "y is NULL");
  EXPECT_EQ(one.statistics().calls, 0);
}

TEST_F(Api, AnyWorkspaceOrNoneGivesTheSameNumbers) {
  convoy_problem_desc desc = small_desc();
  desc.dtype = CONVOY_F16;  // which oneDNN computes in f32, in the workspace
  const Handle one = handle();
  Case data(desc);
  Plan plan(one, data.problem);
  plan.prepare();
  const std::int64_t needed = plan.workspace_bytes();
  ASSERT_GT(needed, 0);
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(needed) + 128);
  auto* aligned = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64);
  const auto run = [&](void* workspace, std::int64_t bytes) {
    std::fill(data.y.bytes.begin(), data.y.bytes.end(), std::uint8_t{0xff});
    plan.run(data.x.bytes.data(), data.w.bytes.data(), data.y.bytes.data(), workspace, bytes);
    return data.wrong();
  };
  EXPECT_EQ(run(aligned, needed), 0);
  EXPECT_EQ(run(aligned, needed - 1), 0);
  EXPECT_EQ(run(aligned + 4, needed), 0);
  EXPECT_EQ(run(aligned, -1), 0);
  EXPECT_EQ(run(nullptr, needed), 0);
}

TEST_F(Api, EmptyBatchNeedsNoTensors) {
  convoy_problem_desc desc = small_desc();
  desc.n = 0;
  const Handle one = handle();
  for (const convoy_direction direction : {CONVOY_FORWARD, CONVOY_BACKWARD_DATA, CONVOY_BACKWARD_WEIGHTS}) {
    desc.direction = direction;
    Case data(desc);
    EXPECT_EQ(data.problem.bytes(CONVOY_X), 0);
    const Plan plan(one, data.problem);
    EXPECT_EQ(convoy_run(plan.get(), nullptr, data.w.bytes.data(), nullptr, nullptr, 0), CONVOY_SUCCESS)
        << convoy_last_error();
    EXPECT_EQ(data.wrong(), 0) << "the filter's gradient over no images is zero";
    EXPECT_EQ(convoy_plan_prepare(plan.get()), CONVOY_SUCCESS);
  }
}

TEST_F(Api, MoreMemoryThanThereIsIsAnError) {
  convoy_problem_desc desc = small_desc();
  desc.n = std::int64_t{1} << 50;
  const Handle one = handle();
  Plan plan(one, Problem(desc));
  expect_error(convoy_plan_prepare(plan.get()), CONVOY_OUT_OF_MEMORY, "bytes");
}

TEST_F(Api, EightThreadsShareAPlan) {
  const Handle one = handle();
  Case data(small_desc());
  const Plan plan(one, data.problem);
  constexpr int k_threads = 8, k_rounds = 20;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < k_threads; ++i) {
    threads.emplace_back([&] {
      Case own(small_desc());
      for (int round = 0; round < k_rounds; ++round) {
        std::fill(own.y.bytes.begin(), own.y.bytes.end(), std::uint8_t{0xff});
        if (convoy_run(plan.get(), data.x.bytes.data(), data.w.bytes.data(), own.y.bytes.data(), nullptr, 0) !=
                CONVOY_SUCCESS ||
            own.wrong() != 0) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(one.statistics().calls, k_threads * k_rounds);
}

// --- faults ---------------------------------------------------------------------------------------------------------

TEST_F(Api, FaultsEndAtTheReferenceWithRightNumbers) {
  for (const std::string fault : {"error", "compile", "wrong", "nan", "silent", "crash", "hang"}) {
    const Handle one = handle({"fault=onednn:" + fault, "deadline_ms=" CONVOY_TEST_DEADLINE_MS});
    Case data(small_desc());
    const Plan plan(one, data.problem);
    ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS) << fault << ": " << convoy_last_error();
    EXPECT_EQ(data.wrong(), 0) << fault;
    EXPECT_EQ(plan.tier(), CONVOY_TIER_REFERENCE) << fault;
    const convoy_statistics statistics = one.statistics();
    EXPECT_EQ(statistics.fallbacks, 1) << fault;
    EXPECT_EQ(statistics.children_started, 1) << fault;
    EXPECT_EQ(statistics.calls_per_tier[CONVOY_TIER_REFERENCE], 1) << fault;
    EXPECT_EQ(statistics.problems_per_tier[CONVOY_TIER_REFERENCE], 1) << fault;
  }
}

TEST_F(Api, QuarantineIsRememberedByTheNextHandle) {
  Case data(small_desc());
  for (const bool again : {false, true}) {
    const Handle one = handle({"fault=onednn:wrong"});
    const Plan plan(one, data.problem);
    ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS) << convoy_last_error();
    EXPECT_EQ(one.statistics().quarantined, again ? 1 : 0);
    EXPECT_EQ(one.statistics().children_started, again ? 0 : 1);
  }
}

TEST_F(Api, SuspectsDoNotRunHereWithoutAChild) {
  const Handle one = handle({"fault=onednn:crash", "probe=/nonexistent/convoy"});
  Case data(small_desc());
  const Plan plan(one, data.problem);
  ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_EQ(data.wrong(), 0);
  EXPECT_EQ(plan.solver(), "reference");
  EXPECT_NE(one.statistics_json().find("CONVOY_PROBE"), std::string::npos) << "the reason names the cure";
}

// --- statistics -----------------------------------------------------------------------------------------------------

TEST_F(Api, StatisticsJsonWantsExactlyAsMuchRoomAsItSays) {
  const Handle one = handle();
  Case data(small_desc());
  const Plan plan(one, data.problem);
  ASSERT_EQ(data.run(plan.get()), CONVOY_SUCCESS);
  std::size_t needed = 0;
  expect_error(convoy_statistics_json(one.get(), nullptr, 0, &needed), CONVOY_INVALID_ARGUMENT, "buffer");
  ASSERT_GT(needed, 2U);
  std::vector<char> buffer(needed + 1, '#');
  const std::vector<char> untouched = buffer;
  expect_error(convoy_statistics_json(one.get(), buffer.data(), needed - 1, &needed), CONVOY_INVALID_ARGUMENT,
               "needed");
  EXPECT_EQ(buffer, untouched);
  ASSERT_EQ(convoy_statistics_json(one.get(), buffer.data(), needed, &needed), CONVOY_SUCCESS);
  EXPECT_EQ(std::strlen(buffer.data()), needed - 1);
  EXPECT_EQ(buffer[needed], '#');
  EXPECT_EQ(one.statistics_json(), buffer.data());
  const auto json = nlohmann::json::parse(buffer.data());
  EXPECT_EQ(json["problems"], 1);
  EXPECT_EQ(json["calls"], 1);
  EXPECT_EQ(json["calls_per_tier"]["vendor"], 1);
  EXPECT_EQ(json["per_problem"][0]["problem"], k_problem);
  EXPECT_EQ(json["per_problem"][0]["solver"], "onednn");
  EXPECT_EQ(json["per_problem"][0]["attempts"][0]["outcome"], "passed");
}

TEST_F(Api, StatisticsBeforeAnyCallAreZero) {
  const Handle one = handle();
  const convoy_statistics statistics = one.statistics();
  EXPECT_EQ(statistics.problems + statistics.calls + statistics.fallbacks + statistics.children_started, 0);
  EXPECT_EQ(nlohmann::json::parse(one.statistics_json())["per_problem"].size(), 0U);
}

TEST_F(Api, NullArgumentsOfStatisticsAreNamed) {
  const Handle one = handle();
  convoy_statistics statistics;
  char buffer[8];
  std::size_t needed = 0;
  expect_error(convoy_get_statistics(nullptr, &statistics), CONVOY_INVALID_ARGUMENT, "handle is NULL");
  expect_error(convoy_get_statistics(one.get(), nullptr), CONVOY_INVALID_ARGUMENT, "statistics is NULL");
  expect_error(convoy_statistics_json(nullptr, buffer, sizeof buffer, &needed), CONVOY_INVALID_ARGUMENT,
               "handle is NULL");
  expect_error(convoy_statistics_json(one.get(), buffer, sizeof buffer, nullptr), CONVOY_INVALID_ARGUMENT,
               "needed is NULL");
}

}  // namespace
}  // namespace convoy
