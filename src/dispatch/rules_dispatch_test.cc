// Device rules in the engine: refusals, the first place, strategy and algorithms, and that every choice says which rule made it.
#include "dispatch/rules.h"

#include <gtest/gtest.h>

#include <future>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/test_folder.h"
#include "device/test_device.h"
#include "dispatch/dispatcher.h"
#include "dispatch/select.h"
#include "dispatch/warm.h"
#include "solvers/host_tensors.h"

namespace convoy {
namespace {

const char* const k_plain = "fwd:f32:nchw:n1c4h8w8:k4r3s3:pad1x1:stride1x1:dil1x1:g1";
const char* const k_grouped = "fwd:f32:nchw:n1c4h8w8:k4r3s3:pad1x1:stride1x1:dil1x1:g2";

class RulesTest : public testing::Test {
 protected:
  Settings settings(std::string_view rules) const {
    Settings settings;
    EXPECT_TRUE(settings.set("cache_dir", folder_.path()));
    EXPECT_TRUE(settings.set("trial", "never"));
    folder_.write("rules.json", fmt::format(R"({{"format": 1, "rules": [{}]}})", rules));
    EXPECT_TRUE(settings.set("rules", folder_.file("rules.json")));
    EXPECT_TRUE(load_rules(settings).problems.empty())
        << fmt::format("{}", fmt::join(load_rules(settings).problems, "\n"));
    return settings;
  }
  Convolution::Report report(const Settings& settings, const char* text) const {
    auto dispatcher = Dispatcher::create(settings, "cpu");
    EXPECT_TRUE(dispatcher);
    const Problem problem = *parse_problem(text);
    auto random = make_random_tensors(problem, (*dispatcher)->context().device(), 7);
    EXPECT_TRUE(random);
    const auto ran = (*(*dispatcher)->convolution(problem))->run(random->tensors);
    EXPECT_TRUE(ran) << ran.error().message;
    return (*(*dispatcher)->convolution(problem))->report();
  }
  TestFolder folder_;
};

TEST_F(RulesTest, ABanHoldsForItsProblemsAndSaysSo) {
  const Settings banned = settings(R"({"id": "no-groups", "sentence": "Groups are slow there.",
      "when": {"problem": {"groups": ">1"}}, "then": {"refuse": ["onednn"]},
      "example": {"problem": "fwd:f32:nchw:n1c4h8w8:k4r3s3:pad1x1:stride1x1:dil1x1:g2"}})");
  EXPECT_EQ(report(banned, k_plain).solver, "onednn");
  const Convolution::Report grouped = report(banned, k_grouped);
  EXPECT_EQ(grouped.solver, "reference");
  ASSERT_FALSE(grouped.attempts.empty());
  EXPECT_EQ(grouped.attempts[0].solver, "onednn");
  EXPECT_EQ(grouped.attempts[0].reason, "rule no-groups: Groups are slow there.");
}

TEST_F(RulesTest, AStrategyCountsUntilTheUserHasOne) {
  Settings chosen = settings(R"({"id": "rather-cpu", "sentence": "Why.", "when": {"backend": ["cpu"]},
      "then": {"strategy": "cpu"}, "example": {"backend": "cpu"}})");
  const Convolution::Report by_rule = report(chosen, k_plain);
  EXPECT_EQ(by_rule.tier, Tier::cpu);
  EXPECT_EQ(by_rule.attempts.back().reason, "strategy cpu by rule rather-cpu");
  ASSERT_TRUE(chosen.set("strategy", "auto"));
  EXPECT_EQ(report(chosen, k_plain).tier, Tier::vendor);
  const Settings elsewhere = settings(R"({"id": "rather-cpu", "sentence": "Why.", "when": {"backend": ["cuda"]},
      "then": {"strategy": "cpu"}, "example": {"backend": "cuda"}})");
  EXPECT_EQ(report(elsewhere, k_plain).tier, Tier::vendor);
}

TEST_F(RulesTest, AlgorithmsAreTakenFromTheVendorAlone) {
  const Settings without = settings(R"({"id": "none", "sentence": "Why.", "when": {},
      "then": {"without": ["gemm", "direct", "winograd", "fft", "implicit_gemm"]}, "example": {}})");
  const Convolution::Report left = report(without, k_plain);
  EXPECT_EQ(left.solver, "reference");
  EXPECT_EQ(left.attempts[0].reason, "every algorithm is switched off");
  const Settings some =
      settings(R"({"id": "no-winograd", "sentence": "Why.", "when": {}, "then": {"without": ["winograd"]},
      "example": {}})");
  EXPECT_EQ(report(some, k_plain).attempts.back().reason, "without winograd by rule no-winograd");
}

// PyTorch's own path and the solver that stands in for it.
External brought_along() {
  External external;
  external.id = "torch";
  external.library = "torch 0";
  external.stand_in = "onednn";
  external.run = [](void*, void*) -> Result<void> { return {}; };
  return external;
}

class BroughtAlongTest : public RulesTest {
 protected:
  Convolution::Report report_of_brought(const Settings& settings) const {
    auto dispatcher = Dispatcher::create(settings, "cpu");
    EXPECT_TRUE(dispatcher);
    const Problem problem = *parse_problem(k_plain);
    auto random = make_random_tensors(problem, (*dispatcher)->context().device(), 7);
    Tensors tensors = random->tensors;
    tensors.context = &tensors;
    const auto convolution = *(*dispatcher)->convolution(problem, brought_along());
    const auto ran = convolution->run(tensors);
    EXPECT_TRUE(ran) << ran.error().message;
    return convolution->report();
  }
};

TEST_F(BroughtAlongTest, ABannedSolverIsBannedInIt) {
  const Convolution::Report report = report_of_brought(settings(
      R"({"id": "no-onednn", "sentence": "Why.", "when": {}, "then": {"refuse": ["onednn"]}, "example": {}})"));
  EXPECT_EQ(report.attempts[0].solver, "torch");
  EXPECT_EQ(report.attempts[0].reason, "rule no-onednn: Why.");
  EXPECT_EQ(report.solver, "reference");
}

TEST_F(BroughtAlongTest, ItDoesNotServeWhereItCannotBeToldWhatRulesForbid) {
  Settings chosen = settings(
      R"({"id": "no-winograd", "sentence": "Why.", "when": {}, "then": {"without": ["winograd"]}, "example": {}})");
  EXPECT_EQ(report_of_brought(chosen).attempts[0].reason,
            "cannot be told which algorithms to use: without winograd by rule no-winograd");
  // A switch in a file is not one that it reads.
  ASSERT_TRUE(chosen.set("miopen.conv_winograd", "0", Origin::user_file, "convoy.conf:1"));
  EXPECT_EQ(report_of_brought(chosen).attempts[0].outcome, Outcome::unfit);
  ASSERT_TRUE(chosen.set("miopen.conv_winograd", "0", Origin::environment, "MIOPEN_DEBUG_CONV_WINOGRAD"));
  EXPECT_NE(report_of_brought(chosen).attempts[0].outcome, Outcome::unfit);
}

TEST_F(BroughtAlongTest, NobodyWaitsForASearchThatARuleHasDecided) {
  Settings chosen = settings(
      R"({"id": "onednn-first", "sentence": "Why.", "when": {}, "then": {"first": ["onednn"]}, "example": {}})");
  ASSERT_TRUE(chosen.set("find", "find"));
  EXPECT_EQ(report_of_brought(chosen).solver, "onednn");  // and is measured now, which torch never is
  const auto store = Store::open(store_config(chosen));
  std::promise<void> taken, done;
  const auto holder = std::async(std::launch::async, [&] {
    const auto turn = store->take_search_turn(std::chrono::seconds(5));
    EXPECT_TRUE(turn);
    taken.set_value();
    done.get_future().wait_for(std::chrono::seconds(60));
  });
  taken.get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(report_of_brought(chosen).solver, "onednn");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
  done.set_value();
}

TEST_F(RulesTest, AnAlgorithmThatIsForbiddenIsForbiddenInTheProcessorsTierToo) {
  Settings without = settings(R"({"id": "none", "sentence": "Why.", "when": {},
      "then": {"without": ["gemm", "direct", "winograd", "fft", "implicit_gemm"]}, "example": {}})");
  ASSERT_TRUE(without.set("strategy", "cpu"));
  EXPECT_EQ(report(without, k_plain).solver, "reference");
}

TEST_F(RulesTest, NothingIsCompiledForWhatIsRefused) {
  if (const auto device = open_device("sim:gfx1010"); !device) GTEST_SKIP() << device.error().message;
  const auto plans_of = [](const Settings& settings) {
    auto dispatcher = Dispatcher::create(settings, "sim:gfx1010");
    EXPECT_TRUE(dispatcher) << dispatcher.error().message;
    const Problem problem = *parse_problem(k_plain);
    std::size_t total = 0;
    warm_kernels((*dispatcher)->context(), {&problem, 1}, [&total](WarmProgress progress) {
      total = progress.total;
      return false;
    });
    return total;
  };
  EXPECT_GE(plans_of(settings("")), 2U);
  EXPECT_EQ(plans_of(settings(R"({"id": "only-direct", "sentence": "Why.", "when": {}, "then": {"refuse": ["own"]},
      "example": {}})")),
            1U);
}

TEST(Rules, TheFirstPlaceBeatsTiersAndTimes) {
  CandidateFacts vendor, own, last;
  vendor.solver = "miopen", vendor.tier = Tier::vendor, vendor.measured_ms = 1, vendor.passed_before = true;
  own.solver = "igemm", own.tier = Tier::own, own.measured_ms = 2, own.first = true;
  last.solver = "reference", last.tier = Tier::reference;
  const CandidateFacts facts[] = {vendor, own, last};
  const Selection selection = select(*parse_problem(k_plain), facts, {}, false);
  ASSERT_EQ(selection.order.size(), 3U);
  EXPECT_EQ(selection.order[0].fact, 1U);
  EXPECT_EQ(selection.order[1].fact, 0U);
  EXPECT_EQ(selection.order[2].fact, 2U);
}

TEST(Rules, TheStrongestRuleThatPutsSomethingFirstCounts) {
  const auto rules_of = [](std::string_view text) {
    return DeviceRules(
        parse_rules(fmt::format(R"({{"format": 1, "rules": [{}]}})", text), "f", rule_vocabulary()).rules);
  };
  const DeviceRules rules = rules_of(
      R"({"id": "a", "sentence": "A.", "when": {}, "then": {"first": ["direct"]}, "example": {}},
         {"id": "b", "sentence": "B.", "when": {}, "then": {"first": ["own"]}, "example": {}})");
  const Problem problem = *parse_problem(k_plain);
  EXPECT_TRUE(rules.puts_first("direct", Tier::generic, problem));
  EXPECT_FALSE(rules.puts_first("igemm", Tier::own, problem));
  EXPECT_EQ(rules.note_on("direct", Tier::generic, problem), "put first by rule a");
  EXPECT_EQ(rules.note_on("igemm", Tier::own, problem), "");
}

TEST(Rules, OnesThatComeWithConvoyNameWhatThereIs) {
  const ParsedRules parsed = parse_rules(built_in_rules(), "built in", rule_vocabulary());
  EXPECT_TRUE(parsed.problems.empty()) << fmt::format("{}", fmt::join(parsed.problems, "\n"));
}

// A GPU by its facts alone.
class Card final : public ForwardingDevice {
 public:
  explicit Card(std::string real) : ForwardingDevice(make_cpu_device()), info_(target().info()) {
    info_.kind = DeviceKind::hip;
    info_.key = "hip/gfx1030/amdgpu 6.8.5/HIP 6.2";
    info_.architecture = "gfx1030";
    info_.real_architecture = std::move(real);
  }
  const DeviceInfo& info() const override { return info_; }

 private:
  DeviceInfo info_;
};

TEST(Rules, VerdictsOnACardAreNotThoseOfOneThatPretendsToBeIt) {
  const auto key_on = [](const char* real) {
    const DispatchContext context({}, std::make_unique<Card>(real), Store::open({}));
    return context.key_of(*find_solver("reference"), *parse_problem(k_plain)).device;
  };
  EXPECT_EQ(key_on(""), "hip/gfx1030/amdgpu 6.8.5/HIP 6.2");
  EXPECT_NE(key_on("gfx1010"), key_on(""));
  EXPECT_NE(key_on("gfx1010"), key_on("gfx1031"));
}

TEST(Rules, OnRdna1ThatPretendsLargeImagesAvoidTheVendor) {
  const RuleSet set = RuleSet::load({}, rule_vocabulary());
  DeviceInfo card;
  card.kind = DeviceKind::hip;
  card.architecture = "gfx1030:xnack-";
  card.real_architecture = "gfx1010";
  const Problem small = *parse_problem("fwd:f32:nchw:n1c3h42w42:k64r3s3:pad0x0:stride1x1:dil1x1:g1");
  const Problem large = *parse_problem("fwd:f32:nchw:n1c3h44w44:k64r3s3:pad0x0:stride1x1:dil1x1:g1");
  const DeviceRules pretending = DeviceRules::of(set, card);
  EXPECT_EQ(pretending.refusal_of("miopen", Tier::vendor, small), "");
  EXPECT_TRUE(pretending.refusal_of("miopen", Tier::vendor, large).starts_with("rule rdna1-pretending: "));
  EXPECT_EQ(pretending.refusal_of("igemm", Tier::own, large), "");
  card.architecture = "gfx1010";
  card.real_architecture.clear();
  EXPECT_EQ(DeviceRules::of(set, card).refusal_of("miopen", Tier::vendor, large), "");
}

}  // namespace
}  // namespace convoy
