// Devices whose memory the host cannot reach, without a GPU: the cpu and reference tiers copy there and back, what strides
// leave between elements survives, a bias is added, a lost device blames nobody, a graph records no first run.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/test_folder.h"
#include "device/test_device.h"
#include "dispatch/dispatcher.h"
#include "solvers/host_tensors.h"
#include "solvers/numbers.h"

namespace convoy {
namespace {

class RemoteDeviceTest : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings;
    EXPECT_TRUE(settings.set("cache_dir", folder_.path()));
    EXPECT_TRUE(settings.set("trial", "never"));
    return settings;
  }
  std::unique_ptr<Dispatcher> dispatcher(std::unique_ptr<Device> device, const Settings& settings) const {
    Policy policy = *policy_from(settings);
    policy.verify_again = true;
    return std::make_unique<Dispatcher>(policy, std::move(device), Store::open(store_config(settings)));
  }

  TestFolder folder_;
};

TEST_F(RemoteDeviceTest, host_solvers_serve_every_direction_layout_and_gap) {
  const char* const problems[] = {
      "fwd:f32:nchw:n2c6h9w8:k4r3s3:pad1x1:stride2x1:dil1x1:g2",
      "bwd:f16:nhwc:n2c6h9w8:k4r3s3:pad1x1:stride2x2:dil1x1:g1",
      "wrw:bf16:nchw:n2c6h9w8:k4r3s3:pad0x1:stride1x1:dil2x1:g1",
      "fwd:f64:ncdhw:n1c3d4h5w5:k4t2r3s3:pad0x1x1:stride1x1x1:dil1x1x1:g1",
      "fwd:i8:nchw:n2c6h9w8:k4r3s3:pad1x1:stride1x1:dil1x1:g1",
      "fwd:f32:nchw:n2c4h5w5:k6r3s3:pad1x1:stride2x2:dil1x1:g1:tr:opad1x1",
      "fwd:f32:nchw:n2c2h4w4:k3r1s1:pad0x0:stride1x1:dil1x1:g1:ys60x20x5x1",
  };
  for (const char* text : problems) {
    SCOPED_TRACE(text);
    const Problem problem = *parse_problem(text);
    for (const char* strategy : {"auto", "cpu"}) {
      Settings chosen = settings();
      ASSERT_TRUE(chosen.set("strategy", strategy));
      auto remote = dispatcher(std::make_unique<RemoteDevice>(), chosen);
      auto random = make_random_tensors(problem, remote->context().device(), 5);
      ASSERT_TRUE(random) << random.error().message;
      // What lies between the elements of the output is somebody else's.
      const auto output_bytes = static_cast<std::size_t>(problem.bytes(problem.output_role()));
      std::memset(output_of(problem, random->tensors), 0x5a, output_bytes);
      const auto ran = (*remote->convolution(problem))->run(random->tensors);
      ASSERT_TRUE(ran) << ran.error().message;
      const Convolution::Report report = (*remote->convolution(problem))->report();
      EXPECT_TRUE(report.tier == Tier::cpu || report.tier == Tier::reference) << report.solver;
      EXPECT_TRUE(report.checked);
      const Problem ordinary = problem.lowered();
      const NumbersCheck check = check_sampled(ordinary, lowered_tensors(problem, random->tensors), 1000, 3);
      EXPECT_TRUE(check.passed) << report.solver << ": " << check.reason;
      if (problem.span(TensorRole::y) != problem.elements(TensorRole::y)) {
        EXPECT_EQ(static_cast<unsigned char*>(random->tensors.y)[4 * 4], 0x5a) << "a gap was overwritten";
      }
    }
  }
}

TEST_F(RemoteDeviceTest, a_bias_is_added_once_per_channel) {
  for (const char* text : {"fwd:f32:nchw:n2c6h9w8:k5r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "bwd:f16:nhwc:n2c6h9w8:k4r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "fwd:i8:nchw:n1c6h9w8:k5r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "fwd:f32:nchw:n2c4h5w5:k6r3s3:pad1x1:stride2x2:dil1x1:g1:tr"}) {
    SCOPED_TRACE(text);
    const Problem problem = *parse_problem(text);
    const Problem ordinary = problem.lowered();
    std::vector<char> bias(static_cast<std::size_t>(bias_bytes(ordinary)));
    const Dtype dtype = problem.dtype == Dtype::i8 ? Dtype::i32 : problem.dtype;
    if (dtype == Dtype::i32) {
      for (int i = 0; i < 5; ++i) {
        const int one = 1000 * i - 2500;
        std::memcpy(bias.data() + 4 * i, &one, 4);
      }
    } else {
      fill_random(bias.data(), dtype, bias_bytes(ordinary) / size_of(dtype), 9);
    }
    for (const char* strategy : {"auto", "cpu"}) {
      for (const bool remote : {false, true}) {
        Settings chosen = settings();
        ASSERT_TRUE(chosen.set("strategy", strategy));
        auto device = remote ? std::unique_ptr<Device>(std::make_unique<RemoteDevice>()) : make_cpu_device();
        auto handle = dispatcher(std::move(device), chosen);
        auto random = make_random_tensors(problem, handle->context().device(), 5);
        Tensors tensors = random->tensors;
        tensors.bias = bias.data();
        ASSERT_TRUE((*handle->convolution(problem))->run(tensors));
        const NumbersCheck with = check_sampled(ordinary, lowered_tensors(problem, tensors), 1000, 3);
        EXPECT_TRUE(with.passed) << with.reason;
        tensors.bias = nullptr;
        EXPECT_FALSE(check_sampled(ordinary, lowered_tensors(problem, tensors), 1000, 3).passed);
      }
    }
  }
}

// Every call fails, as after a kernel's bad access, from the n-th wait on.
class LostDevice final : public ForwardingDevice {
 public:
  explicit LostDevice(int good_waits) : ForwardingDevice(std::make_unique<RemoteDevice>()), good_waits_(good_waits) {}
  Result<void> synchronize(Stream) override {
    if (good_waits_-- > 0) return {};
    lost_ = true;
    return fail(ErrorCode::device, "illegal address");
  }
  Result<void> health() const override {
    if (lost_) return fail(ErrorCode::device, "the device is lost");
    return {};
  }

 private:
  int good_waits_;
  bool lost_ = false;
};

TEST_F(RemoteDeviceTest, a_lost_device_ends_the_climb_and_blames_one) {
  // Good: before the climb, and before the first solver's run.
  auto handle = dispatcher(std::make_unique<LostDevice>(2), settings());
  const Problem problem = *parse_problem("fwd:f32:nchw:n1c2h5w5:k3r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto random = make_random_tensors(problem, handle->context().device(), 5);
  auto convolution = *handle->convolution(problem);
  const auto first = convolution->run(random->tensors);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().message, "the device is lost");
  EXPECT_EQ(handle->context().store().contents()->incidents.size(), 1U);
  const auto second = convolution->run(random->tensors);
  ASSERT_FALSE(second);
  EXPECT_EQ(handle->context().store().contents()->incidents.size(), 1U) << "nobody ran, nobody is to blame";
}

TEST_F(RemoteDeviceTest, a_device_that_was_lost_before_blames_nobody) {
  auto handle = dispatcher(std::make_unique<LostDevice>(0), settings());
  const Problem problem = *parse_problem("fwd:f32:nchw:n1c2h5w5:k3r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto random = make_random_tensors(problem, handle->context().device(), 5);
  const auto ran = (*handle->convolution(problem))->run(random->tensors);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message, "the device is lost");
  EXPECT_TRUE(handle->context().store().contents()->incidents.empty());
}

class RecordingDevice final : public ForwardingDevice {
 public:
  explicit RecordingDevice(const bool& recording)
      : ForwardingDevice(std::make_unique<RemoteDevice>()), recording_(recording) {}
  bool is_capturing(Stream) const override { return recording_; }

 private:
  const bool& recording_;
};

TEST_F(RemoteDeviceTest, a_graph_records_neither_a_first_run_nor_a_host_solver) {
  bool recording = true;
  auto handle = dispatcher(std::make_unique<RecordingDevice>(recording), settings());
  const Problem problem = *parse_problem("fwd:f32:nchw:n1c2h5w5:k3r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto random = make_random_tensors(problem, handle->context().device(), 5);
  auto convolution = *handle->convolution(problem);
  auto refused = convolution->run(random->tensors);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("before recording"), std::string::npos) << refused.error().message;
  recording = false;
  ASSERT_TRUE(convolution->run(random->tensors));
  recording = true;
  refused = convolution->run(random->tensors);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("graph"), std::string::npos) << refused.error().message;
  recording = false;
  EXPECT_TRUE(convolution->run(random->tensors)) << "the choice stands";
}

}  // namespace
}  // namespace convoy
