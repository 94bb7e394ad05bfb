// What goes wrong on devices: sources that do not compile, damaged binaries, want of memory, failing calls one by one, errors
// that stay; and GPU runtimes that are absent, broken or hostile, each in a process of its own: this program with --devices,
// which lists what open_device() can open. On PoCL and the simulated AMD GPU; nothing here has run on an AMD card.
#include <dlfcn.h>

#include <filesystem>
#include <iostream>
#include <map>

#include "base/subprocess.h"
#include "base/test_folder.h"
#include "tests/device_case.h"

namespace convoy {
namespace {

class OneEntryCache final : public BinaryCache {
 public:
  std::optional<std::string> find(std::string_view) override { return binary; }
  void put(std::string_view, const Entry& entry) override { binary = entry.binary; }
  std::string binary;
};

class DeviceFault : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto opened = open_device(GetParam());
    if (!opened) GTEST_SKIP() << opened.error().message;
    device_ = std::move(*opened);
    const auto compiled = device_->compile(k_device_program);
    if (!compiled) GTEST_SKIP() << compiled.error().message;
    code_ = *compiled;
  }
  // After a fault that is over, everything works.
  void TearDown() override {
    if (device_ == nullptr || IsSkipped()) return;
    EXPECT_TRUE(device_->health());
    DeviceCase one;
    const auto ran = one.run(*device_, nullptr);
    EXPECT_TRUE(ran) << ran.error().message;
  }
  std::unique_ptr<Device> device_;
  std::string code_;
};
INSTANTIATE_TEST_SUITE_P(Devices, DeviceFault, testing::Values("opencl:0", "sim:gfx1010"), name_of);

TEST_P(DeviceFault, a_source_that_does_not_compile_shows_the_compilers_log) {
  const ProgramSource wrong{"wrong_source", "KERNEL(64) void f(GLOBAL float* y) { y[0] = undeclared_name; }\n", {}};
  const auto failed = device_->programs().get(wrong);
  ASSERT_FALSE(failed);
  for (const char* part : {"wrong_source", "undeclared_name"})
    EXPECT_NE(failed.error().message.find(part), std::string::npos) << failed.error().message;
  EXPECT_LT(failed.error().message.size(), 3000u);
  EXPECT_FALSE(device_->programs().is_ready(wrong));
}

TEST_P(DeviceFault, an_entry_point_that_is_not_there_is_named) {
  const auto program = device_->programs().get(k_device_program);
  ASSERT_TRUE(program) << program.error().message;
  const auto kernel = (*program)->kernel("no_such_kernel");
  ASSERT_FALSE(kernel);
  EXPECT_NE(kernel.error().message.find("no_such_kernel"), std::string::npos) << kernel.error().message;
}

TEST_P(DeviceFault, a_damaged_binary_in_the_cache_is_compiled_again) {
  for (const std::string& damaged : {std::string(), std::string("text"), std::string(5000, '\0')}) {
    EXPECT_FALSE(device_->load(damaged)) << damaged.size() << " bytes";
    auto device = open_device(GetParam());
    ASSERT_TRUE(device) << device.error().message;
    OneEntryCache cache;
    cache.binary = damaged;
    (*device)->programs().set_cache(&cache);
    const auto program = (*device)->programs().get(k_device_program);
    ASSERT_TRUE(program) << program.error().message;
    EXPECT_EQ((*device)->programs().counters().compiled, 1);
    EXPECT_GT(cache.binary.size(), damaged.size() / 10);
    EXPECT_NE(cache.binary, damaged);
  }
}

TEST_P(DeviceFault, want_of_memory_names_both_numbers) {
  const std::int64_t wanted = std::int64_t{1} << 50;
  const auto refused = device_->allocate(wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::out_of_memory);
  EXPECT_NE(refused.error().message.find(std::to_string(wanted)), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("available"), std::string::npos) << refused.error().message;
}

class SimulatedFault : public SimulatedCard {
 protected:
  // The error of a run in which the first call of that name fails so; "" when there was none.
  std::string run_with(const std::string& call, int code) {
    configure("fail=" + call + ":1:" + std::to_string(code));
    auto fresh = open_device("sim:gfx1010");  // with no program loaded yet
    EXPECT_TRUE(fresh) << fresh.error().message;
    if (!fresh) return "no device";
    std::string message;
    {
      DeviceCase one;
      const auto ran = one.run(**fresh, nullptr);
      if (!ran) message = ran.error().message;
    }
    healthy_ = (*fresh)->health().has_value();
    configure("fail=");
    return message;
  }
  bool healthy_ = false;
};

// Code 1 (invalid value) is no error that stays: the very next run is right, and nothing is left allocated.
TEST_F(SimulatedFault, each_call_may_fail_once) {
  for (const char* call :
       {"hipMalloc", "hipMemcpyHtoDAsync", "hipMemsetD8Async", "hipModuleLoadData", "hipModuleGetFunction",
        "hipEventCreateWithFlags", "hipEventRecord", "hipModuleLaunchKernel", "hipEventSynchronize",
        "hipEventElapsedTime", "hipStreamSynchronize", "hipMemcpyDtoHAsync"}) {
    const std::string message = run_with(call, 1);
    EXPECT_NE(message.find("(1)"), std::string::npos) << call << ": '" << message << "'";
    EXPECT_TRUE(healthy_) << call;
    EXPECT_EQ(run_with("hipHostMalloc", 1), "") << "after " << call;
    EXPECT_EQ(reported("leak hipMalloc device 0"), 0) << call;
  }
}

// What is given back in a destructor can only be lost.
TEST_F(SimulatedFault, giving_back_may_fail) {
  for (const char* call : {"hipFree", "hipModuleUnload", "hipEventDestroy"}) {
    EXPECT_EQ(run_with(call, 1), "") << call;
    EXPECT_TRUE(healthy_) << call;
  }
}

TEST_F(SimulatedFault, each_allocation_may_find_no_memory) {
  for (int number = 1; number <= 2; ++number) {
    configure("fail=hipMalloc:" + std::to_string(number));
    DeviceCase one;
    const auto ran = one.run(*device_, nullptr);
    ASSERT_FALSE(ran) << number;
    EXPECT_EQ(ran.error().code, ErrorCode::out_of_memory) << ran.error().message;
    EXPECT_TRUE(device_->health());
    EXPECT_TRUE(one.run(*device_, nullptr)) << number;
  }
}

// HIPRTC is the first of the compilers; where it fails the next one compiles.
TEST_F(SimulatedFault, a_failing_hiprtc_is_replaced) {
  if (device_->info().compiler.find("hiprtc") == std::string::npos) GTEST_SKIP() << "no HIPRTC here";
  const bool has_other = device_->compiler_key().find("comgr") != std::string::npos ||
                         device_->compiler_key().find("clang") != std::string::npos;
  for (const char* call : {"hiprtcCreateProgram", "hiprtcCompileProgram", "hiprtcGetCodeSize", "hiprtcGetCode"}) {
    const std::string message = run_with(call, 6);
    if (has_other) {
      EXPECT_EQ(message, "") << call;
    } else {
      EXPECT_NE(message.find("hiprtc"), std::string::npos) << call << ": " << message;
    }
    EXPECT_TRUE(healthy_);
  }
}

TEST_F(SimulatedFault, an_error_that_stays_makes_the_device_unhealthy) {
  for (const int code : {700, 702, 710, 719}) {
    EXPECT_NE(run_with("hipModuleLaunchKernel", code), "") << code;
    EXPECT_FALSE(healthy_) << code;
    configure("devices=gfx1010,gfx906");
  }
}

TEST_F(SimulatedFault, a_bad_access_of_a_kernel_is_told_when_waiting_and_stays) {
  DeviceCase one;
  const auto ran = one.run(*device_, nullptr);
  ASSERT_TRUE(ran) << ran.error().message;
  const auto queued = one.overrun(std::int64_t{1} << 40);
  if (queued) {
    const auto waited = device_->synchronize(nullptr);
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code, ErrorCode::device);
    EXPECT_NE(waited.error().message.find("700"), std::string::npos) << waited.error().message;
  }
  const auto health = device_->health();
  ASSERT_FALSE(health);
  EXPECT_NE(health.error().message.find("sim:gfx1010"), std::string::npos) << health.error().message;
  EXPECT_NE(health.error().message.find("start again"), std::string::npos) << health.error().message;
  EXPECT_FALSE(device_->allocate(64));
  EXPECT_FALSE(one.launch(2.0f, nullptr));
}

// Runs this program with --devices in an environment and returns its lines.
std::string devices_with(const std::vector<std::string>& environment) {
  std::error_code error;
  const std::string self = std::filesystem::canonical("/proc/self/exe", error).string();
  auto child = Subprocess::start({{self, "--devices"}, environment});
  if (!child) return child.error().message;
  std::string all, line;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((*child)->read_line(line, deadline) == Subprocess::ReadStatus::line) all += line + "\n";
  const auto left = (*child)->wait_for_exit(std::chrono::seconds(5));
  if (!left || left->signal != 0 || left->status != 0) all += "CRASHED " + (*child)->error_tail();
  return all;
}

// `runtime` under those names.
std::string install(const TestFolder& folder, const std::string& runtime,
                    const std::vector<const char*>& names = {"libamdhip64.so.7", "libcuda.so.1", "libOpenCL.so.1"}) {
  for (const char* name : names) {
    std::error_code error;
    std::filesystem::remove(folder.file(name), error);
    std::filesystem::create_symlink(runtime, folder.file(name), error);
    if (error) return error.message();
  }
  return "";
}

void expect_only_the_cpu(const std::string& devices, const std::map<std::string, std::string>& reasons) {
  EXPECT_NE(devices.find("device cpu\n"), std::string::npos) << devices;
  EXPECT_NE(devices.find("auto cpu\n"), std::string::npos) << devices;
  EXPECT_EQ(devices.find("CRASHED"), std::string::npos) << devices;
  for (const auto& [backend, reason] : reasons) {
    EXPECT_EQ(devices.find("opens " + backend), std::string::npos) << devices;
    const std::size_t at = devices.find("absent " + backend + ": ");
    ASSERT_NE(at, std::string::npos) << devices;
    const std::string line = devices.substr(at, devices.find('\n', at) - at);
    if (line.find("PoCL is among them") != std::string::npos) continue;  // this system has no /sys
    EXPECT_NE(line.find(reason), std::string::npos) << line;
  }
}

TEST(HostileRuntime, a_library_without_the_functions_is_a_reason) {
  const TestFolder folder;
  Dl_info mathematics{};
  ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, "cos"), &mathematics), 0);
  ASSERT_EQ(install(folder, mathematics.dli_fname, {"libamdhip64.so.7", "libcuda.so.1"}), "");
  const std::string devices = devices_with({"LD_LIBRARY_PATH=" + folder.path()});
  for (const char* line :
       {"device cpu\n", "absent hip: libamdhip64.so.7 has no hipInit\n", "absent cuda: libcuda.so.1 has no cuInit\n"})
    EXPECT_NE(devices.find(line), std::string::npos) << line << devices;
  EXPECT_EQ(devices.find("CRASHED"), std::string::npos) << devices;
}

// A later place may hold a real one.
TEST(HostileRuntime, a_file_that_is_no_library_does_no_harm) {
  const TestFolder folder;
  for (const char* name : {"libamdhip64.so.7", "libcuda.so.1"}) folder.write(name, "not a library\n");
  const std::string devices = devices_with({"LD_LIBRARY_PATH=" + folder.path()});
  EXPECT_NE(devices.find("device cpu\n"), std::string::npos) << devices;
  EXPECT_EQ(devices.find("CRASHED"), std::string::npos) << devices;
}

TEST(HostileRuntime, an_error_at_the_start_is_a_reason) {
  const TestFolder folder;
  ASSERT_EQ(install(folder, CONVOY_TEST_HOSTILE_LIBRARY), "");
  expect_only_the_cpu(devices_with({"LD_LIBRARY_PATH=" + folder.path(), "CONVOY_TEST_HOSTILE=failing"}),
                      {{"hip", "(999)"}, {"cuda", "(999)"}, {"opencl", "no platform"}});
}

TEST(HostileRuntime, no_device_is_a_reason) {
  const TestFolder folder;
  ASSERT_EQ(install(folder, CONVOY_TEST_HOSTILE_LIBRARY), "");
  expect_only_the_cpu(devices_with({"LD_LIBRARY_PATH=" + folder.path(), "CONVOY_TEST_HOSTILE=empty"}),
                      {{"hip", "no device"}, {"cuda", "no device"}, {"opencl", "no platform has a device"}});
}

TEST(HostileRuntime, nonsense_is_a_reason) {
  const TestFolder folder;
  ASSERT_EQ(install(folder, CONVOY_TEST_HOSTILE_LIBRARY), "");
  const std::string devices = devices_with({"LD_LIBRARY_PATH=" + folder.path(), "CONVOY_TEST_HOSTILE=garbage"});
  expect_only_the_cpu(
      devices, {{"hip", "architecture"}, {"cuda", "compute capability"}, {"opencl", "no platform has a device"}});
}

void print_devices() {
  const DeviceList list = list_devices();
  for (const std::string& name : list.names) {
    std::cout << "device " << name << "\n";
    if (open_device(name)) std::cout << "opens " << name << "\n";
  }
  for (const std::string& reason : list.absent) std::cout << "absent " << reason << "\n";
  const auto automatic = open_device("auto");
  std::cout << "auto " << (automatic ? (*automatic)->info().name : automatic.error().message) << "\n";
}

}  // namespace
}  // namespace convoy

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--devices") {
    convoy::print_devices();
    return 0;
  }
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
