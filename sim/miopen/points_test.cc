// Filling, scaling, operations of two tensors, biases, in all types.
#include <limits>

#include "sim/amdgpu/number.h"
#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

constexpr float k_one = 1, k_zero = 0;

class Points : public MiopenTest {};

TEST_F(Points, FillAndScaleReadTheirFactorInTheTensorsType) {
  float two = 2;
  auto half = amdgpu::float_to_half(2);
  auto bfloat = static_cast<std::uint16_t>(amdgpu::float_to_bfloat(2));
  const std::pair<DataType, const void*> factors[] = {{k_float, &two}, {k_half, &half}, {k_bfloat16, &bfloat}};
  for (auto [type, factor] : factors) {
    DeviceTensor tensor(type, {2, 3, 5}, true);
    tensor.fill(std::numeric_limits<float>::quiet_NaN());
    ASSERT_EQ(miopenSetTensor(handle_, tensor.descriptor, tensor.memory, factor), k_success);
    ASSERT_EQ(miopenScaleTensor(handle_, tensor.descriptor, tensor.memory, factor), k_success);
    EXPECT_EQ(tensor.read(), std::vector<float>(30, 4)) << "type " << type;
  }
}

float expected(TensorOperation operation, float a, float b) {
  switch (operation) {
    case k_add: return a + b;
    case k_multiply: return a * b;
    case k_minimum: return std::min(a, b);
    default: return std::max(a, b);
  }
}

TEST_F(Points, OperationsOfTwoTensorsStretchTheSecond) {
  const float alpha1 = 2, alpha2 = -0.5f, beta = 1;
  for (TensorOperation operation : {k_add, k_multiply, k_minimum, k_maximum}) {
    DeviceTensor a(k_float, {2, 3, 4, 5}, false), b(k_float, {1, 3, 1, 5}, false), c(k_float, {2, 3, 4, 5}, true);
    a.fill_random(1);
    b.fill_random(2);
    c.fill_random(3);
    std::vector<float> as = a.read(), bs = b.read(), before = c.read();
    ASSERT_EQ(miopenOpTensor(handle_, operation, &alpha1, a.descriptor, a.memory, &alpha2, b.descriptor, b.memory,
                             &beta, c.descriptor, c.memory),
              k_success);
    std::vector<float> got = c.read();
    for (std::size_t i = 0; i < got.size(); ++i) {
      float other = bs[i / 20 % 3 * 5 + i % 5];
      ASSERT_EQ(got[i], expected(operation, alpha1 * as[i], alpha2 * other) + before[i]) << operation << " at " << i;
    }
  }
}

TEST_F(Points, WhatBetaZeroReplacesIsNotRead) {
  DeviceTensor a(k_half, {1, 7}, false), c(k_half, {1, 7}, false);
  a.fill(1);
  c.fill(std::numeric_limits<float>::quiet_NaN());
  ASSERT_EQ(miopenOpTensor(handle_, k_add, &k_one, a.descriptor, a.memory, &k_one, a.descriptor, a.memory, &k_zero,
                           c.descriptor, c.memory),
            k_success);
  EXPECT_EQ(c.read(), std::vector<float>(7, 2));
}

TEST_F(Points, ResultsAreRoundedToNearestTiesToEven) {
  for (auto [type, unit] : {std::pair{k_half, 0x1p-10f}, std::pair{k_bfloat16, 0x1p-7f}}) {
    DeviceTensor a(type, {1, 4}, false), b(type, {1, 4}, false);
    a.write({1, 1, 1 + unit, -1});
    b.write({0.75f * unit, 0.5f * unit, 0.5f * unit, -0.75f * unit});
    ASSERT_EQ(miopenOpTensor(handle_, k_add, &k_one, a.descriptor, a.memory, &k_one, b.descriptor, b.memory, &k_zero,
                             a.descriptor, a.memory),
              k_success);
    EXPECT_EQ(a.read(), (std::vector<float>{1 + unit, 1, 1 + 2 * unit, -1 - unit})) << "type " << type;
  }
}

TEST_F(Points, TensorsThatDoNotFitAreRefused) {
  DeviceTensor a(k_float, {2, 3}, false), b(k_float, {2, 2}, false), half(k_half, {2, 3}, false);
  auto add = [&](const DeviceTensor& first, const DeviceTensor& second) {
    return miopenOpTensor(handle_, k_add, &k_one, first.descriptor, first.memory, &k_one, second.descriptor,
                          second.memory, &k_zero, a.descriptor, a.memory);
  };
  EXPECT_EQ(add(b, a), k_bad_parm);
  EXPECT_EQ(add(a, b), k_bad_parm);
  EXPECT_EQ(add(half, a), k_bad_parm);
  EXPECT_EQ(miopenSetTensor(handle_, a.descriptor, nullptr, &k_one), k_bad_parm);
  EXPECT_EQ(miopenSetTensor(handle_, a.descriptor, a.memory, nullptr), k_bad_parm);
}

TEST_F(Points, BiasIsAddedToEachChannel) {
  for (DataType type : {k_float, k_half}) {
    DeviceTensor y(type, {2, 3, 2, 2, 3}, true), bias(type, {1, 3, 1, 1, 1}, false);
    y.fill_random(1);
    bias.fill_random(2);
    std::vector<float> before = y.read(), biases = bias.read();
    ASSERT_EQ(
        miopenConvolutionForwardBias(handle_, &k_one, bias.descriptor, bias.memory, &k_zero, y.descriptor, y.memory),
        k_success);
    std::vector<float> got = y.read();
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], before[i] + biases[i / 12 % 3]) << i;
  }
}

TEST_F(Points, BiasGradientIsTheSumOfEachChannel) {
  for (DataType type : {k_float, k_half, k_bfloat16}) {
    DeviceTensor dy(type, {2, 3, 4}, false), db(type, {1, 3, 1}, false);
    dy.fill(0.25f);
    db.fill(std::numeric_limits<float>::quiet_NaN());
    ASSERT_EQ(
        miopenConvolutionBackwardBias(handle_, &k_one, dy.descriptor, dy.memory, &k_zero, db.descriptor, db.memory),
        k_success);
    EXPECT_EQ(db.read(), std::vector<float>(3, 2));
  }
}

TEST_F(Points, BiasesThatDoNotFitAreRefused) {
  DeviceTensor y(k_float, {1, 3, 2, 2}, false), bias(k_float, {1, 2, 1, 1}, false), right(k_float, {1, 3, 1, 1}, false);
  DeviceTensor wide_y(k_bfloat16, {1, 3, 2, 2}, false), wide(k_bfloat16, {1, 3, 1, 1}, false);
  auto add = [&](const DeviceTensor& to, const DeviceTensor& what, const float* alpha) {
    return miopenConvolutionForwardBias(handle_, alpha, what.descriptor, what.memory, &k_zero, to.descriptor,
                                        to.memory);
  };
  const float two = 2;
  EXPECT_EQ(add(y, bias, &k_one), k_bad_parm);
  EXPECT_EQ(add(y, right, &two), k_not_implemented);
  EXPECT_EQ(add(wide_y, wide, &k_one), k_not_implemented) << "bfloat16, as in the real library";
}

}  // namespace
}  // namespace convoy::miopen
