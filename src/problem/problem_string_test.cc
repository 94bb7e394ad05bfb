// The canonical string: known ones, the round trip over random problems, and what is refused.
#include <gtest/gtest.h>

#include "problem/problem.h"
#include "problem/random_problem.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 31415926;

TEST(ProblemString, WritesEveryPart) {
  Problem p;
  p.direction = Direction::backward_data;
  p.dtype = Dtype::bf16;
  p.layout = Layout::channels_last;
  p.rank = 3;
  p.n = 2;
  p.c = 8;
  p.k = 4;
  p.groups = 2;
  p.in = {5, 6, 7};
  p.filter = {1, 2, 3};
  p.pad = {0, 1, 2};
  p.stride = {1, 2, 3};
  p.dilation = {3, 2, 1};
  p.transposed = true;
  p.output_pad = {0, 1, 0};
  p.x_strides = Dims{2000, 1, 400, 60, 8};
  EXPECT_EQ(p.to_string(),
            "bwd:bf16:ndhwc:n2c8d5h6w7:k4t1r2s3:pad0x1x2:stride1x2x3:dil3x2x1:g2:tr:opad0x1x0:xs2000x1x400x60x8");
  EXPECT_EQ(p.class_string(),
            "bwd:bf16:ndhwc:n*c8d5h6w7:k4t1r2s3:pad0x1x2:stride1x2x3:dil3x2x1:g2:tr:opad0x1x0:xs2000x1x400x60x8");
  EXPECT_EQ(Problem{}.to_string(), "fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1");
}

TEST(ProblemString, ReadsWhatItSays) {
  const Result<Problem> p = parse_problem(" wrw:f64:nwc:n3c4w9:k6s5:pad2:stride3:dil2:g2:ws100x50x1:ys60x10x1\r\n");
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(p->direction, Direction::backward_weights);
  EXPECT_EQ(p->dtype, Dtype::f64);
  EXPECT_EQ(p->layout, Layout::channels_last);
  EXPECT_EQ(p->rank, 1);
  EXPECT_EQ(p->n, 3);
  EXPECT_EQ(p->c, 4);
  EXPECT_EQ(p->in[0], 9);
  EXPECT_EQ(p->k, 6);
  EXPECT_EQ(p->filter[0], 5);
  EXPECT_EQ(p->pad[0], 2);
  EXPECT_EQ(p->stride[0], 3);
  EXPECT_EQ(p->dilation[0], 2);
  EXPECT_EQ(p->groups, 2);
  EXPECT_FALSE(p->x_strides);
  EXPECT_EQ(*p->w_strides, (Dims{100, 50, 1, 0, 0}));
  EXPECT_EQ(*p->y_strides, (Dims{60, 10, 1, 0, 0}));
}

TEST(ProblemString, RoundTrip) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  for (int i = 0; i < 20000; ++i) {
    const Problem p = random.next();
    const std::string text = p.to_string();
    const Result<Problem> back = parse_problem(text);
    ASSERT_TRUE(back) << text << ": " << back.error().message;
    ASSERT_EQ(*back, p) << text;
    ASSERT_EQ(back->to_string(), text);
    ASSERT_NE(p.class_string().find(":n*c"), std::string::npos) << text;
  }
}

TEST(ProblemString, ErrorsNameThePartAndTheCure) {
  const struct {
    const char* text;
    const char* message;
  } table[] = {
      {"", "'' has 1 parts, a problem has at least 9"},
      {"fwd:f32:nchw", "has 3 parts"},
      {"for:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 1 'for': expected fwd, bwd or wrw"},
      {"fwd:i32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 2 'i32': expected f32, f16"},
      {"fwd:f32:chwn:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 3 'chwn': expected ncw"},
      {"fwd:f32:nchw:n1c1h1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 4 'n1c1h1': expected 'w' and a number"},
      {"fwd:f32:nchw:n1c1d1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 4 'n1c1d1h1w1': expected 'h'"},
      {"fwd:f32:nchw:n01c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 4 'n01c1h1w1': expected 'n'"},
      {"fwd:f32:nchw:n+1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "without sign"},
      {"fwd:f32:nchw:n-1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "without sign"},
      {"fwd:f32:nchw:n9223372036854775808c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "too large"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x99999999999999999999:stride1x1:dil1x1:g1", "too large"},
      {"fwd:f32:nchw:n*c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1", "part 4 'n*c1h1w1'"},
      {"fwd:f32:nchw:n1c1h1w1:k64r3:pad0x0:stride1x1:dil1x1:g1", "part 5 'k64r3': expected 's' and a number"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1x:pad0x0:stride1x1:dil1x1:g1", "expected nothing after 's'"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0:stride1x1:dil1x1:g1", "part 6 'pad0': expected 2 numbers joined by x"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0x0:stride1x1:dil1x1:g1", "expected 2 numbers and no more"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x00:stride1x1:dil1x1:g1", "part 6"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:stride1x1:pad0x0:dil1x1:g1", "part 6 'stride1x1': expected pad"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1:tr:tr", "part 11 'tr': expected tr, opad"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride2x2:dil1x1:g1:opad1x1",
       "part 10 'opad1x1': expected opad only after"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride2x2:dil1x1:g1:tr:opad0x0", "part 11 'opad0x0'"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1:ys1x1x1x1:xs1x1x1x1", "part 11 'xs1x1x1x1'"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1:xs1x1x1", "part 10 'xs1x1x1': expected 4 numbers"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1:", "part 10 ''"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1:a:b:c:d:e:f:g:h:i:j", "part 10 'a'"},
      {"fwd:f32:nchw:n1c1h1w1:k1r3s3:pad0x0:stride1x1:dil1x1:g1", "reaches over 3 pixels along h"},
      {"fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:\x1b[31m", "part 9 '?[31m'"},
  };
  for (const auto& row : table) {
    const Result<Problem> p = parse_problem(row.text);
    ASSERT_FALSE(p) << row.text;
    EXPECT_NE(p.error().message.find(row.message), std::string::npos) << row.text << "\n" << p.error().message;
    EXPECT_EQ(p.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace convoy
