// A MIOpen program as the tests write it: linked against the stand-in, one convolution with its descriptors, device memory and
// reference.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/miopen.h"
#include "sim/miopen/hip_api.h"

namespace convoy::miopen {

extern "C" {
#define MIOPEN_FUNCTION(name, result, parameters) result name parameters;
#include "abi/miopen_functions.inc"
Error hipMalloc(void**, std::size_t);
Error hipFree(void*);
Error hipMemcpy(void*, const void*, std::size_t, hip::CopyKind);
Error hipDeviceSynchronize();
}

enum class Way { forward, backward_data, backward_weights };
constexpr Way k_ways[] = {Way::forward, Way::backward_data, Way::backward_weights};
const char* name_of(Way way);

// Sizes with batch and channels (of w: filters and channels of a group) first.
struct Shape {
  std::vector<int> x, w, pads, strides, dilations;
  int groups = 1;
  DataType type = k_float;
  Mode mode = k_convolution;
  bool channels_last = false;
};

// Numbers on the device, stored as the type says.
class DeviceTensor {
 public:
  DeviceTensor(DataType type, std::vector<int> sizes, bool channels_last);
  ~DeviceTensor();
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;

  // Multiples of 1/4 up to 2 in size, none of them 0: exact in every type. By logical index.
  void fill_random(unsigned seed);
  void fill(float value);
  void write(const std::vector<float>& values);
  std::vector<float> read() const;

  TensorDescriptor descriptor = nullptr;
  void* memory = nullptr;
  const std::vector<int> sizes;

 private:
  std::size_t place(std::size_t index) const;
  DataType type_;
  std::vector<int> strides_;
  std::size_t count_ = 1;
};

class Convolution {
 public:
  Convolution(Handle handle, const Shape& shape);
  ~Convolution();
  Convolution(const Convolution&) = delete;
  Convolution& operator=(const Convolution&) = delete;

  Status workspace_size(Way way, std::size_t* bytes) const;
  Status find(Way way, int room, std::vector<AlgorithmPerformance>& found, std::size_t workspace_bytes);
  Status run(Way way, AlgorithmCode algorithm, std::size_t workspace_bytes = 0, float alpha = 1, float beta = 0);
  Status solution_count(Way way, std::size_t* count) const;
  Status solutions(Way way, std::size_t room, std::vector<ConvolutionSolution>& found) const;
  Status solution_workspace_size(Way way, std::uint64_t id, std::size_t* bytes) const;
  Status compile(Way way, std::uint64_t id) const;
  Status immediate(Way way, std::uint64_t id, std::size_t workspace_bytes = 0);

  DeviceTensor& result(Way way);
  // The result's numbers against a loop in double. Tells the worst one.
  testing::AssertionResult is_right(Way way);

  Handle handle;
  Shape shape;
  ConvolutionDescriptor descriptor = nullptr;
  std::unique_ptr<DeviceTensor> x, w, y;
  void* workspace = nullptr;  // 1 MiB
};

// One simulated gfx1010. Skips where nothing can compile the kernels.
class MiopenTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  Handle handle_ = nullptr;
};

// 3x3 on 6x6, stride 1: all three solvers serve it.
inline Shape plain_shape() {
  return {.x = {2, 3, 6, 6}, .w = {4, 3, 3, 3}, .pads = {1, 1}, .strides = {1, 1}, .dilations = {1, 1}};
}

}  // namespace convoy::miopen
