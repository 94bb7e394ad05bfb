// A candidate that the caller brings along: served, checked, struck off, quarantined, tried by a stand-in, timed against ours.
#include "dispatch/external.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/test_folder.h"
#include "dispatch/dispatcher.h"
#include "solvers/host_tensors.h"
#include "solvers/numbers.h"

namespace convoy {
namespace {

constexpr const char* k_problem = "fwd:f32:nchw:n2c16h20w20:k24r3s3:pad1x1:stride1x1:dil1x1:g1";

// Computes by the reference, as a caller's own library would by itself.
struct Own {
  const Problem* problem = nullptr;
  Tensors tensors;
  Error failure;   // returned instead, where it has a message
  double add = 0;  // to the first element: wrong numbers
  bool writes = true;
  int runs = 0;
  int without_output = 0;
  int pause_ms = 0;
};

Result<void> run_own(void* context, void* output) {
  Own& own = *static_cast<Own*>(context);
  ++own.runs;
  if (own.pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(own.pause_ms));
  if (!own.failure.message.empty()) return tl::unexpected<Error>(own.failure);
  if (output == nullptr) {
    ++own.without_output;
    return {};
  }
  if (!own.writes) return {};
  const auto host = make_cpu_device();
  CONVOY_TRY(const auto plan, find_solver("reference")->plan(*own.problem, *host, {}));
  CONVOY_CHECK(plan->run(own.tensors, nullptr));
  static_cast<float*>(output)[0] += static_cast<float>(own.add);
  return {};
}

std::string attempts_of(const Convolution::Report& report) {
  std::string text;
  for (const Attempt& one : report.attempts)
    text += one.solver + " " + std::string(to_string(one.outcome)) + " " + one.reason + "\n";
  return text;
}

class ExternalTest : public testing::Test {
 protected:
  ExternalTest() {
    fill_random(x_.data(), Dtype::f32, problem_.span(TensorRole::x), 1);
    fill_random(w_.data(), Dtype::f32, problem_.span(TensorRole::w), 2);
    own_.problem = &problem_;
    own_.tensors = {x_.data(), w_.data(), y_.data()};
  }

  std::unique_ptr<Dispatcher> dispatcher(std::initializer_list<std::pair<const char*, const char*>> more = {}) const {
    Settings settings;
    EXPECT_TRUE(settings.set("cache_dir", folder_.path()));
    EXPECT_TRUE(settings.set("system_cache_dirs", ""));
    for (const auto& [key, value] : more) EXPECT_TRUE(settings.set(key, value));
    auto made = Dispatcher::create(settings, "cpu");
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  static External external(const char* stand_in = "") {
    External external;
    external.id = "torch";
    external.library = "torch 0";
    external.stand_in = stand_in;
    external.run = run_own;
    return external;
  }

  // One run; the numbers have to be right whoever computed.
  static Convolution::Report report_of(const std::shared_ptr<Convolution>& convolution) {
    return convolution->report();
  }
  Convolution::Report run(const std::shared_ptr<Convolution>& convolution) {
    fill_poison(y_.data(), static_cast<std::int64_t>(y_.size() * sizeof(float)));
    Tensors tensors = own_.tensors;
    tensors.context = &own_;
    const auto ran = convolution->run(tensors);
    EXPECT_TRUE(ran) << ran.error().message;
    EXPECT_TRUE(check_sampled(problem_, tensors, 1000, 1).passed);
    return report_of(convolution);
  }
  Convolution::Report run(Dispatcher& dispatcher, External brought) {
    auto convolution = dispatcher.convolution(problem_, std::move(brought));
    EXPECT_TRUE(convolution) << convolution.error().message;
    return run(*convolution);
  }

  TestFolder folder_;
  const Problem problem_ = *parse_problem(k_problem);
  std::vector<float> x_ = std::vector<float>(static_cast<std::size_t>(problem_.span(TensorRole::x)));
  std::vector<float> w_ = std::vector<float>(static_cast<std::size_t>(problem_.span(TensorRole::w)));
  std::vector<float> y_ = std::vector<float>(static_cast<std::size_t>(problem_.span(TensorRole::y)));
  Own own_;
};

TEST_F(ExternalTest, goes_first_and_may_then_be_claimed) {
  const auto made = dispatcher();
  auto convolution = *made->convolution(problem_, external());
  EXPECT_FALSE(convolution->claim());
  EXPECT_EQ(run(convolution).solver, "torch");
  EXPECT_TRUE(convolution->claim());
  EXPECT_EQ(own_.runs, 1);
  const Statistics statistics = made->statistics();
  EXPECT_EQ(statistics.calls, 2);
  EXPECT_EQ(statistics.calls_per_tier[0], 2);
  EXPECT_EQ(statistics.children_started, 0);
}

TEST_F(ExternalTest, its_error_is_the_next_ones_turn) {
  own_.failure = {ErrorCode::device, "miopenStatusUnknownError"};
  const auto made = dispatcher();
  const auto report = run(*made, external());
  EXPECT_EQ(report.solver, "onednn");
  ASSERT_GE(report.attempts.size(), 2u);
  EXPECT_EQ(report.attempts[0].outcome, Outcome::failed);
  EXPECT_EQ(report.attempts[0].reason, "miopenStatusUnknownError");
}

TEST_F(ExternalTest, wrong_and_missing_numbers_are_found_and_remembered) {
  for (const bool writes : {true, false}) {
    own_ = Own{&problem_, own_.tensors, {}, 3, writes};
    External one = external();
    one.library = writes ? "writes 3 more" : "writes nothing";
    EXPECT_EQ(run(*dispatcher(), one).attempts[0].outcome, Outcome::wrong_result);
    own_.runs = 0;
    EXPECT_EQ(run(*dispatcher(), one).attempts[0].outcome, Outcome::quarantined);
    EXPECT_EQ(own_.runs, 0) << "it has lied before";
    one.library += ", newer";
    own_.add = 0;
    own_.writes = true;
    EXPECT_EQ(run(*dispatcher(), one).solver, "torch") << "another library is another matter";
  }
}

TEST_F(ExternalTest, an_allowance_is_for_coarse_arithmetic) {
  External coarse = external();
  own_.add = 0.01;
  EXPECT_EQ(run(*dispatcher({{"verify", "full"}}), coarse).solver, "onednn");
  coarse.library = "tf32";
  coarse.allowance = 1;
  const auto made = dispatcher({{"verify", "full"}});
  auto convolution = *made->convolution(problem_, coarse);
  Tensors tensors = own_.tensors;
  tensors.context = &own_;
  ASSERT_TRUE(convolution->run(tensors));
  EXPECT_EQ(convolution->report().solver, "torch");
}

TEST_F(ExternalTest, a_later_failure_strikes_it_off_in_the_same_call) {
  const auto made = dispatcher();
  auto convolution = *made->convolution(problem_, external());
  EXPECT_EQ(run(convolution).solver, "torch");
  own_.failure = {ErrorCode::device, "broken now"};
  EXPECT_EQ(run(convolution).solver, "onednn");
  EXPECT_FALSE(convolution->claim());
}

TEST_F(ExternalTest, want_of_memory_passes) {
  const auto made = dispatcher();
  auto convolution = *made->convolution(problem_, external());
  EXPECT_EQ(run(convolution).solver, "torch");
  own_.failure = {ErrorCode::out_of_memory, "CUDA out of memory"};
  EXPECT_EQ(run(convolution).solver, "torch") << "this call was somebody else's, the choice stands";
  own_.failure = {};
  EXPECT_TRUE(convolution->claim());
}

TEST_F(ExternalTest, a_stand_in_meets_the_hang_and_nobody_the_second_one) {
  const auto hanging = {std::pair{"fault", "torch:hang"}, {"deadline_ms", "500"}};
  const auto first = dispatcher(hanging);
  const auto report = run(*first, external("onednn"));
  EXPECT_EQ(report.attempts[0].outcome, Outcome::timed_out);
  EXPECT_TRUE(report.attempts[0].in_child);
  EXPECT_EQ(report.solver, "onednn");
  EXPECT_EQ(own_.runs, 0);
  const auto second = dispatcher(hanging);
  EXPECT_EQ(run(*second, external("onednn")).attempts[0].outcome, Outcome::quarantined);
  EXPECT_EQ(second->statistics().children_started, 0);
}

TEST_F(ExternalTest, without_a_stand_in_what_hangs_is_not_run_and_what_fails_is) {
  const auto hanging = dispatcher({{"fault", "torch:hang"}});
  const auto report = run(*hanging, external());
  EXPECT_EQ(report.attempts[0].reason, "no child can stand in for torch");
  EXPECT_EQ(report.solver, "onednn");
  EXPECT_EQ(own_.runs, 0);
  const auto failing = dispatcher({{"fault", "torch:error"}});
  EXPECT_EQ(run(*failing, external()).attempts[0].reason, "injected error");
}

TEST_F(ExternalTest, what_its_stand_in_does_not_serve_runs_here) {
  // One strike on some other problem makes it a suspect; oneDNN computes no f64.
  {
    const auto made = dispatcher();
    auto convolution = *made->convolution(problem_, external("onednn"));
    EXPECT_EQ(run(convolution).solver, "torch");
    own_.failure = {ErrorCode::device, "once"};
    run(convolution);
    own_.failure = {};
  }
  const Problem other = *parse_problem("fwd:f64:nchw:n1c4h10w10:k4r3s3:pad1x1:stride1x1:dil1x1:g1");
  std::vector<double> x(static_cast<std::size_t>(other.span(TensorRole::x)));
  std::vector<double> w(static_cast<std::size_t>(other.span(TensorRole::w)));
  std::vector<double> y(static_cast<std::size_t>(other.span(TensorRole::y)));
  fill_random(x.data(), Dtype::f64, other.span(TensorRole::x), 1);
  fill_random(w.data(), Dtype::f64, other.span(TensorRole::w), 2);
  Own own;
  own.problem = &other;
  own.tensors = {x.data(), w.data(), y.data()};
  External doubles = external("onednn");
  doubles.run = [](void* context, void*) -> Result<void> {
    const Own& mine = *static_cast<Own*>(context);
    const auto host = make_cpu_device();
    CONVOY_TRY(const auto plan, find_solver("reference")->plan(*mine.problem, *host, {}));
    return plan->run(mine.tensors, nullptr);
  };
  for (int process = 0; process < 2; ++process) {
    const auto made = dispatcher();
    auto convolution = *made->convolution(other, doubles);
    Tensors tensors = own.tensors;
    tensors.context = &own;
    ASSERT_TRUE(convolution->run(tensors));
    EXPECT_EQ(convolution->report().solver, "torch") << attempts_of(convolution->report());
    const auto attempts = convolution->report().attempts;
    const bool asked =
        std::any_of(attempts.begin(), attempts.end(), [](const Attempt& attempt) { return attempt.in_child; });
    EXPECT_EQ(asked, process == 0) << attempts_of(convolution->report());
  }
}

TEST_F(ExternalTest, strategies_that_choose_algorithms_leave_it_out) {
  const auto made = dispatcher({{"strategy", "gemm"}});
  EXPECT_EQ(run(*made, external()).attempts[0].reason, "cannot be told which algorithms to use");
  EXPECT_EQ(own_.runs, 0);
}

TEST_F(ExternalTest, a_search_times_it_against_ours_and_remembers_who_won) {
  own_.pause_ms = 200;  // more than what a busy machine adds to ours
  {
    const auto made = dispatcher({{"find", "find"}});
    const auto report = run(*made, external());
    EXPECT_EQ(report.solver, "onednn") << attempts_of(report);
    EXPECT_GT(own_.without_output, 0);
  }
  own_.runs = 0;
  EXPECT_EQ(run(*dispatcher(), external()).solver, "onednn") << "by the record";
  EXPECT_EQ(own_.runs, 0);
}

TEST_F(ExternalTest, a_call_without_context_is_somebody_elses) {
  const auto made = dispatcher();
  auto convolution = *made->convolution(problem_, external());
  ASSERT_TRUE(convolution->run(own_.tensors));
  EXPECT_EQ(convolution->report().solver, "onednn");
  EXPECT_FALSE((*made->convolution(problem_, external()))->prepare()) << "nor can anything stand for it";
}

TEST_F(ExternalTest, what_is_wrong_with_it_is_named) {
  const auto made = dispatcher();
  const auto refusal = [&](void (*spoil)(External&)) {
    External bad = external();
    spoil(bad);
    const auto convolution = made->convolution(problem_, bad);
    return convolution ? "" : convolution.error().message;
  };
  EXPECT_EQ(refusal([](External& e) { e.id = "Torch"; }), "id 'Torch' of an external is not made of a-z, 0-9 and _");
  EXPECT_EQ(refusal([](External& e) { e.id = "igemm"; }), "id 'igemm' of an external is a solver's");
  EXPECT_EQ(refusal([](External& e) { e.library.clear(); }), "library of an external is empty");
  EXPECT_EQ(refusal([](External& e) { e.stand_in = "cudnn"; }), "stand_in 'cudnn' of an external is no solver");
  EXPECT_EQ(refusal([](External& e) { e.tier = Tier::reference; }), "an external cannot be the reference");
  EXPECT_EQ(refusal([](External& e) { e.allowance = -1; }), "allowance of an external is not between 0 and 1");
}

}  // namespace
}  // namespace convoy
