// The fault grammar: what is accepted, what is refused with which words, which problems a fault hits.
#include "dispatch/fault.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

Problem sized(std::int64_t h, std::int64_t w) {
  Problem problem;
  problem.in = {h, w, 1};
  return problem;
}

TEST(Fault, conditions_select_problems) {
  struct Row {
    const char* spec;
    std::int64_t h, w;
    bool hit;
  };
  for (const Row& row :
       {Row{"onednn:hang@hw>42", 42, 42, false}, Row{"onednn:hang@hw>42", 44, 44, true},
        Row{"onednn:hang@hw>42", 1, 43, true}, Row{"onednn:hang@hw>42", 43, 1, true},
        Row{"onednn:error@h<=8", 8, 99, true}, Row{"onednn:error@h<=8", 9, 1, false},
        Row{"onednn:error@w=7", 3, 7, true}, Row{"onednn:error@w=7", 7, 3, false}, Row{"onednn:nan@n>=2", 5, 5, false},
        Row{"onednn:nan@d<2", 5, 5, true}, Row{"*:oom", 1, 1, true}}) {
    const auto plan = parse_faults(row.spec);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->find("onednn", sized(row.h, row.w)) != nullptr, row.hit)
        << row.spec << " " << row.h << "x" << row.w;
    EXPECT_EQ(plan->find("reference", sized(row.h, row.w)), nullptr) << row.spec;
    EXPECT_TRUE(plan->armed("onednn"));
    EXPECT_FALSE(plan->armed("reference"));
  }
}

TEST(Fault, the_first_that_matches_wins) {
  const auto plan = parse_faults("onednn:nan@hw>100,*:wrong");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->find("onednn", sized(200, 200))->kind, FaultKind::nan);
  EXPECT_EQ(plan->find("onednn", sized(20, 20))->kind, FaultKind::wrong);
  EXPECT_EQ(plan->label("onednn"), "onednn:nan@hw>100,*:wrong");
  EXPECT_EQ(plan->label("another"), "*:wrong");
  EXPECT_EQ(plan->label("reference"), "");
}

TEST(Fault, nothing_is_armed_by_an_empty_spec) {
  const auto plan = parse_faults("");
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->armed("onednn"));
}

TEST(Fault, bad_specs_are_quoted_with_the_cure) {
  for (const char* spec :
       {"onednn", "onednn:", "onednn:explode", ":hang", "nosuch:hang", "reference:hang", "onednn:hang@",
        "onednn:hang@hw", "onednn:hang@hw>", "onednn:hang@hw>x", "onednn:hang@q>1", "onednn:hang@hw!3",
        "onednn:hang@hw>42z", "onednn:hang,", ",onednn:hang", "onednn:hang@hw>99999999999999999999"}) {
    const auto plan = parse_faults(spec);
    ASSERT_FALSE(plan) << spec;
    EXPECT_EQ(plan.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(plan.error().message.find("fault"), std::string::npos) << plan.error().message;
  }
}

}  // namespace
}  // namespace convoy
