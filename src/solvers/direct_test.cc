// What conformance (tests/conformance_test.cc) cannot show of direct: the few problems it refuses, and that a large one becomes
// several launches which together do it once.
#include <gtest/gtest.h>

#include "device/test_device.h"
#include "solvers/solver.h"

namespace convoy {
namespace {

// A GPU whose kernels only count their groups of threads.
class CountingGpu final : public ForwardingDevice {
 public:
  CountingGpu() : ForwardingDevice(make_cpu_device()), info_(target().info()) {
    info_.kind = DeviceKind::opencl;
    info_.max_threads = 1024;
    info_.compute_units = 16;
  }
  DeviceInfo& description() { return info_; }
  const DeviceInfo& info() const override { return info_; }
  Result<std::string> compile(const ProgramSource&) override { return "binary"; }
  std::string compiler_key() const override { return "counting"; }
  Result<std::unique_ptr<Program>> load(std::string_view) override { return std::make_unique<CountingProgram>(*this); }

  std::vector<std::int64_t> launches;  // groups of each

 private:
  class CountingKernel final : public Kernel {
   public:
    explicit CountingKernel(CountingGpu& gpu) : gpu_(gpu) {}
    Result<void> launch(const LaunchSize& size, const KernelArguments&, Stream) const override {
      gpu_.launches.push_back(size.groups[0]);
      return {};
    }

   private:
    CountingGpu& gpu_;
  };
  class CountingProgram final : public Program {
   public:
    explicit CountingProgram(CountingGpu& gpu) : gpu_(gpu) {}
    Result<std::unique_ptr<Kernel>> kernel(const char*) const override {
      return std::make_unique<CountingKernel>(gpu_);
    }

   private:
    CountingGpu& gpu_;
  };

  DeviceInfo info_;
};

Problem problem_of(const char* text) {
  return parse_problem(text)->lowered();
}

TEST(Direct, refuses_only_what_the_device_or_32_bits_cannot_hold) {
  CountingGpu gpu;
  const Solver* direct = find_solver("direct");
  const Problem f64 = problem_of("fwd:f64:nchw:n1c5h9w9:k7r3s3:pad1x1:stride1x1:dil1x1:g1");
  EXPECT_TRUE(direct->fits(f64, gpu));
  gpu.description().computes_f64 = false;
  EXPECT_EQ(direct->fits(f64, gpu).refusal(), "the device computes no f64");
  EXPECT_TRUE(direct->fits(problem_of("fwd:f32:nchw:n9c999h999w999:k7r3s3:pad1x1:stride1x1:dil1x1:g1"), gpu));
  EXPECT_EQ(direct->fits(problem_of("fwd:f32:ncw:n1c1w900000000:k1s3:pad1:stride1:dil1:g1"), gpu).refusal(),
            "a size is beyond 2^29");
  EXPECT_FALSE(direct->fits(problem_of("fwd:f32:nchw:n1c5h9w9:k7r3s3:pad1x1:stride1x1:dil1x1:g1"), *make_cpu_device()));
}

TEST(Direct, a_large_problem_is_cut_into_launches) {
  for (const char* text : {"fwd:f32:nchw:n64c256h112w112:k256r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "bwd:f32:nchw:n64c256h112w112:k256r3s3:pad1x1:stride2x2:dil1x1:g1",
                           "wrw:f32:nchw:n64c256h112w112:k256r3s3:pad1x1:stride1x1:dil1x1:g1"}) {
    CountingGpu gpu;
    const Problem problem = problem_of(text);
    const auto plan = find_solver("direct")->plan(problem, gpu, {});
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_TRUE((*plan)->run({}, nullptr));
    std::int64_t groups = 0;
    for (const std::int64_t launch : gpu.launches) {
      // At most 2e11 operations of what all groups do.
      EXPECT_LE(launch, gpu.launches.front());
      groups += launch;
    }
    EXPECT_LE(problem.flops() / static_cast<double>(groups) * static_cast<double>(gpu.launches.front()), 2e11);
    EXPECT_GE(gpu.launches.size(), static_cast<std::size_t>(problem.flops() / 2e11));
  }
}

TEST(Direct, a_small_problem_is_one_launch_and_an_empty_one_none) {
  CountingGpu gpu;
  const auto small =
      find_solver("direct")->plan(problem_of("fwd:f32:nchw:n1c5h9w9:k7r3s3:pad1x1:stride1x1:dil1x1:g1"), gpu, {});
  ASSERT_TRUE((*small)->run({}, nullptr));
  EXPECT_EQ(gpu.launches.size(), 1U);
  EXPECT_EQ((*small)->workspace_bytes(), 0);
  const auto empty =
      find_solver("direct")->plan(problem_of("fwd:f32:nchw:n0c5h9w9:k7r3s3:pad1x1:stride1x1:dil1x1:g1"), gpu, {});
  ASSERT_TRUE((*empty)->run({}, nullptr));
  EXPECT_EQ(gpu.launches.size(), 1U);
  // The gradient of an empty batch is zero, which somebody has to write.
  const auto weights =
      find_solver("direct")->plan(problem_of("wrw:f32:nchw:n0c5h9w9:k7r3s3:pad1x1:stride1x1:dil1x1:g1"), gpu, {});
  ASSERT_TRUE((*weights)->run({}, nullptr));
  EXPECT_EQ(gpu.launches.size(), 2U);
}

}  // namespace
}  // namespace convoy
