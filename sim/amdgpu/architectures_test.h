// Compiles the kernels of tests when they run, with clang-15. GPU machine code is not kept in the repository.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "amdgpu.h"

namespace convoy::amdgpu::test {

// Why no kernels can be compiled and executed here, with the packages' names; empty: they can.
const std::string& missing_tools();

// test_kernels/<name>.hip, loaded; each is compiled once in a process. Null after a failed assertion.
std::shared_ptr<Module> compile(const std::string& name, const std::string& architecture,
                                const std::vector<std::string>& options = {});
// The bytes of the code object.
std::string compiled_bytes(const std::string& name, const std::string& architecture,
                           const std::vector<std::string>& options = {});

// "_wave64": compiled for waves of 64 lanes, where 32 are usual.
inline const char* const k_architectures[] = {"gfx803",  "gfx900",  "gfx906",  "gfx908",  "gfx90a",
                                              "gfx1010", "gfx1030", "gfx1032", "gfx1100", "gfx1030_wave64"};

// Without "_wave64".
std::string gpu_of(const std::string& architecture);

// A test for each architecture.
class OnEach : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!missing_tools().empty()) GTEST_SKIP() << missing_tools();
  }
};

// A kernel's arguments as they lie in memory.
class Arguments {
 public:
  template <typename T>
  Arguments& operator<<(T value) {
    const size_t at = (bytes_.size() + sizeof value - 1) / sizeof value * sizeof value;
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  const void* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<char> bytes_;
};

// Launches with `memory` checked.
struct Grid {
  uint32_t groups_x, groups_y, threads;
  Options options = Options::defaults();
};
Result<void> launch(const Module& module, const std::string& kernel, const Grid& grid, const Arguments& arguments,
                    const Memory& memory, Statistics* statistics = nullptr);

}  // namespace convoy::amdgpu::test
