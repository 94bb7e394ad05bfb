// Devices as their users see them, on PoCL and on the simulated AMD GPU: streams of the caller, several cards, recorded graphs.
// Nothing here has run on an AMD card. The tests called StandIn want the simulator in the place of the system's HIP runtime:
// CMakeLists.txt starts them so.
#include <algorithm>
#include <array>
#include <csignal>

#include "device/opencl_api.h"
#include "tests/device_case.h"

namespace convoy {
namespace {

class EachDevice : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto opened = open_device(GetParam());
    if (!opened) GTEST_SKIP() << opened.error().message;
    device_ = std::move(*opened);
    if (const auto code = device_->compile(k_device_program); !code) GTEST_SKIP() << code.error().message;
  }
  std::unique_ptr<Device> device_;
};
INSTANTIATE_TEST_SUITE_P(Device, EachDevice, testing::Values("opencl:0", "sim:gfx1010", "sim:gfx906"), name_of);

TEST_P(EachDevice, says_what_it_is) {
  const DeviceInfo& info = device_->info();
  EXPECT_EQ(info.name, GetParam());
  for (const std::string* text :
       {&info.model, &info.key, &info.architecture, &info.driver, &info.runtime, &info.compiler})
    EXPECT_NE(*text, "");
  EXPECT_NE(info.key.find(info.architecture), std::string::npos) << info.key;
  EXPECT_GT(info.compute_units, 0);
  EXPECT_GE(info.max_threads, 64);
  EXPECT_GE(info.local_memory, 16384);
  EXPECT_GT(info.memory_total, 1 << 20);
  EXPECT_GT(device_->memory_available(), 1 << 20);
  EXPECT_LE(device_->memory_available(), info.memory_total);
  EXPECT_FALSE(device_->host_accessible());
  EXPECT_TRUE(device_->health());
}

TEST_P(EachDevice, computes) {
  DeviceCase one;
  const auto ran = one.run(*device_, nullptr);
  ASSERT_TRUE(ran) << ran.error().message;
}

// LLVM, of which PoCL and HIPRTC are made, would take both.
TEST_P(EachDevice, leaves_the_programs_signals_alone) {
  for (const int number : {SIGINT, SIGSEGV}) {
    struct sigaction now {};
    ASSERT_EQ(sigaction(number, nullptr, &now), 0);
    EXPECT_EQ(now.sa_handler, SIG_DFL) << number;
  }
}

TEST_P(EachDevice, a_stored_binary_is_as_good_as_a_fresh_one) {
  const auto code = device_->compile(k_device_program);
  ASSERT_TRUE(code) << code.error().message;
  const auto program = device_->load(*code);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_TRUE((*program)->kernel("scale"));
}

TEST_P(EachDevice, nothing_at_all_is_no_work) {
  auto buffer = device_->allocate(0);
  ASSERT_TRUE(buffer) << buffer.error().message;
  EXPECT_TRUE(device_->upload(buffer->data(), nullptr, 0, nullptr));
  EXPECT_TRUE(device_->download(nullptr, buffer->data(), 0, nullptr));
  EXPECT_TRUE(device_->fill(buffer->data(), 0, 0, nullptr));
}

// The context is the device's own, so a caller learns it from a buffer.
TEST(OpenclDevice, works_on_the_callers_queue) {
  auto device = open_device("opencl:0");
  if (!device) GTEST_SKIP() << device.error().message;
  DeviceCase one;
  const auto prepared = one.prepare(**device);
  ASSERT_TRUE(prepared) << prepared.error().message;
  const auto api = OpenclApi::get();
  ASSERT_TRUE(api);
  const auto library = DynamicLibrary::open("libOpenCL.so.1");
  ASSERT_TRUE(library);
  decltype(&::clGetMemObjectInfo) memory_info = nullptr;
  decltype(&::clGetContextInfo) context_info = nullptr;
  ASSERT_TRUE(library->bind(memory_info, "clGetMemObjectInfo"));
  ASSERT_TRUE(library->bind(context_info, "clGetContextInfo"));
  cl_context context = nullptr;
  cl_device_id id = nullptr;
  ASSERT_EQ(memory_info(static_cast<cl_mem>(one.output()), CL_MEM_CONTEXT, sizeof context, &context, nullptr), 0);
  ASSERT_EQ(context_info(context, CL_CONTEXT_DEVICES, sizeof id, &id, nullptr), 0);
  cl_int status = 0;
  cl_command_queue queue = (*api)->clCreateCommandQueue(context, id, 0, &status);
  ASSERT_EQ(status, 0);
  const auto ran = one.run(**device, queue);
  EXPECT_TRUE(ran) << ran.error().message;
  (*api)->clReleaseCommandQueue(queue);
}

class SimulatedStream : public SimulatedCard {
 protected:
  void SetUp() override {
    SimulatedCard::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    int device = 0;
    hip_function<int(int*)>("hipGetDevice")(&device);
    ASSERT_EQ(hip_function<int(void**)>("hipStreamCreate")(&stream_), 0);
    const auto prepared = case_.prepare(*device_);
    ASSERT_TRUE(prepared) << prepared.error().message;
  }
  void TearDown() override {
    if (stream_ != nullptr) hip_function<int(void*)>("hipStreamDestroy")(stream_);
    case_ = {};
    SimulatedCard::TearDown();
  }
  Stream stream_ = nullptr;
  DeviceCase case_;
};

// With late queues, work that nobody waits for has not happened.
TEST_F(SimulatedStream, a_launch_only_queues_and_a_copy_comes_after_it) {
  configure("late=1");
  const std::int64_t before = reported("launches");
  ASSERT_TRUE(case_.launch(2.0f, stream_));
  EXPECT_EQ(reported("launches"), before);
  const auto right = case_.check(*device_, 2.0f, stream_);
  EXPECT_TRUE(right) << right.error().message;
  EXPECT_EQ(reported("launches"), before + 1);
  ASSERT_TRUE(case_.launch(5.0f, stream_));
  ASSERT_TRUE(device_->synchronize(stream_));
  EXPECT_EQ(reported("launches"), before + 2);
}

TEST_F(SimulatedStream, a_launch_can_be_recorded_and_played_again) {
  EXPECT_FALSE(device_->is_capturing(nullptr));
  EXPECT_FALSE(device_->is_capturing(stream_));
  const std::int64_t before = reported("launches");
  ASSERT_EQ(hip_function<int(void*, int)>("hipStreamBeginCapture")(stream_, 0), 0);
  EXPECT_TRUE(device_->is_capturing(stream_));
  const auto queued = case_.launch(7.0f, stream_);
  EXPECT_TRUE(queued) << queued.error().message;
  void *graph = nullptr, *playable = nullptr;
  ASSERT_EQ(hip_function<int(void*, void**)>("hipStreamEndCapture")(stream_, &graph), 0)
      << "a call spoilt the recording";
  EXPECT_FALSE(device_->is_capturing(stream_));
  EXPECT_EQ(reported("launches"), before) << "recording ran the work";
  using Instantiate = int(void**, void*, void**, char*, std::size_t);
  ASSERT_EQ(hip_function<Instantiate>("hipGraphInstantiate")(&playable, graph, nullptr, nullptr, 0), 0);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(device_->fill(case_.output(), 0xff, DeviceCase::k_bytes, stream_));
    ASSERT_EQ(hip_function<int(void*, void*)>("hipGraphLaunch")(playable, stream_), 0);
    const auto right = case_.check(*device_, 7.0f, stream_);
    EXPECT_TRUE(right) << right.error().message;
  }
  hip_function<int(void*)>("hipGraphExecDestroy")(playable);
  hip_function<int(void*)>("hipGraphDestroy")(graph);
}

// We live in programs that have a current device of their own.
TEST_F(SimulatedCard, the_callers_current_device_stays) {
  ASSERT_EQ(hip_function<int(int)>("hipSetDevice")(1), 0);
  DeviceCase one;
  const auto ran = one.run(*device_, nullptr);
  EXPECT_TRUE(ran) << ran.error().message;
  EXPECT_FALSE(one.prepare(*device_) && device_->allocate(std::int64_t{1} << 60));
  int current = -1;
  ASSERT_EQ(hip_function<int(int*)>("hipGetDevice")(&current), 0);
  EXPECT_EQ(current, 1);
  EXPECT_EQ(hip_function<int()>("hipGetLastError")(), 0) << "our error was left for the program to find";
}

TEST_F(SimulatedCard, an_unknown_card_is_answered_with_those_there_are) {
  const auto device = open_device("sim:gfx9999");
  ASSERT_FALSE(device);
  EXPECT_NE(device.error().message.find("sim:gfx1010, sim:gfx906"), std::string::npos) << device.error().message;
}

// After a simulated card, the loader would hand out the stand-in to whoever asks for ROCm 5's runtime.
TEST_F(SimulatedCard, is_never_taken_for_a_real_one) {
  // Nor does listing all others bring a second clang into the process, which LLVM would end: see llvm_conflict.h.
  const DeviceList list = list_devices();
  EXPECT_EQ(std::count(list.names.begin(), list.names.end(), "sim:gfx1010"), 0);
  EXPECT_EQ(std::count(list.names.begin(), list.names.end(), "cpu"), 1);
  const auto hip = open_device("hip:0");
  if (hip) {
    EXPECT_EQ((*hip)->info().model.find("simulat"), std::string::npos) << (*hip)->info().model;
  }
}

class StandIn : public testing::Test {
 protected:
  void SetUp() override {
    const DeviceList list = list_devices();
    if (list.names.size() < 3 || list.names[0] != "hip:0" || list.names[1] != "hip:1")
      GTEST_SKIP() << "the simulator does not stand in for HIP: LD_LIBRARY_PATH, or a newer HIP is installed";
  }
};

TEST_F(StandIn, two_devices_work_side_by_side) {
  std::array<std::unique_ptr<Device>, 2> devices;
  std::array<DeviceCase, 2> cases;
  for (std::size_t i = 0; i < 2; ++i) {
    auto opened = open_device("hip:" + std::to_string(i));
    ASSERT_TRUE(opened) << opened.error().message;
    devices[i] = std::move(*opened);
    const auto prepared = cases[i].prepare(*devices[i]);
    if (!prepared) GTEST_SKIP() << prepared.error().message;
  }
  EXPECT_NE(devices[0]->info().architecture, devices[1]->info().architecture);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(cases[i].launch(2.0f + static_cast<float>(i), nullptr));
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(cases[i].check(*devices[i], 2.0f + static_cast<float>(i), nullptr));
  EXPECT_FALSE(open_device("hip:2"));
  for (DeviceCase& one : cases) one = {};
}

TEST_F(StandIn, the_first_gpu_is_the_automatic_choice) {
  const auto device = open_device("auto");
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ((*device)->info().name, "hip:0");
  const auto same = open_device("hip");
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ((*same)->info().key, (*device)->info().key);
}

}  // namespace
}  // namespace convoy
