// What the simulated machine shows: cards, attributes, symbols, and a machine without cards.
#include <dlfcn.h>

#include <fstream>
#include <sstream>

#include "sim/hip/client_test.h"

namespace convoy::hip {
namespace {

TEST(Exports, EveryNameAndVersionOfHip52IsThere) {
  std::ifstream list(CONVOY_SIM_SYMBOLS);
  void* library = dlopen(CONVOY_SIM_HIP_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  int checked = 0;
  for (std::string line; std::getline(list, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::string version, name;
    std::istringstream(line) >> version >> name;
    EXPECT_NE(dlvsym(library, name.c_str(), version.c_str()), nullptr) << line;
    ++checked;
  }
  EXPECT_EQ(checked, 407);
}

TEST_F(HipTest, WhatIsNotEmulatedSaysSo) {
  EXPECT_EQ(hip<Error(void**, void*)>("hipArrayCreate")(nullptr, nullptr), Error::not_supported);
  EXPECT_EQ(hip<Error()>("hipGetLastError")(), Error::not_supported);
  EXPECT_EQ(hip<const char*(unsigned)>("hipApiName")(1), nullptr);
  EXPECT_NE(report().find("note hipArrayCreate is not simulated"), std::string::npos);
}

struct ExpectedCard {
  const char* name;
  const char* architecture;
  int warp_size;
};

TEST_F(HipTest, TheDefaultMachineHasOneCardOfEachArchitecture) {
  const ExpectedCard expected[] = {
      {"Simulated gfx803 (software)", "gfx803", 64},
      {"Simulated gfx900 (software)", "gfx900:xnack-", 64},
      {"Simulated gfx906 (software)", "gfx906:sramecc+:xnack-", 64},
      {"Simulated gfx908 (software)", "gfx908:sramecc+:xnack-", 64},
      {"Simulated gfx90a (software)", "gfx90a:sramecc+:xnack-", 64},
      {"Simulated gfx1010 (software)", "gfx1010:xnack-", 32},
      {"Simulated gfx1030 (software)", "gfx1030", 32},
      {"Simulated gfx1032 (software)", "gfx1032", 32},
      {"Simulated gfx1100 (software)", "gfx1100", 32},
  };
  ASSERT_EQ(configure("devices=gfx803,gfx900,gfx906,gfx908,gfx90a,gfx1010,gfx1030,gfx1032,gfx1100"), 0);
  int count = 0;
  ASSERT_EQ(hip<Error(int*)>("hipGetDeviceCount")(&count), Error::success);
  ASSERT_EQ(count, 9);
  for (int i = 0; i < count; ++i) {
    DeviceProperties properties{};
    ASSERT_EQ(hip<Error(DeviceProperties*, int)>("hipGetDeviceProperties")(&properties, i), Error::success);
    EXPECT_STREQ(properties.name, expected[i].name);
    EXPECT_STREQ(properties.gcn_arch_name, expected[i].architecture);
    EXPECT_EQ(properties.warp_size, expected[i].warp_size);
    EXPECT_EQ(properties.shared_memory_per_block, 65536u);
    EXPECT_EQ(properties.total_memory, 1u << 30);
    int warp_size = 0;
    using Get = Error(int*, Attribute, int);
    EXPECT_EQ(hip<Get>("hipDeviceGetAttribute")(&warp_size, Attribute::warp_size, i), Error::success);
    EXPECT_EQ(warp_size, expected[i].warp_size);
  }
}

TEST_F(HipTest, AttributesThatHaveNoAnswerAreRefused) {
  int value = 0;
  using Get = Error(int*, Attribute, int);
  EXPECT_EQ(hip<Get>("hipDeviceGetAttribute")(&value, Attribute{81234}, 0), Error::invalid_value);
  EXPECT_EQ(hip<Get>("hipDeviceGetAttribute")(&value, Attribute::warp_size, 7), Error::invalid_device);
}

TEST_F(HipTest, AMachineWithoutCards) {
  ASSERT_EQ(configure("devices=none"), 0);
  int count = -1;
  void* pointer = nullptr;
  EXPECT_EQ(hip<Error(unsigned)>("hipInit")(0), Error::no_device);
  EXPECT_EQ(hip<Error(int*)>("hipGetDeviceCount")(&count), Error::no_device);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(allocate(&pointer, 16), Error::no_device);
  EXPECT_EQ(hip<Error(int)>("hipSetDevice")(0), Error::no_device);
  EXPECT_EQ(synchronize(), Error::no_device);
}

TEST_F(HipTest, WrongSwitchesAreRefusedAndChangeNothing) {
  for (const char* wrong : {"devices=gfx1", "devices=", "late=2", "late", "lat=1", "fail=hipMaloc:1", "fail=hipMalloc",
                            "fail=hipMalloc:0", "fail=hipMalloc:1:x", "memory=much", "late=1;memory=0"}) {
    EXPECT_EQ(configure(wrong), -1) << wrong;
  }
  int count = 0;
  EXPECT_EQ(hip<Error(int*)>("hipGetDeviceCount")(&count), Error::success);
  EXPECT_EQ(count, 1);
  EXPECT_NE(report().find("\"hipMaloc\" is no call that the stand-in emulates"), std::string::npos) << report();
}

TEST_F(HipTest, CardsHaveMemoryOfTheirOwn) {
  ASSERT_EQ(configure("devices=gfx1010,gfx1010;memory=1048576"), 0);
  void *first = nullptr, *second = nullptr;
  EXPECT_EQ(allocate(&first, 1 << 20), Error::success);
  EXPECT_EQ(allocate(&second, 1), Error::out_of_memory);
  EXPECT_EQ(second, nullptr);
  ASSERT_EQ(hip<Error(int)>("hipSetDevice")(1), Error::success);
  EXPECT_EQ(allocate(&second, 1 << 20), Error::success);
  std::size_t free = 1, total = 0;
  EXPECT_EQ(hip<Error(std::size_t*, std::size_t*)>("hipMemGetInfo")(&free, &total), Error::success);
  EXPECT_EQ(free, 0u);
  EXPECT_EQ(total, 1u << 20);
  PointerAttributes attributes{};
  using Get = Error(PointerAttributes*, const void*);
  EXPECT_EQ(hip<Get>("hipPointerGetAttributes")(&attributes, static_cast<char*>(first) + 100), Error::success);
  EXPECT_EQ(attributes.device, 0);
  EXPECT_EQ(attributes.type, MemoryType::device);
  EXPECT_EQ(hip<Error(void*)>("hipFree")(first), Error::success);
  EXPECT_EQ(hip<Error(void*)>("hipFree")(second), Error::success);
  EXPECT_EQ(hip<Error(void*)>("hipFree")(second), Error::invalid_value);
}

TEST_F(HipTest, AKernelSeesNoOtherCardsMemory) {
  ASSERT_EQ(configure("devices=gfx1010,gfx1010"), 0);
  load();
  if (module_ == nullptr) GTEST_SKIP() << "nothing compiles here";
  float* here = device_floats(64);
  hip<Error(int)>("hipSetDevice")(1);
  float* there = device_floats(64);
  Stream* other = make_stream();
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, other, {&here}), Error::invalid_handle);  // the module is the other card's
  hip<Error(int)>("hipSetDevice")(0);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&here}), Error::success);
  EXPECT_EQ(synchronize(), Error::success);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, nullptr, {&there}), Error::success);
  EXPECT_EQ(synchronize(), Error::illegal_address);
  hip<Error(int)>("hipSetDevice")(1);
  EXPECT_EQ(synchronize(), Error::success);
  hip<Error(Stream*)>("hipStreamDestroy")(other);
}

}  // namespace
}  // namespace convoy::hip
