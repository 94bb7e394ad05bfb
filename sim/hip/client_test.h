// A HIP program as the tests write it: the stand-in opened with dlopen(), its functions by their names, kernels compiled
// through hiprtc. Nothing in here knows that the runtime is not a real one but convoy_sim_configure() and -_report().
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "sim/hip/abi.h"

namespace convoy::hip {

// Opaque here, as in HIP's headers.
struct Stream;
struct Event;
struct Module;
struct Function;
struct Graph;
struct GraphExec;

// For failed expectations.
inline void PrintTo(Error error, std::ostream* out) {
  *out << static_cast<int>(error);
}

void* symbol(const char* name);

// hip<Error(void**, std::size_t)>("hipMalloc")(&pointer, bytes)
template <typename Signature>
Signature* hip(const char* name) {
  return reinterpret_cast<Signature*>(symbol(name));
}

// hipModuleLaunchKernel
using LaunchKernel = Error(Function*, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t,
                           std::uint32_t, std::uint32_t, Stream*, void**, void**);

int configure(const std::string& switches);
// The number at the end of the report's line that starts so; 0: there is no such line.
std::uint64_t counter(std::string_view start_of_line);
std::string report();

Error allocate(void** pointer, std::size_t bytes);
Error copy(void* to, const void* from, std::size_t bytes, CopyKind kind);
Error copy_async(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream* stream);
Error synchronize();
Error synchronize(Stream* stream);
Stream* make_stream(unsigned flags = 0);
Error launch(Function* function, std::uint32_t groups, std::uint32_t group_size, Stream* stream,
             std::vector<void*> parameters);

// test_kernels.hip for one architecture, compiled once in a process; empty, with the reason, where no hiprtc can.
struct Code {
  std::string bytes;
  std::string why_not;
};
const Code& kernels_for(const std::string& architecture);
// The architecture of the current card.
std::string current_architecture();

// One simulated gfx1010, unless a test configures another machine, and its kernels.
class HipTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  // The kernels for the current card. Skips, when called from SetUp(), where nothing can compile them.
  void load();
  Function* kernel(const char* name);
  // Device memory, freed with the test.
  float* device_floats(std::size_t count);
  float* host_floats(std::size_t count);
  std::vector<float> read(const float* device, std::size_t count);

  Module* module_ = nullptr;

 private:
  std::vector<void*> device_memory_, host_memory_;
};

// With the kernels loaded; skipped where nothing can compile them.
class KernelTest : public HipTest {
 protected:
  void SetUp() override {
    HipTest::SetUp();
    load();
  }
};

// Numbers from 1 to 2, repeatable.
std::vector<float> numbers(std::size_t count, unsigned seed);

}  // namespace convoy::hip
