// Geometry against brute force on small random problems, and what validate() refuses.
#include "problem/problem.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <unordered_set>
#include <vector>

#include "problem/random_problem.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 7041776;
constexpr TensorRole k_roles[] = {TensorRole::x, TensorRole::w, TensorRole::y};
constexpr std::int64_t k_huge = std::numeric_limits<std::int64_t>::max();

Problem parsed(std::string_view text) {
  Result<Problem> problem = parse_problem(text);
  EXPECT_TRUE(problem) << text << ": " << (problem ? "" : problem.error().message);
  return problem ? *problem : Problem{};
}

// Calls visit(index) for every index below `sizes`.
void each_index(const Dims& sizes, int count, const std::function<void(const Dims&)>& visit) {
  for (int i = 0; i < count; ++i) {
    if (sizes[i] == 0) return;
  }
  Dims index{};
  while (true) {
    visit(index);
    int i = count - 1;
    while (i >= 0 && ++index[i] == sizes[i]) index[i--] = 0;
    if (i < 0) return;
  }
}

std::int64_t offset_of(const Dims& index, const Dims& strides, int count) {
  std::int64_t offset = 0;
  for (int i = 0; i < count; ++i) offset += index[i] * strides[i];
  return offset;
}

// Positions of the filter that fit into the padded input, or for a transposed problem the canvas that the
// input's copies of the filter cover, cropped and padded.
std::int64_t brute_out(const Problem& p, int i) {
  const std::int64_t reach = p.dilation[i] * (p.filter[i] - 1);
  if (p.transposed) {
    std::int64_t canvas = 0;
    for (std::int64_t x = 0; x < p.in[i]; ++x) canvas = std::max(canvas, x * p.stride[i] + reach + 1);
    return canvas - p.pad[i] - p.pad[i] + p.output_pad[i];
  }
  std::int64_t count = 0;
  for (std::int64_t start = -p.pad[i]; start + reach < p.in[i] + p.pad[i]; start += p.stride[i]) ++count;
  return count;
}

TEST(Problem, OutputSizesAgreeWithBruteForce) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  for (int i = 0; i < 5000; ++i) {
    const Problem p = random.next();
    for (int d = 0; d < p.rank; ++d) ASSERT_EQ(p.out()[d], brute_out(p, d)) << p.to_string();
  }
}

TEST(Problem, SpansAndStridesAgreeWithEnumeration) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  for (int i = 0; i < 2000; ++i) {
    const Problem p = random.next();
    for (const TensorRole role : k_roles) {
      std::set<std::int64_t> offsets;
      std::int64_t visited = 0;
      const Dims strides = p.strides(role);
      each_index(p.dims(role), 2 + p.rank, [&](const Dims& index) {
        offsets.insert(offset_of(index, strides, 2 + p.rank));
        ++visited;
      });
      ASSERT_EQ(p.elements(role), visited) << p.to_string();
      ASSERT_EQ(p.span(role), offsets.empty() ? 0 : *offsets.rbegin() + 1) << p.to_string();
      ASSERT_EQ(static_cast<std::int64_t>(offsets.size()), visited) << p.to_string();  // nothing overlaps
      ASSERT_EQ(p.bytes(role), p.span(role) * size_of(p.dtype_of(role)));
    }
  }
}

// Accepted strides of an output never overlap, whatever they are.
TEST(Problem, OverlappingOutputStridesAreRefused) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Problem p = random.next();
    p.x_strides.reset();
    p.w_strides.reset();
    Dims strides{};
    for (int d = 0; d < 2 + p.rank; ++d) strides[d] = random.number(0, 30);
    p.y_strides = strides;
    p.direction = Direction::forward;
    if (!validate(p)) continue;
    ++accepted;
    std::set<std::int64_t> offsets;
    each_index(p.dims(TensorRole::y), 2 + p.rank,
               [&](const Dims& index) { offsets.insert(offset_of(index, strides, 2 + p.rank)); });
    ASSERT_EQ(static_cast<std::int64_t>(offsets.size()), p.elements(TensorRole::y)) << p.to_string();
  }
  EXPECT_GT(accepted, 500);
}

TEST(Problem, InputsMayBeBroadcast) {
  Problem p = parsed("fwd:f32:nchw:n2c4h5w5:k6r3s3:pad1x1:stride1x1:dil1x1:g1");
  p.x_strides = Dims{0, 25, 5, 1};
  EXPECT_TRUE(validate(p));
  EXPECT_EQ(p.span(TensorRole::x), 100);
  EXPECT_FALSE(p.packed(TensorRole::x));
  p.direction = Direction::backward_data;  // now x is written
  EXPECT_FALSE(validate(p));
}

TEST(Problem, PackedIgnoresStridesOfSizeOne) {
  Problem p = parsed("fwd:f32:nhwc:n1c4h5w5:k6r1s1:pad0x0:stride1x1:dil1x1:g1");
  EXPECT_EQ(p.strides(TensorRole::x), (Dims{100, 1, 20, 4}));
  p.x_strides = Dims{77, 1, 20, 4};
  EXPECT_TRUE(p.packed(TensorRole::x));
  p.x_strides = Dims{77, 25, 5, 1};
  EXPECT_FALSE(p.packed(TensorRole::x));
  p.w_strides = Dims{4, 1, 4, 4};
  EXPECT_TRUE(p.packed(TensorRole::w));
}

// Multiply-adds counted by the seven loops of the definition, per element of the output tensor.
struct Counted {
  std::int64_t all = 0;
  std::int64_t longest = 0;
};
Counted count_products(const Problem& problem) {
  const Problem p = problem.lowered();
  const Spatial y = p.out();
  Counted result;
  std::vector<std::int64_t> sums(static_cast<std::size_t>(std::max<std::int64_t>(p.span(p.output_role()), 1)));
  Dims loops{p.n, p.k, y[0], y[1], y[2]};
  each_index(loops, 5, [&](const Dims& out) {
    each_index({p.c / p.groups, p.filter[0], p.filter[1], p.filter[2], 1}, 4, [&](const Dims& tap) {
      const std::int64_t channel = out[1] / (p.k / p.groups) * (p.c / p.groups) + tap[0];
      Dims x{out[0], channel, 0, 0, 0};
      Dims w{out[1], tap[0], tap[1], tap[2], tap[3]};
      bool inside = true;
      for (int d = 0; d < p.rank; ++d) {
        x[2 + d] = out[2 + d] * p.stride[d] - p.pad[d] + tap[1 + d] * p.dilation[d];
        inside = inside && x[2 + d] >= 0 && x[2 + d] < p.in[d];
      }
      ++result.all;
      if (!inside) return;
      const TensorRole role = p.output_role();
      const Dims& element = role == TensorRole::y ? out : role == TensorRole::x ? x : w;
      ++sums[static_cast<std::size_t>(offset_of(element, p.strides(role), 2 + p.rank))];
    });
  });
  for (const std::int64_t sum : sums) result.longest = std::max(result.longest, sum);
  return result;
}

TEST(Problem, FlopsAndReductionsAgreeWithLoops) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  for (int i = 0; i < 300; ++i) {
    const Problem p = random.next();
    const Counted counted = count_products(p);
    ASSERT_EQ(p.flops(), 2.0 * static_cast<double>(counted.all)) << p.to_string();
    ASSERT_LE(counted.longest, p.reduction_length()) << p.to_string();
  }
  // Where no padding cuts taps off, the bound is reached.
  for (const char* text : {"fwd:f32:nchw:n2c6h7w9:k4r3s2:pad0x0:stride1x1:dil1x1:g2",
                           "bwd:f32:nchw:n2c6h9w9:k4r3s2:pad0x0:stride2x1:dil1x1:g2",
                           "bwd:f32:nchw:n1c2h19w9:k4r4s2:pad0x0:stride4x1:dil2x1:g1",
                           "fwd:f32:nchw:n1c6h6w6:k4r4s4:pad0x0:stride2x2:dil1x1:g2:tr",
                           "wrw:f32:nchw:n3c4h7w9:k4r3s2:pad0x0:stride1x2:dil1x1:g1"}) {
    const Problem p = parsed(text);
    EXPECT_EQ(p.reduction_length(), count_products(p).longest) << text;
  }
}

TEST(Problem, KnownCosts) {
  const Problem p = parsed("fwd:f16:nchw:n32c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1");
  EXPECT_EQ(p.flops(), 2.0 * 32 * 64 * 64 * 9 * 56 * 56);
  EXPECT_EQ(p.tensor_bytes(), 2.0 * (2.0 * 32 * 64 * 56 * 56 + 64 * 64 * 9));
  EXPECT_EQ(p.reduction_length(), 64 * 9);
  const Problem i8 = parsed("fwd:i8:nchw:n1c4h8w8:k2r1s1:pad0x0:stride1x1:dil1x1:g1");
  EXPECT_EQ(i8.bytes(TensorRole::y), 4 * 2 * 64);
  EXPECT_EQ(i8.bytes(TensorRole::x), 4 * 64);
  const Problem empty = parsed("wrw:f32:nchw:n0c4h8w8:k2r1s1:pad0x0:stride1x1:dil1x1:g1");
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.bytes(TensorRole::x), 0);
  EXPECT_EQ(empty.bytes(TensorRole::w), 4 * 8);
  EXPECT_EQ(empty.reduction_length(), 0);
  EXPECT_TRUE(parsed("fwd:f32:nchw:n1c8h8w8:k16r3s3:pad1x1:stride1x1:dil1x1:g8").depthwise());
  EXPECT_FALSE(parsed("fwd:f32:nchw:n1c8h8w8:k16r3s3:pad1x1:stride1x1:dil1x1:g4").depthwise());
}

TEST(Problem, LoweredIsTheSameBuffers) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  int transposed = 0;
  for (int i = 0; i < 5000; ++i) {
    const Problem p = random.next();
    const Problem low = p.lowered();
    ASSERT_TRUE(validate(low)) << p.to_string();
    ASSERT_FALSE(low.transposed);
    ASSERT_EQ(low.lowered(), low);
    if (!p.transposed) {
      ASSERT_EQ(low, p);
      continue;
    }
    ++transposed;
    ASSERT_EQ(low.dims(TensorRole::x), p.dims(TensorRole::y)) << p.to_string();
    ASSERT_EQ(low.dims(TensorRole::y), p.dims(TensorRole::x)) << p.to_string();
    ASSERT_EQ(low.dims(TensorRole::w), p.dims(TensorRole::w)) << p.to_string();
    ASSERT_EQ(low.span(TensorRole::x), p.span(TensorRole::y));
    ASSERT_EQ(low.span(TensorRole::w), p.span(TensorRole::w));
    ASSERT_EQ(low.output_role() == TensorRole::w, p.output_role() == TensorRole::w);
    ASSERT_EQ(low.output_role() == TensorRole::x, p.output_role() == TensorRole::y);
    ASSERT_EQ(low.flops(), p.flops());
  }
  EXPECT_GT(transposed, 1000);
}

TEST(Problem, OutputPaddingBeyondTheStrideIsRecorded) {
  const Problem small = parsed("fwd:f32:nchw:n1c4h5w5:k6r3s3:pad1x1:stride2x2:dil1x1:g1:tr:opad1x1");
  EXPECT_EQ(small.out()[0], 10);
  EXPECT_FALSE(small.lowered().out_override);
  EXPECT_EQ(small.lowered(), parsed("bwd:f32:nchw:n1c6h10w10:k4r3s3:pad1x1:stride2x2:dil1x1:g1"));
  const Problem large = parsed("fwd:f32:nchw:n1c4h5w5:k6r3s3:pad1x1:stride1x1:dil2x2:g1:tr:opad1x1");
  ASSERT_TRUE(large.lowered().out_override);
  EXPECT_EQ(large.lowered().out(), large.in);
}

struct Refusal {
  const char* text;  // a valid problem
  void (*spoil)(Problem&);
  const char* message;  // part of the error
};

TEST(Problem, ValidateNamesTheFieldAndTheCure) {
  const char* plain = "fwd:f32:nchw:n2c4h8w8:k6r3s3:pad1x1:stride1x1:dil1x1:g2";
  const char* trans = "fwd:f32:nchw:n2c4h8w8:k6r3s3:pad1x1:stride2x1:dil1x1:g2:tr";
  const Refusal table[] = {
      {plain, [](Problem& p) { p.rank = 0; }, "rank is 0: use 1, 2 or 3"},
      {plain, [](Problem& p) { p.rank = 4; }, "rank is 4"},
      {plain, [](Problem& p) { p.direction = static_cast<Direction>(9); }, "direction is 9"},
      {plain, [](Problem& p) { p.layout = static_cast<Layout>(-1); }, "layout is -1"},
      {plain, [](Problem& p) { p.dtype = Dtype::i32; }, "element type is 5"},
      {plain, [](Problem& p) { p.n = -1; }, "n is -1: it must be at least 0"},
      {plain, [](Problem& p) { p.c = 0; }, "c is 0"},
      {plain, [](Problem& p) { p.k = -6; }, "k is -6"},
      {plain, [](Problem& p) { p.groups = 0; }, "g is 0"},
      {plain, [](Problem& p) { p.c = 5; }, "c=5 is not a multiple of g=2"},
      {plain, [](Problem& p) { p.k = 5; }, "k=5 is not a multiple of g=2"},
      {trans, [](Problem& p) { p.c = 5; }, "c=5 is not a multiple of g=2"},
      {plain, [](Problem& p) { p.in[1] = 0; }, "w is 0"},
      {plain, [](Problem& p) { p.filter[0] = 0; }, "r is 0"},
      {plain, [](Problem& p) { p.pad[1] = -1; }, "pad along w is -1"},
      {plain, [](Problem& p) { p.stride[0] = 0; }, "stride along h is 0"},
      {plain, [](Problem& p) { p.dilation[0] = 0; }, "dilation along h is 0"},
      {plain, [](Problem& p) { p.output_pad[0] = 1; }, "only transposed problems have it"},
      {trans, [](Problem& p) { p.output_pad[0] = 2; }, "smaller than the stride 2 or the dilation 1"},
      {plain, [](Problem& p) { p.filter[0] = 11; }, "reaches over 11 pixels along h, the padded input has 10"},
      {trans, [](Problem& p) { p.pad[1] = 9; }, "output along w would be -8"},
      {plain, [](Problem& p) { p.dtype = Dtype::i8, p.direction = Direction::backward_data; }, "i8 computes forward"},
      {trans, [](Problem& p) { p.dtype = Dtype::i8; }, "i8 computes forward"},
      {plain,
       [](Problem& p) {
         p.y_strides = Dims{384, 64, 8, 0};
       },
       "overlap: use at least 1"},
      {plain,
       [](Problem& p) {
         p.y_strides = Dims{384, 64, 7, 1};
       },
       "stride 7 of dimension 2"},
      {plain,
       [](Problem& p) {
         p.x_strides = Dims{256, 64, 8, -1};
       },
       "negative"},
      {plain,
       [](Problem& p) {
         p.out_override = Spatial{9, 8, 1};
       },
       "overridden with 9"},
      {plain,
       [](Problem& p) {
         p.out_override = Spatial{8, 0, 1};
       },
       "overridden with 0"},
  };
  for (const Refusal& row : table) {
    Problem p = parsed(row.text);
    row.spoil(p);
    const Result<void> valid = validate(p);
    ASSERT_FALSE(valid) << row.message;
    EXPECT_NE(valid.error().message.find(row.message), std::string::npos) << valid.error().message;
    EXPECT_EQ(valid.error().code, ErrorCode::invalid_argument);
  }
}

TEST(Problem, NothingOverflows) {
  const char* plain = "fwd:f32:nchw:n2c4h8w8:k6r3s3:pad1x1:stride1x1:dil1x1:g2";
  const char* trans = "fwd:f32:nchw:n2c4h8w8:k6r3s3:pad1x1:stride2x1:dil1x1:g2:tr";
  const Refusal table[] = {
      {plain, [](Problem& p) { p.pad[0] = k_huge; }, "exceeds 64 bits"},
      {plain, [](Problem& p) { p.pad[0] = k_huge / 2 + 1; }, "exceeds 64 bits"},
      {plain, [](Problem& p) { p.dilation[0] = k_huge; }, "exceeds 64 bits"},
      {plain, [](Problem& p) { p.filter[0] = k_huge; }, "reaches over"},
      {plain, [](Problem& p) { p.in[0] = k_huge; }, "exceeds 64 bits"},
      {plain, [](Problem& p) { p.in[0] = k_huge - 2; }, "x has more than"},
      {plain, [](Problem& p) { p.n = k_huge; }, "x has more than"},
      {plain, [](Problem& p) { p.n = 0, p.c = k_huge - 1; }, "x has more than"},
      {plain,
       [](Problem& p) {
         p.n = 1, p.in = {1, 1}, p.c = p.k = std::int64_t{1} << 32;
       },
       "w has more than"},
      {plain,
       [](Problem& p) {
         p.in = {1 << 30, 1 << 30}, p.pad = {1 << 30, 1 << 30};
       },
       "x has more than"},
      {plain,
       [](Problem& p) {
         p.in = {1, 1}, p.pad = {1L << 31, 1L << 31};
       },
       "y has more than"},
      {plain,
       [](Problem& p) {
         p.x_strides = Dims{k_huge, 64, 8, 1};
       },
       "strides of x span more than"},
      {plain,
       [](Problem& p) {
         p.y_strides = Dims{k_huge / 4, 64, 8, 1};
       },
       "strides of y span more than"},
      {trans, [](Problem& p) { p.stride[0] = k_huge; }, "along h exceeds 64 bits"},
      {trans, [](Problem& p) { p.in[0] = k_huge; }, "along h exceeds 64 bits"},
      {trans, [](Problem& p) { p.pad[0] = k_huge; }, "exceeds 64 bits"},
      {trans,
       [](Problem& p) {
         p.stride = {1L << 31, 1L << 31};
       },
       "y has more than"},
  };
  for (const Refusal& row : table) {
    Problem p = parsed(row.text);
    row.spoil(p);
    const Result<void> valid = validate(p);
    ASSERT_FALSE(valid) << p.to_string();
    EXPECT_NE(valid.error().message.find(row.message), std::string::npos) << valid.error().message;
  }
}

// Whatever numbers a caller passes, validate() itself does not overflow (the sanitizer watches), and what it
// accepts can be measured without overflow.
TEST(Problem, ExtremeNumbersAreSafe) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  const auto extreme = [&]() -> std::int64_t {
    const std::int64_t near = random.number(-3, 3);
    switch (random.number(0, 4)) {
      case 0: return random.number(1, 4);
      case 1: return (std::int64_t{1} << random.number(20, 62)) + near;
      case 2: return k_huge - random.number(0, 3);
      case 3: return -k_huge - 1 + random.number(0, 3);
      default: return near;
    }
  };
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    Problem p = random.next();
    std::int64_t* const fields[] = {&p.n,      &p.c,      &p.k,         &p.groups,    &p.in[0],        &p.in[1],
                                    &p.pad[0], &p.pad[1], &p.stride[0], &p.stride[1], &p.dilation[0],  &p.filter[0],
                                    &p.in[2],  &p.pad[2], &p.stride[2], &p.filter[1], &p.output_pad[0]};
    for (std::int64_t round = random.number(1, 3); round > 0; --round) *fields[random.number(0, 16)] = extreme();
    if (p.x_strides && random.chance(2)) (*p.x_strides)[1] = extreme();
    if (p.y_strides && random.chance(2)) (*p.y_strides)[0] = extreme();
    if (!validate(p)) continue;
    ++accepted;
    for (const TensorRole role : k_roles) ASSERT_GE(p.bytes(role), 0) << p.to_string();
    ASSERT_GE(p.reduction_length(), 0);
    ASSERT_GE(p.lowered().flops(), 0);
    ASSERT_TRUE(validate(p.lowered())) << p.to_string();
  }
  EXPECT_GT(accepted, 10000);
}

TEST(ProblemHash, EqualProblemsHashEqualAndOthersDiffer) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  std::unordered_set<std::string> strings;
  std::unordered_set<std::size_t> hashes;
  for (int i = 0; i < 20000; ++i) {
    Problem p = random.next();
    strings.insert(p.to_string());
    hashes.insert(ProblemHash{}(p));
    Problem same = p;
    if (p.rank < 3) same.in[2] = same.pad[2] = same.filter[2] = 99;
    if (p.rank < 3 && p.y_strides) (*same.y_strides)[4] = 99;
    ASSERT_EQ(same, p);
    ASSERT_EQ(ProblemHash{}(same), ProblemHash{}(p));
    Problem other = p;
    ++other.n;
    ASSERT_NE(other, p);
  }
  EXPECT_EQ(strings.size(), hashes.size());
}

TEST(ProblemHash, EveryFieldCounts) {
  void (*const changes[])(Problem&) = {
      [](Problem& p) { p.direction = Direction::backward_weights; },
      [](Problem& p) { p.dtype = Dtype::f16; },
      [](Problem& p) { p.layout = Layout::channels_last; },
      [](Problem& p) { p.rank = 3; },
      [](Problem& p) { p.n = 9; },
      [](Problem& p) { p.c = 9; },
      [](Problem& p) { p.k = 9; },
      [](Problem& p) { p.groups = 9; },
      [](Problem& p) { p.in[1] = 9; },
      [](Problem& p) { p.filter[1] = 9; },
      [](Problem& p) { p.pad[1] = 9; },
      [](Problem& p) { p.stride[1] = 9; },
      [](Problem& p) { p.dilation[1] = 9; },
      [](Problem& p) { p.transposed = false; },
      [](Problem& p) { p.output_pad[1] = 9; },
      [](Problem& p) {
        p.out_override = Spatial{4, 4, 1};
      },
      [](Problem& p) {
        p.x_strides = Dims{64, 16, 4, 1, 0};
      },
      [](Problem& p) {
        p.w_strides = Dims{64, 16, 4, 1, 0};
      },
      [](Problem& p) {
        p.y_strides = Dims{64, 16, 4, 1, 0};
      },
      [](Problem& p) {
        p.y_strides = Dims{65, 16, 4, 1, 0};
      },
  };
  const Problem base = parsed("fwd:f32:nchw:n1c4h5w5:k4r3s3:pad1x1:stride2x2:dil1x1:g1:tr:opad1x1");
  std::vector<Problem> different{base};
  for (const auto& change : changes) change(different.emplace_back(base));
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t j = 0; j < different.size(); ++j) {
      EXPECT_EQ(different[i] == different[j], i == j) << i << " " << j;
      EXPECT_EQ(ProblemHash{}(different[i]) == ProblemHash{}(different[j]), i == j) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace convoy
