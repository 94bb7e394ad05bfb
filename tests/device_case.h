// For the tests of devices: one small program in the dialect, and a device with two buffers to run it on.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/dynlib.h"
#include "device/device.h"

namespace convoy {

constexpr std::string_view k_device_kernels = R"(
KERNEL(64) void scale(GLOBAL const float* RESTRICT x, GLOBAL float* RESTRICT y, float factor, i32 count) {
  const i32 i = GROUP_X * 64 + THREAD;
  if (i < count) y[i] = x[i] * factor;
}
KERNEL(64) void overrun(GLOBAL float* y, i64 beyond) { y[beyond + THREAD] = 1.0f; }
)";
inline const ProgramSource k_device_program{"device_case", k_device_kernels, {"UNUSED=1"}};

// x in device memory, and y = factor * x to be computed. Every call returns what the device said.
class DeviceCase {
 public:
  static constexpr std::int32_t k_count = 1000;
  static constexpr std::int64_t k_bytes = k_count * 4;

  DeviceCase() {
    std::mt19937 random(k_seed);
    std::uniform_real_distribution<float> values(0.5f, 2.0f);
    for (float& value : x_) value = values(random);
  }

  Result<void> prepare(Device& device) {
    CONVOY_TRY(from_, device.allocate(k_bytes));
    CONVOY_TRY(to_, device.allocate(k_bytes));
    CONVOY_CHECK(device.upload(from_.data(), x_.data(), k_bytes, nullptr));
    CONVOY_CHECK(device.fill(to_.data(), 0xff, k_bytes, nullptr));
    CONVOY_TRY(program_, device.programs().get(k_device_program));
    CONVOY_TRY(kernel_, program_->kernel("scale"));
    return {};
  }
  Result<void> launch(float factor, Stream stream) const {
    KernelArguments arguments;
    arguments.buffer(from_.data()).buffer(to_.data()).value(factor).value(k_count);
    return kernel_->launch({{(k_count + 63) / 64, 1, 1}, 64}, arguments, stream);
  }
  // Everything a user of a device does, once.
  Result<void> run(Device& device, Stream stream) {
    CONVOY_CHECK(prepare(device));
    CONVOY_TRY(const double milliseconds, device.measure(stream, [&] { return launch(3.0f, stream); }));
    EXPECT_GE(milliseconds, 0);
    CONVOY_CHECK(device.synchronize(stream));
    return check(device, 3.0f, stream);
  }
  // An Error is the device's; wrong numbers fail the test.
  Result<void> check(Device& device, float factor, Stream stream) const {
    std::vector<float> y(k_count, std::numeric_limits<float>::quiet_NaN());
    CONVOY_CHECK(device.download(y.data(), to_.data(), k_bytes, stream));
    int wrong = 0;
    for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] == x_[i] * factor ? 0 : 1;
    EXPECT_EQ(wrong, 0) << "of " << k_count << ", seed " << k_seed << ", factor " << factor;
    return {};
  }
  // Stores 64 floats that far behind the output.
  Result<void> overrun(std::int64_t beyond) const {
    CONVOY_TRY(const auto kernel, program_->kernel("overrun"));
    KernelArguments arguments;
    arguments.buffer(to_.data()).value(beyond);
    return kernel->launch({{1, 1, 1}, 64}, arguments, nullptr);
  }
  void* output() const { return to_.data(); }

 private:
  static constexpr unsigned k_seed = 20261121;
  std::vector<float> x_ = std::vector<float>(k_count);
  DeviceBuffer from_, to_;
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Kernel> kernel_;
};

// "opencl:0" -> "opencl_0", by which tests are chosen.
inline std::string name_of(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  name[name.find(':')] = '_';
  return name;
}

// Functions of the stand-in HIP runtime in this process, by name: hip_function<int(void**)>("hipStreamCreate").
template <typename Signature>
Signature* hip_function(const char* name) {
  static const auto library = DynamicLibrary::open(CONVOY_SIM_HIP_LIBRARY);
  return library ? reinterpret_cast<Signature*>(library->find(name)) : nullptr;
}

// A simulated card for each test, in a machine of its own: errors that stay do not reach the next one. Nothing compiles for it
// without AMD's HIPRTC or a clang: then the tests are skipped.
class SimulatedCard : public testing::Test {
 protected:
  void SetUp() override {
    if (hip_function<int(const char*)>("convoy_sim_configure") == nullptr) GTEST_SKIP() << "no simulated GPU is built";
    configure("devices=gfx1010,gfx906");
    auto opened = open_device("sim:gfx1010");
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
    if (const auto code = device_->compile(k_device_program); !code) GTEST_SKIP() << code.error().message;
  }
  void TearDown() override {
    device_.reset();
    if (!IsSkipped()) configure("late=0;fail=;devices=gfx1010,gfx906");
  }
  void configure(const std::string& switches) {
    ASSERT_EQ(hip_function<int(const char*)>("convoy_sim_configure")(switches.c_str()), 0) << switches;
  }
  // "call hipMalloc" -> 3
  static std::int64_t reported(const std::string& start_of_line) {
    const std::string report = std::string("\n") + hip_function<const char*()>("convoy_sim_report")();
    const std::size_t at = report.find("\n" + start_of_line + " ");
    return at == std::string::npos ? 0 : std::stoll(report.substr(at + start_of_line.size() + 2));
  }

  std::unique_ptr<Device> device_;
};

}  // namespace convoy
