// The implicit GEMM against the reference solver, element by element, on every device here that runs kernels: PoCL, the simulated
// AMD card. Inputs are random, outputs hold NaN before, and a guard behind every buffer must survive.
#include <algorithm>
#include <cstring>

#include "device/test_device.h"
#include "problem/random_problem.h"
#include "solvers/geometry.h"
#include "solvers/host_tensors.h"
#include "solvers/igemm_choice.h"
#include "solvers/igemm_recipe.h"
#include "solvers/numbers.h"
#include "solvers/solver.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

constexpr std::size_t k_guard = 256;
constexpr char k_guard_byte = 0x5a;

// A buffer on the device with a copy of it on the host, both with a guard behind.
class Mirror {
 public:
  Mirror(Device& device, std::int64_t bytes) : device_(device), bytes_(static_cast<std::size_t>(bytes)) {
    host.assign(bytes_ + k_guard, k_guard_byte);
    auto buffer = device.allocate(static_cast<std::int64_t>(host.size()));
    EXPECT_TRUE(buffer) << buffer.error().message;
    if (buffer) buffer_ = std::move(*buffer);
  }

  void* data() const { return buffer_.data(); }
  void upload() {
    const auto done = device_.upload(data(), host.data(), static_cast<std::int64_t>(host.size()), nullptr);
    ASSERT_TRUE(done) << done.error().message;
  }
  void download() {
    const auto done = device_.download(host.data(), data(), static_cast<std::int64_t>(host.size()), nullptr);
    ASSERT_TRUE(done) << done.error().message;
  }
  bool guard_stands() const {
    return std::all_of(host.begin() + static_cast<std::ptrdiff_t>(bytes_), host.end(),
                       [](char byte) { return byte == k_guard_byte; });
  }

  std::vector<char> host;

 private:
  Device& device_;
  std::size_t bytes_;
  DeviceBuffer buffer_;
};

// One problem, its inputs, and what the reference makes of them.
class Case {
 public:
  Case(const Problem& problem, bool bias, std::uint64_t seed) : problem_(problem) {
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      auto& data = tensors_[static_cast<std::size_t>(role)];
      data.resize(static_cast<std::size_t>(problem.bytes(role)));
      fill_random(data.data(), problem.dtype_of(role), problem.span(role), seed + static_cast<std::uint64_t>(role), 1);
    }
    output_ = static_cast<std::size_t>(problem.output_role());
    fill_poison(tensors_[output_].data(), problem.bytes(problem.output_role()));
    if (bias && problem.direction != Direction::backward_weights) {
      bias_.resize(static_cast<std::size_t>(bias_bytes(problem)));
      const auto dtype = problem.dtype_of(problem.output_role());
      fill_random(bias_.data(), dtype, bias_bytes(problem) / size_of(dtype), seed + 7, 1);
    }
    expected_ = tensors_;
    const auto host = make_cpu_device();
    const auto plan = find_solver("reference")->plan(problem, *host, {});
    EXPECT_TRUE(plan) << plan.error().message;
    std::vector<char> workspace(static_cast<std::size_t>((*plan)->workspace_bytes()) + 64);
    const auto ran = (*plan)->run(pointers(expected_), workspace.data());
    EXPECT_TRUE(ran) << ran.error().message;
  }

  bool telling = false;  // after check(): its data could tell right from wrong

  // Plans and runs igemm with `options` and compares.
  void check(Device& device, const PlanOptions& options) {
    SCOPED_TRACE(problem_.to_string() + " choice '" + options.params + "' on " + device.info().name +
                 (bias_.empty() ? "" : " with bias"));
    const auto plan = find_solver("igemm")->plan(problem_, device, options);
    ASSERT_TRUE(plan) << plan.error().message;
    SCOPED_TRACE(std::string((*plan)->detail()));
    if (options.workspace_limit > 0) {
      EXPECT_LE((*plan)->workspace_bytes(), options.workspace_limit);
    }
    std::vector<Mirror> mirrors;
    for (const auto& data : tensors_) {
      mirrors.emplace_back(device, static_cast<std::int64_t>(data.size()));
      std::memcpy(mirrors.back().host.data(), data.data(), data.size());
    }
    mirrors.emplace_back(device, static_cast<std::int64_t>(bias_.size()));
    std::memcpy(mirrors.back().host.data(), bias_.data(), bias_.size());
    mirrors.emplace_back(device, (*plan)->workspace_bytes());
    std::fill_n(mirrors.back().host.begin(), (*plan)->workspace_bytes(), '\xff');
    for (Mirror& mirror : mirrors) mirror.upload();

    const Tensors tensors{mirrors[0].data(), mirrors[1].data(), mirrors[2].data(),
                          bias_.empty() ? nullptr : mirrors[3].data(), nullptr};
    const auto ran = (*plan)->run(tensors, mirrors[4].data());
    ASSERT_TRUE(ran) << ran.error().message;
    for (Mirror& mirror : mirrors) mirror.download();
    for (const Mirror& mirror : mirrors) EXPECT_TRUE(mirror.guard_stands());
    for (std::size_t i = 0; i < 3; ++i) {
      const bool same = std::memcmp(mirrors[i].host.data(), tensors_[i].data(), tensors_[i].size()) == 0;
      EXPECT_TRUE(same || i == output_);
    }
    const Tensors got{mirrors[0].host.data(), mirrors[1].host.data(), mirrors[2].host.data(), nullptr, nullptr};
    const NumbersCheck check = check_full(with_bias(got), expected_[output_].data());
    EXPECT_TRUE(check.passed) << check.reason;
    telling = check.telling;
  }

 private:
  Tensors pointers(std::array<std::vector<char>, 3>& data) const {
    return {data[0].data(), data[1].data(), data[2].data(), bias_.empty() ? nullptr : bias_.data(), nullptr};
  }
  Tensors with_bias(Tensors tensors) const {
    tensors.bias = bias_.empty() ? nullptr : bias_.data();
    return tensors;
  }
  NumbersCheck check_full(const Tensors& tensors, const void* expected) const {
    return convoy::check_full(problem_, tensors, expected);
  }

  Problem problem_;
  std::array<std::vector<char>, 3> tensors_, expected_;
  std::vector<char> bias_;
  std::size_t output_ = 0;
};

class IgemmTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto device = open_device(GetParam());
    if (!device) GTEST_SKIP() << "no " << GetParam() << " here: " << device.error().message;
    device_ = std::move(*device);
  }

  void check(const char* text, const PlanOptions& options, bool bias = false) const {
    const auto problem = parse_problem(text);
    ASSERT_TRUE(problem) << problem.error().message;
    Case test(*problem, bias, 42);
    test.check(*device_, options);
    EXPECT_TRUE(test.telling) << text;
  }
  void check(const char* text, const char* params) const { check(text, {.params = params}, true); }

  std::unique_ptr<Device> device_;
};

// The solver's own choice: generic programs, few of them, so that many problems can be tried.
TEST_P(IgemmTest, OwnChoiceComputesRandomProblems) {
  constexpr std::uint64_t k_seed = 20240607;
  SCOPED_TRACE("seed " + std::to_string(k_seed));
  RandomProblems random(k_seed);
  const int wanted = device_->info().is_host_processor ? 8 : 40;  // PoCL compiles for a second
  int tried = 0, telling = 0;
  for (int i = 0; tried < wanted && !HasFailure(); ++i) {
    Problem p = random.next();
    p = p.lowered();
    p.dtype = i % 6 == 0 ? Dtype::f16 : i % 6 == 1 ? Dtype::bf16 : Dtype::f32;
    if (p.rank == 3 && i % 3 != 0) continue;
    if (!find_solver("igemm")->fits(p, *device_)) continue;
    Case test(p, random.chance(2), k_seed + static_cast<std::uint64_t>(i));
    test.check(*device_, {});
    ++tried;
    telling += test.telling ? 1 : 0;
  }
  EXPECT_GT(telling * 2, tried);  // padding hides some problems
}

TEST_P(IgemmTest, OwnChoiceComputesEveryDirection) {
  for (const char* direction : {"fwd", "bwd", "wrw"}) {
    for (const char* rest : {":f32:nchw:n2c40h9w7:k70r3s3:pad1x1:stride1x1:dil1x1:g1",
                             ":f32:nchw:n2c40h9w7:k70r3s3:pad1x1:stride2x2:dil1x1:g2",
                             ":f32:nhwc:n2c40h9w7:k70r3s3:pad1x1:stride2x1:dil1x2:g1",
                             ":f32:nchw:n1c3h23w21:k20r7s7:pad3x3:stride2x2:dil1x1:g1"})
      check((std::string(direction) + rest).c_str(), {}, true);
  }
}

TEST_P(IgemmTest, WorkspaceLimitsAreKept) {
  const char* problem = "fwd:f32:nchw:n1c64h6w6:k96r3s3:pad1x1:stride1x1:dil1x1:g1";
  check(problem, {.params = "g:64x64x16/8x8/b4/k3"}, true);
  check(problem, {.params = "g:64x64x16/8x8/b4/k3", .workspace_limit = 64}, true);
  check("bwd:f32:nchw:n1c3h12w12:k16r3s3:pad1x1:stride2x2:dil1x1:g1",
        {.params = "g:12x128x16/12x4/b8/k1/m", .workspace_limit = 64});
  check("wrw:f32:nchw:n3c20h9w9:k16r3s3:pad1x1:stride1x1:dil1x1:g1",
        {.params = "g:64x64x16/8x8/b4/k4", .workspace_limit = 2 * 4 * 20 * 16 * 9});
}

// Specialised programs: each loader and each store once.
TEST_P(IgemmTest, SpecialisedChoicesCompute) {
  const char* square = "s:64x64x16/8x8/b4/k1";
  check("fwd:f32:nchw:n2c32h6w6:k80r3s3:pad1x1:stride1x1:dil1x1:g1", "s:64x64x16/8x8/b4/k2");
  check("fwd:f32:nchw:n2c32h6w6:k80r1s1:pad0x0:stride1x1:dil1x1:g1", square);
  check("fwd:f16:nhwc:n2c36h5w5:k72r3s3:pad1x1:stride2x2:dil1x1:g1", square);
  check("fwd:f32:nchw:n2c3h15w15:k24r7s7:pad3x3:stride2x2:dil1x1:g1", "s:32x64x16/4x8/b5/k1/u");
  check("bwd:f32:nchw:n2c3h15w14:k24r7s7:pad3x3:stride2x2:dil1x1:g1", "s:12x256x16/12x4/b5/k2/m");
  check("bwd:bf16:ncdhw:n1c20d5h6w7:k24t3r3s3:pad1x1x1:stride2x1x3:dil1x2x2:g1", square);
  check("wrw:f32:nchw:n2c20h9w9:k40r3s3:pad1x1:stride1x1:dil1x1:g1", "s:64x64x16/8x8/b4/k3");
  check("wrw:f16:nhwc:n2c20h9w9:k40r3s3:pad1x1:stride1x1:dil1x1:g1", "s:32x64x16/4x8/b4/k3");
}

TEST_P(IgemmTest, AnotherChoiceIsRefused) {
  const auto problem = parse_problem("fwd:f32:nchw:n1c8h8w8:k8r3s3:pad1x1:stride1x1:dil1x1:g1");
  ASSERT_TRUE(problem);
  for (const char* params : {"x", "s:", "s:64x64x16/8x8", "s:64x64x16/8x8/b4/k1/", "s:64x64x16/8x8/b4/k1/m",
                             "s:64x64x16/0x8/b4/k1", "s:64x64x17/8x8/b4/k1", "s:99999x64x16/8x8/b4/k1",
                             "s:64x64x16/8x8/b4/k0", "s:-64x64x16/8x8/b4/k1", "s:64x64x16/8x8/b4/k1 "}) {
    const auto plan = find_solver("igemm")->plan(*problem, *device_, {.params = params});
    EXPECT_FALSE(plan) << params;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, IgemmTest, ::testing::Values("opencl:0", "sim:gfx1010"), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ':'; }, '_');
  return name;
});

// The product of the first one's strides is 2^64; the second has more phases than a launch has groups.
TEST(IgemmFits, strides_are_counted_without_overflow) {
  DeviceInfo info;
  info.kind = DeviceKind::hip;
  info.max_threads = 1024;
  class Card final : public ForwardingDevice {
   public:
    explicit Card(const DeviceInfo& info) : ForwardingDevice(make_cpu_device()), info_(info) {}
    const DeviceInfo& info() const override { return info_; }

   private:
    const DeviceInfo& info_;
  };
  const Card card(info);
  for (const char* text : {"bwd:f32:ncdhw:n1c2d1h1w2097153:k2t1r1s1:pad0x0x0:stride4194304x2097152x2097152:dil1x1x1:g1",
                           "bwd:f32:nchw:n1c3h300w300:k8r300s300:pad0x0:stride300x300:dil1x1:g1"}) {
    const auto problem = parse_problem(text);
    ASSERT_TRUE(problem) << problem.error().message;
    EXPECT_FALSE(find_solver("igemm")->fits(*problem, card)) << text;
  }
}

TEST(IgemmChoice, TilesThatDoNotFillTheirThreadsAreRefused) {
  DeviceInfo device;
  device.kind = DeviceKind::hip;
  device.warp_size = 32;
  device.max_threads = 1024;
  const auto problem = parse_problem("wrw:f32:nhwc:n1c17h5w7:k33r3s3:pad1x1:stride1x1:dil1x1:g1");
  ASSERT_TRUE(problem);
  const auto choice = parse_igemm_choice("s:128x32x4/4x4/b1/k1", geometry_of(*problem), device);
  ASSERT_TRUE(choice);
  EXPECT_FALSE(igemm_recipe(*problem, device, *choice, 0));
}

TEST(IgemmChoice, TextComesBackAsItWas) {
  DeviceInfo device;
  device.kind = DeviceKind::cuda;
  device.compute_units = 132;
  device.max_threads = 1024;
  device.warp_size = 32;
  for (const char* text : {"fwd:f32:nchw:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "bwd:f32:nchw:n64c3h224w224:k64r7s7:pad3x3:stride2x2:dil1x1:g1",
                           "wrw:f32:nchw:n64c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1"}) {
    const auto problem = parse_problem(text);
    ASSERT_TRUE(problem);
    const Geometry g = geometry_of(*problem);
    std::vector<IgemmChoice> choices = igemm_choices(g, device);
    EXPECT_GE(choices.size(), 2u);
    choices.push_back(default_igemm_choice(g, device));
    for (const IgemmChoice& choice : choices) {
      const auto parsed = parse_igemm_choice(to_string(choice), g, device);
      ASSERT_TRUE(parsed) << to_string(choice);
      EXPECT_EQ(to_string(*parsed), to_string(choice));
    }
  }
}

}  // namespace
}  // namespace convoy
