// What conformance (tests/conformance_test.cc) cannot show of depthwise: which problems it takes and why not others, tiles, and
// the arithmetic of its workspace. No device is needed.
#include <gtest/gtest.h>

#include "device/test_device.h"
#include "solvers/depthwise_tile.h"
#include "solvers/solver.h"

namespace convoy {
namespace {

// A GPU by its description alone.
class PaperGpu final : public ForwardingDevice {
 public:
  PaperGpu() : ForwardingDevice(make_cpu_device()), info_(target().info()) {
    info_.kind = DeviceKind::hip;
    info_.max_threads = 1024;
  }
  const DeviceInfo& info() const override { return info_; }

 private:
  DeviceInfo info_;
};

Problem problem_of(const std::string& text) {
  return parse_problem(text)->lowered();
}

TEST(Depthwise, takes_thin_groups_and_says_why_not_others) {
  const PaperGpu gpu;
  const Solver* depthwise = find_solver("depthwise");
  const struct {
    const char* problem;
    const char* refusal;
  } table[] = {
      {"fwd:f32:nchw:n2c6h9w9:k6r3s3:pad1x1:stride1x1:dil1x1:g6", ""},
      {"bwd:f16:nhwc:n2c6h9w9:k12r3s3:pad1x1:stride2x2:dil1x1:g6", ""},
      {"wrw:bf16:ncdhw:n2c8d5h9w9:k8t3r3s3:pad1x1x1:stride1x1x1:dil1x1x1:g2", ""},
      {"fwd:f32:nchw:n2c6h9w9:k6r3s3:pad1x1:stride1x1:dil1x1:g1", "not grouped"},
      {"fwd:f32:nchw:n2c16h9w9:k18r3s3:pad1x1:stride1x1:dil1x1:g2", "groups of too many channels"},
      {"fwd:f64:nchw:n2c6h9w9:k6r3s3:pad1x1:stride1x1:dil1x1:g6", "only f32, f16 and bf16"},
      {"fwd:f32:nchw:n2c6h9w9:k6r3s3:pad1x1:stride1x1:dil1x1:g6:xs600x100x10x1", "a tensor is not packed"},
      {"fwd:f32:nchw:n300000c64h9w9:k64r3s3:pad1x1:stride1x1:dil1x1:g64", "a tensor of 2^30 elements or more"},
      {"fwd:f32:nchw:n2c6h19w19:k6r11s11:pad1x1:stride1x1:dil1x1:g6", "filters of more than 49 taps a plane"},
      {"fwd:f32:nchw:n2c6h99w99:k6r3s3:pad1x1:stride1x1:dil33x1:g6", "a dilated filter that reaches beyond 64"},
      {"fwd:f32:nchw:n2c6h99w99:k6r3s3:pad1x1:stride1x9:dil1x1:g6", "strides above 8"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(depthwise->fits(problem_of(row.problem), gpu).refusal(), row.refusal) << row.problem;
  }
  EXPECT_FALSE(depthwise->fits(problem_of(table[0].problem), *make_cpu_device()));
}

TEST(Depthwise, parameters_are_tiles_that_it_offers) {
  PaperGpu gpu;
  const Solver* depthwise = find_solver("depthwise");
  const Problem problem = problem_of("fwd:f32:nchw:n64c144h56w56:k144r3s3:pad1x1:stride1x1:dil1x1:g144");
  const std::vector<std::string> choices = depthwise->choices(problem, gpu, {});
  ASSERT_GE(choices.size(), 2U);
  EXPECT_EQ(choices[0], "");
  for (std::size_t i = 1; i < choices.size(); ++i) {
    const auto tile = depthwise_tile_from_string(choices[i]);
    ASSERT_TRUE(tile) << choices[i];
    EXPECT_EQ(to_string(*tile), choices[i]);
  }
  for (const char* wrong : {"x", "3", "3x", "03x1", "3x1 ", "-3x1", "99x99", "3x1x1"}) {
    PlanOptions options;
    options.params = wrong;
    const auto plan = depthwise->plan(problem, gpu, options);
    ASSERT_FALSE(plan) << wrong;
    EXPECT_EQ(plan.error().code, ErrorCode::unsupported) << plan.error().message;
  }
  PlanOptions options;
  options.allowed = static_cast<AlgorithmSet>(Algorithm::gemm);
  EXPECT_EQ(depthwise->plan(problem, gpu, options).error().code, ErrorCode::unsupported);
}

TEST(Depthwise, tiles_of_backward_data_hold_whole_strides) {
  for (const char* text : {"bwd:f32:nchw:n2c6h40w40:k6r3s3:pad1x1:stride2x3:dil1x1:g6",
                           "bwd:f32:nhwc:n2c6h40w40:k6r7s7:pad3x3:stride8x8:dil1x1:g6"}) {
    const Problem problem = problem_of(text);
    const std::vector<DepthwiseTile> tiles = depthwise_tiles(geometry_of(problem), problem.layout);
    ASSERT_FALSE(tiles.empty());
    for (const DepthwiseTile tile : tiles) {
      EXPECT_EQ(tile.h % problem.stride[0], 0) << to_string(tile);
      EXPECT_EQ(tile.w % problem.stride[1], 0) << to_string(tile);
    }
  }
}

TEST(Depthwise, workspace_is_partial_sums_and_shrinks_to_its_limit) {
  const Problem problem = problem_of("wrw:f32:nchw:n64c144h56w56:k144r3s3:pad1x1:stride1x1:dil1x1:g144");
  const Geometry geometry = geometry_of(problem);
  const DepthwiseTile tile = depthwise_tiles(geometry, problem.layout).front();
  const std::int64_t one_slice = 144 * 9 * 4;
  const DepthwiseSlices free = depthwise_slices(geometry, problem.layout, tile, 0);
  EXPECT_GT(free.slices, 4);
  EXPECT_EQ(free.bytes, free.slices * one_slice);
  const DepthwiseSlices tight = depthwise_slices(geometry, problem.layout, tile, 3 * one_slice + 5);
  EXPECT_EQ(tight.slices, 3);
  // Less than one slice cannot be had: the solver then refuses.
  EXPECT_EQ(depthwise_slices(geometry, problem.layout, tile, 1).bytes, one_slice);

  PaperGpu gpu;
  PlanOptions options;
  options.workspace_limit = one_slice - 1;
  const auto plan = find_solver("depthwise")->plan(problem, gpu, options);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::out_of_memory);
  EXPECT_NE(plan.error().message.find(std::to_string(one_slice)), std::string::npos) << plan.error().message;
}

}  // namespace
}  // namespace convoy
