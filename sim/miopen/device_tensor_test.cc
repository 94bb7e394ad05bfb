// The tensors of client_test.h: numbers on the device by logical index, whatever type and strides they are stored with.
#include <cstring>
#include <random>

#include "sim/amdgpu/number.h"
#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

std::size_t bytes_of(DataType type) {
  return type == k_float ? 4 : 2;
}

void encode(float value, DataType type, char* to) {
  auto half =
      type == k_half ? amdgpu::float_to_half(value) : static_cast<std::uint16_t>(amdgpu::float_to_bfloat(value));
  if (type == k_float) {
    std::memcpy(to, &value, sizeof value);
  } else {
    std::memcpy(to, &half, sizeof half);
  }
}

float decode(const char* from, DataType type) {
  float value;
  std::uint16_t half;
  std::memcpy(&half, from, sizeof half);
  if (type == k_half) return amdgpu::half_to_float(half);
  if (type == k_bfloat16) return amdgpu::bfloat_to_float(half);
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

DeviceTensor::DeviceTensor(DataType type, std::vector<int> tensor_sizes, bool channels_last)
    : sizes(std::move(tensor_sizes)), type_(type), strides_(sizes.size()) {
  auto add = [&](std::size_t axis) {
    strides_[axis] = static_cast<int>(count_);
    count_ *= static_cast<std::size_t>(sizes[axis]);
  };
  if (channels_last) add(1);
  for (std::size_t axis = sizes.size() - 1; axis >= 2; --axis) add(axis);
  if (!channels_last) add(1);
  add(0);
  EXPECT_EQ(miopenCreateTensorDescriptor(&descriptor), k_success);
  EXPECT_EQ(miopenSetTensorDescriptor(descriptor, type, static_cast<int>(sizes.size()), sizes.data(), strides_.data()),
            k_success);
  if (count_ != 0) {
    EXPECT_EQ(hipMalloc(&memory, count_ * bytes_of(type)), Error::success);
  }
}

DeviceTensor::~DeviceTensor() {
  miopenDestroyTensorDescriptor(descriptor);
  hipFree(memory);
}

std::size_t DeviceTensor::place(std::size_t index) const {
  std::size_t at = 0;
  for (std::size_t axis = sizes.size(); axis-- > 0;) {
    auto size = static_cast<std::size_t>(sizes[axis]);
    at += index % size * static_cast<std::size_t>(strides_[axis]);
    index /= size;
  }
  return at * bytes_of(type_);
}

void DeviceTensor::fill_random(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count_);
  for (float& value : values) {
    float size = static_cast<float>(random() % 8 + 1) / 4;
    value = random() % 2 == 0 ? size : -size;
  }
  write(values);
}

void DeviceTensor::fill(float value) {
  write(std::vector<float>(count_, value));
}

void DeviceTensor::write(const std::vector<float>& values) {
  if (count_ == 0) return;
  std::vector<char> bytes(count_ * bytes_of(type_));
  for (std::size_t i = 0; i < count_; ++i) encode(values[i], type_, bytes.data() + place(i));
  EXPECT_EQ(hipMemcpy(memory, bytes.data(), bytes.size(), hip::CopyKind::host_to_device), Error::success);
}

std::vector<float> DeviceTensor::read() const {
  std::vector<float> values(count_);
  if (count_ == 0) return values;
  std::vector<char> bytes(count_ * bytes_of(type_));
  EXPECT_EQ(hipMemcpy(bytes.data(), memory, bytes.size(), hip::CopyKind::device_to_host), Error::success);
  for (std::size_t i = 0; i < count_; ++i) values[i] = decode(bytes.data() + place(i), type_);
  return values;
}

}  // namespace convoy::miopen
