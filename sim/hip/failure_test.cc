// Planned failures, errors that stay, bounds, and the report.
#include "sim/hip/client_test.h"

namespace convoy::hip {
namespace {

struct PlannedCase {
  const char* call;
  int usual;  // the error without a code of the test's own
  int (*make)();
};

template <typename... Arguments>
int result_of(const char* name, Arguments... arguments) {
  return hip<int(Arguments...)>(name)(arguments...);
}

const PlannedCase k_planned[] = {
    {"hipMalloc", 2,
     [] {
       void* p = nullptr;
       int r = result_of("hipMalloc", &p, std::size_t{64});
       hip<Error(void*)>("hipFree")(p);
       return r;
     }},
    {"hipHostMalloc", 2,
     [] {
       void* p = nullptr;
       int r = result_of("hipHostMalloc", &p, std::size_t{64}, 0u);
       hip<Error(void*)>("hipHostFree")(p);
       return r;
     }},
    {"hipFree", 999, [] { return result_of("hipFree", static_cast<void*>(nullptr)); }},
    {"hipDeviceSynchronize", 999, [] { return result_of("hipDeviceSynchronize"); }},
    {"hipGetDeviceCount", 100,
     [] {
       int n = 0;
       return result_of("hipGetDeviceCount", &n);
     }},
    {"hipSetDevice", 999, [] { return result_of("hipSetDevice", 0); }},
    {"hipStreamCreate", 999,
     [] {
       Stream* s = nullptr;
       int r = result_of("hipStreamCreate", &s);
       if (r == 0) hip<Error(Stream*)>("hipStreamDestroy")(s);
       return r;
     }},
    {"hiprtcVersion", 11,
     [] {
       int a = 0, b = 0;
       return result_of("hiprtcVersion", &a, &b);
     }},
};

TEST_F(HipTest, PlannedFailuresHitTheNthCall) {
  for (const PlannedCase& planned : k_planned) {
    if (planned.make() != 0 && std::string_view(planned.call).starts_with("hiprtc")) continue;  // none here
    for (int code : {0, 702}) {
      std::string entry = planned.call;
      entry.append(":3").append(code == 0 ? "" : ":702");
      ASSERT_EQ(configure("fail=" + entry), 0) << report();
      for (int number = 1; number <= 5; ++number) {
        int expected = number != 3 ? 0 : code == 0 ? planned.usual : code;
        EXPECT_EQ(planned.make(), expected) << entry << ", call " << number;
      }
    }
  }
}

TEST_F(HipTest, SeveralPlannedFailures) {
  ASSERT_EQ(configure("fail=hipDeviceSynchronize:1,hipDeviceSynchronize:3:2,hipMalloc:2"), 0);
  void* memory = nullptr;
  EXPECT_EQ(synchronize(), Error::unknown);
  EXPECT_EQ(hip<Error()>("hipPeekAtLastError")(), Error::unknown);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::unknown);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::success);
  EXPECT_EQ(synchronize(), Error::success);
  EXPECT_EQ(allocate(&memory, 16), Error::success);
  EXPECT_EQ(synchronize(), Error::out_of_memory);
  hip<Error(void*)>("hipFree")(memory);
  EXPECT_EQ(allocate(&memory, 16), Error::out_of_memory);
  ASSERT_EQ(configure("fail="), 0);
  EXPECT_STREQ(hip<const char*(Error)>("hipGetErrorName")(Error::out_of_memory), "hipErrorOutOfMemory");
}

TEST_F(KernelTest, PlannedFailureOfALaunchBreaksNothing) {
  float* x = device_floats(64);
  ASSERT_EQ(configure("fail=hipModuleLaunchKernel:1"), 0);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&x}), Error::launch_failure);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&x}), Error::success);
  EXPECT_EQ(read(x, 64)[63], 1.0f);
}

TEST_F(HipTest, PlannedFailureOfTheCompilerHasALog) {
  struct RtcProgram;
  ASSERT_EQ(configure("fail=hiprtcCompileProgram:1"), 0);
  RtcProgram* program = nullptr;
  using Create = RtcResult(RtcProgram**, const char*, const char*, int, const char**, const char**);
  hip<Create>("hiprtcCreateProgram")(&program, " ", "a.hip", 0, nullptr, nullptr);
  using Compile = RtcResult(RtcProgram*, int, const char**);
  EXPECT_EQ(hip<Compile>("hiprtcCompileProgram")(program, 0, nullptr), RtcResult::compilation);
  std::size_t bytes = 0;
  hip<RtcResult(RtcProgram*, std::size_t*)>("hiprtcGetProgramLogSize")(program, &bytes);
  EXPECT_GT(bytes, 10u);
  hip<RtcResult(RtcProgram**)>("hiprtcDestroyProgram")(&program);
}

TEST_F(KernelTest, AFaultStaysUntilTheCardIsReset) {
  float* x = device_floats(64);
  void* memory = nullptr;
  EXPECT_EQ(launch(kernel("overrun"), 1, 128, nullptr, {&x}), Error::success);  // as on hardware, it shows later
  EXPECT_EQ(synchronize(), Error::illegal_address);
  EXPECT_EQ(synchronize(), Error::illegal_address);
  EXPECT_EQ(allocate(&memory, 16), Error::illegal_address);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&x}), Error::illegal_address);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::illegal_address);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::illegal_address);
  EXPECT_NE(report().find("overrun"), std::string::npos) << report();
  ASSERT_EQ(hip<Error()>("hipDeviceReset")(), Error::success);
  hip<Error()>("hipGetLastError")();
  module_ = nullptr;  // gone with the reset
  load();
  x = device_floats(64);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&x}), Error::success);
  EXPECT_EQ(synchronize(), Error::success);
}

TEST_F(HipTest, APlannedIllegalAddressStaysToo) {
  ASSERT_EQ(configure("fail=hipDeviceSynchronize:1:700"), 0);
  EXPECT_EQ(synchronize(), Error::illegal_address);
  EXPECT_EQ(synchronize(), Error::illegal_address);
  hip<Error()>("hipDeviceReset")();
  EXPECT_EQ(synchronize(), Error::success);
}

TEST_F(HipTest, CopiesStayInBounds) {
  float* x = device_floats(16);
  std::vector<float> a = numbers(64, 21), b(64, -1.0f);
  EXPECT_EQ(copy(x, a.data(), 64, CopyKind::host_to_device), Error::success);
  EXPECT_EQ(copy(x, a.data(), 65, CopyKind::host_to_device), Error::invalid_value);
  EXPECT_EQ(copy(x + 8, a.data(), 36, CopyKind::host_to_device), Error::invalid_value);
  EXPECT_EQ(copy(b.data(), x, 65, CopyKind::device_to_host), Error::invalid_value);
  EXPECT_EQ(copy(b.data(), a.data(), 4, CopyKind::host_to_device), Error::invalid_value);
  EXPECT_EQ(copy(b.data(), a.data(), 4, CopyKind::device_to_host), Error::invalid_value);
  EXPECT_EQ(copy(b.data(), x, 64, CopyKind{9}), Error::invalid_memcpy_direction);
  EXPECT_EQ(copy(b.data(), x, 64, CopyKind::by_address), Error::success);
  EXPECT_EQ(b[15], a[15]);
  EXPECT_EQ(b[16], -1.0f);
  using Fill = Error(void*, int, std::size_t);
  EXPECT_EQ(hip<Fill>("hipMemsetD32")(x, 0x40000000, 16), Error::success);
  EXPECT_EQ(read(x, 16)[15], 2.0f);
  EXPECT_EQ(hip<Fill>("hipMemsetD32")(x, 0, 17), Error::invalid_value);
  EXPECT_EQ(hip<Fill>("hipMemsetD32")(x, 0, SIZE_MAX / 2), Error::invalid_value);
  EXPECT_EQ(hip<Fill>("hipMemset")(x, 0, 65), Error::invalid_value);
}

TEST_F(HipTest, PitchedCopies) {
  float* x = device_floats(16);
  std::vector<float> a = numbers(16, 22), b(16, -1.0f);
  using Copy2D = Error(void*, std::size_t, const void*, std::size_t, std::size_t, std::size_t, CopyKind);
  auto* copy_2d = hip<Copy2D>("hipMemcpy2D");
  // Four rows of two numbers, into rows of four.
  EXPECT_EQ(copy_2d(x, 16, a.data(), 8, 8, 4, CopyKind::host_to_device), Error::success);
  EXPECT_EQ(copy_2d(x + 3, 16, a.data(), 8, 8, 4, CopyKind::host_to_device), Error::invalid_value);
  EXPECT_EQ(copy_2d(x, 4, a.data(), 8, 8, 4, CopyKind::host_to_device), Error::invalid_value);
  copy(b.data(), x, 64, CopyKind::device_to_host);
  EXPECT_EQ(b[12], a[6]);
  EXPECT_EQ(b[13], a[7]);
  EXPECT_TRUE(b[14] != b[14]);  // between the rows: still NaN
}

TEST_F(HipTest, TheReportCountsAndNamesLeaks) {
  std::uint64_t mallocs = counter("call hipMalloc"), copied = counter("copied bytes");
  float* x = device_floats(4096 + 3);
  copy(x, numbers(10, 23).data(), 40, CopyKind::host_to_device);
  EXPECT_EQ(counter("call hipMalloc"), mallocs + 1);
  EXPECT_EQ(counter("copied bytes"), copied + 40);
  EXPECT_NE(report().find("leak hipMalloc device 0 16396\n"), std::string::npos) << report();
}

}  // namespace
}  // namespace convoy::hip
