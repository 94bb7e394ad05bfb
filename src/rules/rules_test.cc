// Rules: the ones that come with Convoy, the schema, the layers, and every predicate both ways.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/test_folder.h"
#include "rules/rule_set.h"

namespace convoy {
namespace {

const RuleVocabulary k_names{{"vendor", "own", "igemm", "miopen"}, {"gemm", "winograd"}, {"auto", "gemm", "cpu"}};

std::string rule_with(std::string_view when, std::string_view then, std::string_view example) {
  return fmt::format(
      R"({{"format": 1, "rules": [{{"id": "one", "sentence": "Why.", "when": {}, "then": {}, "example": {}}}]}})", when,
      then, example);
}

std::string problem_of(std::string_view text) {
  const ParsedRules parsed = parse_rules(text, "f.json", k_names);
  return parsed.problems.empty() ? "" : parsed.problems.front();
}

TEST(Ranges, Bounds) {
  const auto holds = [](std::string_view range, std::string_view version) {
    return Range::parse(range).value().contains(version_in(version).value());
  };
  EXPECT_TRUE(holds(">=6.0 <6.2", "amdgpu 6.1.5"));
  EXPECT_TRUE(holds(">=6.0 <6.2", "6"));
  EXPECT_FALSE(holds(">=6.0 <6.2", "6.2"));
  EXPECT_TRUE(holds("3", "3.0.0"));
  EXPECT_FALSE(holds("3", "3.1"));
  EXPECT_TRUE(holds("<=3.1 >2", "miopen 3.1.0-rc2"));
  EXPECT_FALSE(holds("<=3.1 >2", "2.0"));
  EXPECT_TRUE(Range::parse(">42").value().contains(43));
  EXPECT_FALSE(Range::parse(">42").value().contains(42));
  for (const char* bad : {"", " ", "a", ">", ">=x", "1 2 3", "1.2.3.4.5", "-1", "1a", "> 3", "99999999999999999999"})
    EXPECT_FALSE(Range::parse(bad)) << bad;
  EXPECT_FALSE(version_in("unknown"));
}

TEST(Patterns, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_pattern("gfx101?", "gfx1012"));
  EXPECT_FALSE(matches_pattern("gfx101?", "gfx101"));
  EXPECT_TRUE(matches_pattern("*", "x"));
  EXPECT_TRUE(matches_pattern("fwd:*:g1", "fwd:f32:nchw:n1c3:g1"));
  EXPECT_FALSE(matches_pattern("fwd:*:g1", "fwd:f32:nchw:n1c3:g12"));
  EXPECT_TRUE(matches_pattern("*a*b*", "xxabxxb"));
  EXPECT_FALSE(matches_pattern("*a*b", "xxabc"));
}

TEST(BuiltInRules, AreAccepted) {
  // With the names of this test many solvers would be unknown: dispatch checks those.
  const ParsedRules parsed =
      parse_rules(built_in_rules(), "built in", {{"vendor", "own", "generic", "cpu"}, {"winograd"}, {"auto"}});
  EXPECT_TRUE(parsed.problems.empty()) << fmt::format("{}", fmt::join(parsed.problems, "\n"));
  EXPECT_GE(parsed.rules.size(), 10U);
  for (const DeviceRule& rule : parsed.rules) {
    EXPECT_FALSE(rule.sources.empty()) << rule.id << " has no source";
    for (const std::string& source : rule.sources) EXPECT_TRUE(source.starts_with("https://")) << rule.id;
  }
}

TEST(RuleSchema, WhatIsWrongIsNamedWithItsPlace) {
  const std::string good = rule_with("{}", R"({"refuse": ["miopen"]})", "{}");
  EXPECT_EQ(problem_of(good), "");
  const std::pair<std::string, std::string> cases[] = {
      {"{", "f.json: [json.exception.parse_error.101] parse error at line 1, column 2"},
      {"[]", "f.json: must be an object with \"format\" and the list \"rules\""},
      {R"({"format": 2, "rules": []})", "f.json: \"format\" must be 1; another Convoy wrote it"},
      {R"({"format": 1, "rules": [3]})", "f.json: rules[0]: must be an object"},
      {R"({"format": 1, "rules": [{"id": "a", "if": 1}]})", "f.json: rules[0] (a): if: there is no such member"},
      {R"({"format": 1, "rules": [{"id": "A!", "disabled": true}]})",
       "f.json: rules[0] (A!): id: must be small letters"},
      {rule_with(R"({"pci": ["731f"]})", R"({"refuse": ["own"]})", "{}"),
       "f.json: rules[0] (one): when.pci: must be ids"},
      {rule_with("{}", R"({"refuse": ["reference"]})", "{}"),
       "f.json: rules[0] (one): then.refuse[0]: \"reference\" is none of"},
      {rule_with("{}", "{}", "{}"), "f.json: rules[0] (one): then: has no effect"},
      {rule_with(R"({"driver": "new"})", R"({"refuse": ["own"]})", "{}"),
       "f.json: rules[0] (one): when.driver: must be a range"},
      {rule_with(R"({"architecture": ["gfx9*"]})", R"({"refuse": ["own"]})", R"({"architecture": "gfx1010"})"),
       "f.json: rules[0] (one): example: is not matched by when"},
      {rule_with(R"({"problem": {"rank": 3}})", R"({"refuse": ["own"]})", "{}"),
       "f.json: rules[0] (one): example.problem: is missing"},
      {rule_with(R"({"problem": {"rank": 3}})", R"({"refuse": ["own"]})",
                 R"({"problem": "fwd:f32:nchw:n1c1h4w4:k1r1s1:pad0x0:stride1x1:dil1x1:g1"})"),
       "f.json: rules[0] (one): example.problem: is not matched by when.problem"},
      {rule_with(R"({"problem": {"rank": 3}})", R"({"strategy": "cpu"})",
                 R"({"problem": "fwd:f32:ncdhw:n1c1d4h4w4:k1t1r1s1:pad0x0x0:stride1x1x1:dil1x1x1:g1"})"),
       "f.json: rules[0] (one): then: without, strategy and environment belong to a machine"},
      {rule_with("{}", R"({"environment": {"LD_PRELOAD": "/tmp/x.so"}})", "{}"),
       "f.json: rules[0] (one): then.environment.LD_PRELOAD: must be a variable of"},
      {rule_with("{}", R"({"environment": {"MIOPEN_X": "a b"}})", "{}"),
       "f.json: rules[0] (one): then.environment.MIOPEN_X: may have letters, digits and"},
      {rule_with("{}", R"({"environment": {"HSA_TOOLS_LIB": "x.so"}})", "{}"),
       "f.json: rules[0] (one): then.environment.HSA_TOOLS_LIB: rules set no variables that name files"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_TRUE(problem_of(text).starts_with(expected)) << problem_of(text) << "\n" << text;
  // A bad rule does not take the good ones with it.
  const ParsedRules parsed = parse_rules(
      R"({"format": 1, "rules": [{"id": "bad", "then": 3}, {"id": "off", "disabled": true}, {"id": "off", "disabled": true}]})",
      "f.json", k_names);
  ASSERT_EQ(parsed.rules.size(), 1U);
  EXPECT_EQ(parsed.rules[0].id, "off");
  EXPECT_EQ(parsed.problems.back(), "f.json: rules[2] (off): id: is used twice");
}

TEST(RuleSchema, HostileFilesEndInALine) {
  const auto nested = [](std::string_view before, char open, char close, std::string_view after) {
    constexpr std::size_t k_deep = 200000;
    return fmt::format("{}{}{}{}", before, std::string(k_deep, open), std::string(k_deep, close), after);
  };
  EXPECT_EQ(problem_of(nested(R"({"rules": [], "format": )", '[', ']', "}")), "f.json: is nested too deep");
  EXPECT_EQ(problem_of(nested(R"({"format": 1, "rules": [{"then": )", '[', ']', "}]}")), "f.json: is nested too deep");
  EXPECT_EQ(problem_of(nested("", '[', ' ', "")), "f.json: is nested too deep");
  // The last of two would count, and the rule hold where nobody meant it to.
  const std::string twice = rule_with(R"({"problem": {"rank": 3}, "problem": {"direction": ["wrw"]}})", "{}", "{}");
  EXPECT_EQ(problem_of(twice), "f.json: \"problem\" stands twice in one object");
  // The same name in another object is another.
  EXPECT_EQ(problem_of(rule_with(R"({"architecture": ["a"]})", R"({"refuse": ["own"]})", R"({"architecture": "a"})")),
            "");
  std::string many = R"({"format": 1, "rules": [{"id": "a")";
  for (int i = 0; i < 10000; ++i) many += fmt::format(", \"x{}\": 1", i);
  const ParsedRules parsed = parse_rules(many + "}]}", "f.json", k_names);
  EXPECT_LE(parsed.problems.size(), 51U);
  EXPECT_EQ(parsed.problems.back(), "f.json: and 9950 more");
  EXPECT_TRUE(parsed.rules.empty());
  for (const std::string& bad : {std::string("{\"format\": 1, \"rules\": [{\"id\": \"\xff\"}]}"),
                                 std::string("{\"format\": 1, \"rules\": \0[]}", 25), std::string(1 << 20, '"'),
                                 std::string(R"({"format": 1, "rules": [{"id": "a", "when": {"driver": 1e999}}]})"),
                                 std::string(R"({"format": NaN, "rules": []})")}) {
    EXPECT_NE(problem_of(bad), "");
    EXPECT_LT(problem_of(bad).size(), 300U);
  }
}

struct PredicateCase {
  const char* when;
  const char* matching;  // problems
  const char* other;
};

TEST(RulePredicates, OnProblems) {
  const char* const plain = "fwd:f32:nchw:n2c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g1";
  const PredicateCase cases[] = {
      {R"({"direction": ["wrw"]})", "wrw:f32:nchw:n2c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g1", plain},
      {R"({"dtype": ["f16", "bf16"]})", "fwd:bf16:nchw:n2c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g1", plain},
      {R"({"layout": ["channels_last"]})", "fwd:f32:nhwc:n2c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g1", plain},
      {R"({"string": ["*:n*c4h8w9:*"]})", plain, "fwd:f32:nchw:n2c4h8w8:k6r3s5:pad1x2:stride1x1:dil1x1:g1"},
      {R"({"depthwise": true})", "fwd:f32:nchw:n2c4h8w9:k4r3s5:pad1x2:stride1x1:dil1x1:g4", plain},
      {R"({"transposed": true})", "fwd:f32:nchw:n2c4h8w9:k4r3s5:pad1x2:stride1x1:dil1x1:g1:tr", plain},
      {R"({"rank": "<2"})", "fwd:f32:ncw:n2c4w9:k4s5:pad2:stride1:dil1:g1", plain},
      {R"({"groups": ">1"})", "fwd:f32:nchw:n2c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g2", plain},
      {R"({"batch": ">=4"})", "fwd:f32:nchw:n4c4h8w9:k6r3s5:pad1x2:stride1x1:dil1x1:g1", plain},
      {R"({"channels": 4, "outputs": 6})", plain, "fwd:f32:nchw:n2c4h8w9:k7r3s5:pad1x2:stride1x1:dil1x1:g1"},
      {R"({"image": "9"})", plain, "fwd:f32:nchw:n2c4h8w8:k6r3s5:pad1x2:stride1x1:dil1x1:g1"},
      {R"({"filter": ">=5"})", plain, "fwd:f32:nchw:n2c4h8w9:k6r3s3:pad1x2:stride1x1:dil1x1:g1"},
      {R"({"stride": 2})", "fwd:f32:nchw:n2c4h8w9:k6r3s5:pad1x2:stride1x2:dil1x1:g1", plain},
      {R"({"dilation": ">1"})", "fwd:f32:nchw:n2c4h8w9:k6r3s2:pad1x2:stride1x1:dil1x3:g1", plain},
  };
  for (const PredicateCase& one : cases) {
    const std::string text = rule_with(fmt::format(R"({{"problem": {}}})", one.when), R"({"refuse": ["own"]})",
                                       fmt::format(R"({{"problem": "{}"}})", one.matching));
    const ParsedRules parsed = parse_rules(text, "f.json", k_names);
    ASSERT_EQ(parsed.rules.size(), 1U) << fmt::format("{}", fmt::join(parsed.problems, "\n"));
    EXPECT_TRUE(applies(parsed.rules[0].problem, parse_problem(one.matching).value())) << one.when;
    EXPECT_FALSE(applies(parsed.rules[0].problem, parse_problem(one.other).value())) << one.when;
  }
}

TEST(RulePredicates, OnMachines) {
  const RuleMachine machine{"hip",          "1002:731f",    "gfx1010", "gfx1030",
                            "amdgpu 6.8.5", "miopen 3.2.0", "no",      "HIP 7.1.2"};
  const std::pair<const char*, bool> cases[] = {
      {"{}", true},
      {R"({"backend": ["hip", "opencl"]})", true},
      {R"({"backend": ["cuda"]})", false},
      {R"({"pci": ["1002:731?"]})", true},
      {R"({"pci": ["1002:7340"]})", false},
      {R"({"architecture": ["gfx101?"]})", true},
      {R"({"architecture": ["gfx1030"]})", false},
      {R"({"pretends": true})", true},
      {R"({"pretends": false})", false},
      {R"({"pretends": ["gfx1100"]})", false},
      {R"({"driver": ">=6.8 <6.9"})", true},
      {R"({"driver": "<6.8"})", false},
      {R"({"miopen": ">=3"})", true},
      {R"({"miopen": "<3"})", false},
      {R"({"hip": ">=7"})", true},
      {R"({"hip": "<7"})", false},
      {R"({"rocblas": false})", true},
      {R"({"rocblas": true})", false},
  };
  for (const auto& [when, expected] : cases) {
    // The example of a rule that does not match this machine is another machine.
    const std::string text = fmt::format(
        R"({{"format": 1, "rules": [{{"id": "one", "sentence": "Why.", "disabled": true, "when": {}}}]}})", when);
    const ParsedRules parsed = parse_rules(text, "f.json", k_names);
    ASSERT_EQ(parsed.rules.size(), 1U) << when;
    EXPECT_EQ(applies(parsed.rules[0].machine, machine), expected) << when;
  }
  RuleMachine unknown;
  MachinePredicates any_driver, any_architecture;
  any_driver.driver = Range::parse(">0");
  any_architecture.architectures = {"*"};
  EXPECT_FALSE(applies(any_driver, unknown)) << "what is not known does not match";
  EXPECT_FALSE(applies(any_architecture, unknown));
}

bool has(const std::vector<DeviceRule>& rules, std::string_view id) {
  return std::ranges::find(rules, id, &DeviceRule::id) != rules.end();
}

TEST(RuleSet, KnowsTheWholeRdna1FamilyByItsNumbers) {
  const RuleSet set = RuleSet::load({}, {{"vendor", "own", "generic", "cpu"}, {"winograd"}, {"auto"}});
  for (const char* pci : {"1002:7310", "1002:7312", "1002:7318", "1002:7319", "1002:731a", "1002:731b", "1002:731e",
                          "1002:731f", "1002:7340", "1002:7341", "1002:7347", "1002:734f", "1002:7360", "1002:7362"}) {
    EXPECT_TRUE(has(set.for_machine({"hip", pci, "", "gfx1030", "", "", ""}), "rdna1-pretending")) << pci;
  }
  EXPECT_FALSE(has(set.for_machine({"hip", "1002:73bf", "", "gfx1030", "", "", ""}), "rdna1-pretending"));
  EXPECT_FALSE(has(set.for_machine({"hip", "1002:731f", "", "", "", "", ""}), "rdna1-pretending"))
      << "it does not pretend";
}

TEST(RuleSet, WhatWasMendedUpstreamIsNotHeldAgainstIt) {
  const RuleSet set = RuleSet::load({}, {{"vendor", "own", "generic", "cpu"}, {"winograd"}, {"auto"}});
  EXPECT_TRUE(has(set.for_machine({"hip", "", "gfx803", "", "", "miopen 2.9.0", ""}), "gfx803-1x1"));
  EXPECT_FALSE(has(set.for_machine({"hip", "", "gfx803", "", "", "miopen 3.2.0", ""}), "gfx803-1x1"));
}

TEST(RuleSet, CardsOfLaterLayersAreStrongerAndMayBePatterns) {
  const TestFolder folder;
  folder.write("rules.json", R"({"format": 1, "rules": [], "cards": [
      {"architecture": "gfx9999", "pci": ["1002:731?"]}, {"architecture": "gfx1"}, {"pci": ["1002:1"]}]})");
  const RuleSet set =
      RuleSet::load({folder.file("rules.json")}, {{"vendor", "own", "generic", "cpu"}, {"winograd"}, {"auto"}});
  EXPECT_EQ(set.problems.size(), 2U);
  EXPECT_FALSE(has(set.for_machine({"hip", "1002:731f", "", "gfx1030", "", "", ""}), "rdna1-pretending"));
  EXPECT_TRUE(has(set.for_machine({"hip", "1002:7340", "", "gfx1030", "", "", ""}), "rdna1-pretending"));
  EXPECT_TRUE(has(set.for_machine({"hip", "1002:731f", "gfx1010", "gfx1030", "", "", ""}), "rdna1-pretending"))
      << "what the card itself says counts";
}

TEST(RuleSet, LaterLayersAreStrongerAndReplaceById) {
  const TestFolder folder;
  const std::string system = folder.path() + "/system.json", user = folder.path() + "/user.json";
  folder.write("system.json", R"({"format": 1, "rules": [
      {"id": "mine", "sentence": "A.", "when": {}, "then": {"refuse": ["igemm"]}, "example": {}},
      {"id": "rdna1-pretending", "disabled": true}]})");
  folder.write("user.json", R"({"format": 1, "rules": [
      {"id": "mine", "sentence": "B.", "when": {}, "then": {"first": ["igemm"]}, "example": {}},
      {"id": "nonsense", "sentence": "C.", "then": {}}]})");
  const RuleVocabulary names{{"vendor", "own", "generic", "cpu", "igemm"}, {"winograd"}, {"auto"}};
  const RuleSet set = RuleSet::load({folder.path() + "/none.json", system, user}, names);
  ASSERT_FALSE(set.rules.empty());
  EXPECT_EQ(set.rules[0].sentence, "B.");
  EXPECT_EQ(set.rules[0].origin, user);
  EXPECT_EQ(std::ranges::count(set.rules, "mine", &DeviceRule::id), 1);
  EXPECT_FALSE(has(set.rules, "rdna1-pretending"));
  ASSERT_EQ(set.problems.size(), 1U);
  EXPECT_TRUE(set.problems[0].starts_with(user + ": rules[1] (nonsense): ")) << set.problems[0];
}

TEST(RuleSet, AFileThatAnybodyCanWriteIsNotRead) {
  const TestFolder folder;
  folder.write("rules.json", R"({"format": 1, "rules": []})");
  const std::string file = folder.path() + "/rules.json";
  ASSERT_EQ(chmod(file.c_str(), 0666), 0);
  EXPECT_EQ(RuleSet::load({file}, k_names).problems.size(),
            1U + parse_rules(built_in_rules(), "", k_names).problems.size());
}

}  // namespace
}  // namespace convoy
