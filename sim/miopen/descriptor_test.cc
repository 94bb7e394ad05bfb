// Descriptors and handles: what goes in comes out, and what makes no sense is refused.
#include <climits>
#include <cstring>

#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

class Tensor : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(miopenCreateTensorDescriptor(&tensor_), k_success); }
  void TearDown() override { EXPECT_EQ(miopenDestroyTensorDescriptor(tensor_), k_success); }
  TensorDescriptor tensor_ = nullptr;
};

TEST_F(Tensor, OfFourDimensionsIsPacked) {
  ASSERT_EQ(miopenSet4dTensorDescriptor(tensor_, k_half, 2, 3, 4, 5), k_success);
  int type = -1, rank = 0, got[8] = {};
  ASSERT_EQ(
      miopenGet4dTensorDescriptor(tensor_, &type, got, got + 1, got + 2, got + 3, got + 4, got + 5, got + 6, got + 7),
      k_success);
  EXPECT_EQ(type, k_half);
  EXPECT_EQ(std::vector<int>(got, got + 8), (std::vector<int>{2, 3, 4, 5, 60, 20, 5, 1}));
  EXPECT_EQ(miopenGetTensorDescriptorSize(tensor_, &rank), k_success);
  EXPECT_EQ(rank, 4);
}

TEST_F(Tensor, KeepsStridesAndCountsTheBytesBetween) {
  const int sizes[] = {2, 3, 4}, strides[] = {100, 1, 10};
  ASSERT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 3, sizes, strides), k_success);
  int type = -1, got_sizes[3], got_strides[3];
  ASSERT_EQ(miopenGetTensorDescriptor(tensor_, &type, got_sizes, got_strides), k_success);
  EXPECT_EQ(type, k_float);
  EXPECT_EQ(std::memcmp(got_sizes, sizes, sizeof sizes), 0);
  EXPECT_EQ(std::memcmp(got_strides, strides, sizeof strides), 0);
  std::size_t bytes = 0;
  ASSERT_EQ(miopenGetTensorNumBytes(tensor_, &bytes), k_success);
  EXPECT_EQ(bytes, 4u * (100 + 2 + 30 + 1));
  const std::size_t wide_sizes[] = {0, 3}, wide_strides[] = {3, 1};
  ASSERT_EQ(miopenSetTensorDescriptorV2(tensor_, k_double, 2, wide_sizes, wide_strides), k_success);
  ASSERT_EQ(miopenGetTensorNumBytes(tensor_, &bytes), k_success);
  EXPECT_EQ(bytes, 0u);
}

TEST_F(Tensor, RefusesWhatIsNone) {
  const int sizes[] = {1, 2, 3, 4, 5, 6}, negative[] = {1, -1};
  EXPECT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 0, sizes, nullptr), k_bad_parm);
  EXPECT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 6, sizes, nullptr), k_bad_parm);
  EXPECT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 2, nullptr, nullptr), k_bad_parm);
  EXPECT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 2, negative, nullptr), k_bad_parm);
  EXPECT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 2, sizes, negative), k_bad_parm);
  for (int type : {-1, 4, 10}) EXPECT_EQ(miopenSetTensorDescriptor(tensor_, type, 2, sizes, nullptr), k_bad_parm);
  EXPECT_EQ(miopenSet4dTensorDescriptor(nullptr, k_float, 1, 1, 1, 1), k_bad_parm);
  int rank = 0;
  ASSERT_EQ(miopenSetTensorDescriptor(tensor_, k_float, 3, sizes, nullptr), k_success);
  EXPECT_EQ(miopenGet4dTensorDescriptor(tensor_, &rank, &rank, &rank, &rank, &rank, &rank, &rank, &rank, &rank),
            k_bad_parm);
  EXPECT_EQ(miopenCreateTensorDescriptor(nullptr), k_bad_parm);
}

class Descriptor : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(miopenCreateConvolutionDescriptor(&convolution_), k_success); }
  void TearDown() override { EXPECT_EQ(miopenDestroyConvolutionDescriptor(convolution_), k_success); }

  // Of a convolution with these sizes of x and w.
  std::vector<int> output(const std::vector<int>& x_sizes, const std::vector<int>& w_sizes) {
    DeviceTensor x(k_float, x_sizes, false), w(k_float, w_sizes, false);
    int rank = 0, sizes[5] = {};
    EXPECT_EQ(miopenGetConvolutionNdForwardOutputDim(convolution_, x.descriptor, w.descriptor, &rank, sizes),
              k_success);
    return {sizes, sizes + rank};
  }

  ConvolutionDescriptor convolution_ = nullptr;
};

TEST_F(Descriptor, GivesBackWhatItGot) {
  ASSERT_EQ(miopenInitConvolutionDescriptor(convolution_, k_depthwise, 1, 2, 3, 4, 5, 6), k_success);
  int mode = -1, got[6] = {};
  ASSERT_EQ(miopenGetConvolutionDescriptor(convolution_, &mode, got, got + 1, got + 2, got + 3, got + 4, got + 5),
            k_success);
  EXPECT_EQ(mode, k_convolution) << "depthwise is a convolution in groups";
  EXPECT_EQ(std::vector<int>(got, got + 6), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  int rank = 0;
  ASSERT_EQ(miopenGetConvolutionNdDescriptor(convolution_, 0, &rank, nullptr, nullptr, nullptr, &mode), k_success);
  ASSERT_EQ(rank, 2);
  int pads[2], strides[2], dilations[2];
  ASSERT_EQ(miopenGetConvolutionNdDescriptor(convolution_, 2, &rank, pads, strides, dilations, &mode), k_success);
  EXPECT_EQ(pads[1], 2);
  EXPECT_EQ(strides[0], 3);
  EXPECT_EQ(dilations[1], 6);
}

TEST_F(Descriptor, KeepsGroupsAttributesAndFindModeUntilMadeAnew) {
  int value = -1;
  ASSERT_EQ(miopenSetConvolutionGroupCount(convolution_, 7), k_success);
  ASSERT_EQ(miopenGetConvolutionGroupCount(convolution_, &value), k_success);
  EXPECT_EQ(value, 7);
  ASSERT_EQ(miopenSetConvolutionAttribute(convolution_, k_deterministic, 1), k_success);
  ASSERT_EQ(miopenGetConvolutionAttribute(convolution_, k_deterministic, &value), k_success);
  EXPECT_EQ(value, 1);
  ASSERT_EQ(miopenGetConvolutionFindMode(convolution_, &value), k_success);
  EXPECT_EQ(value, 5);
  ASSERT_EQ(miopenSetConvolutionFindMode(convolution_, 1), k_success);
  ASSERT_EQ(miopenGetConvolutionFindMode(convolution_, &value), k_success);
  EXPECT_EQ(value, 1);
  ASSERT_EQ(miopenInitConvolutionDescriptor(convolution_, k_convolution, 0, 0, 1, 1, 1, 1), k_success);
  ASSERT_EQ(miopenGetConvolutionGroupCount(convolution_, &value), k_success);
  EXPECT_EQ(value, 1);
}

TEST_F(Descriptor, RefusesWhatIsNone) {
  const int minus[] = {-1, 0, 0, 0}, zero[] = {0, 0, 0, 0}, one[] = {1, 1, 1, 1};
  auto init = [&](int rank, const int* pads, const int* strides, const int* dilations, int mode) {
    return miopenInitConvolutionNdDescriptor(convolution_, rank, pads, strides, dilations, mode);
  };
  EXPECT_EQ(init(2, zero, one, one, k_convolution), k_success);
  EXPECT_EQ(init(2, minus, one, one, k_convolution), k_bad_parm);
  EXPECT_EQ(init(2, zero, zero, one, k_convolution), k_bad_parm);
  EXPECT_EQ(init(2, zero, one, zero, k_convolution), k_bad_parm);
  EXPECT_EQ(init(0, zero, one, one, k_convolution), k_bad_parm);
  EXPECT_EQ(init(4, zero, one, one, k_convolution), k_bad_parm);
  EXPECT_EQ(init(2, zero, one, one, 4), k_bad_parm);
  EXPECT_EQ(init(2, nullptr, one, one, k_convolution), k_bad_parm);
  EXPECT_EQ(miopenSetConvolutionGroupCount(convolution_, 0), k_bad_parm);
  EXPECT_EQ(miopenSetConvolutionAttribute(convolution_, 4, 0), k_bad_parm);
  EXPECT_EQ(miopenSetConvolutionFindMode(convolution_, 8), k_bad_parm);
  EXPECT_EQ(miopenSetTransposeConvNdOutputPadding(convolution_, 3, zero), k_bad_parm);
  EXPECT_EQ(miopenSetTransposeConvOutputPadding(convolution_, 0, -1), k_bad_parm);
}

TEST_F(Descriptor, KnowsTheOutput) {
  ASSERT_EQ(miopenInitConvolutionDescriptor(convolution_, k_convolution, 1, 0, 2, 1, 1, 3), k_success);
  ASSERT_EQ(miopenSetConvolutionGroupCount(convolution_, 2), k_success);
  EXPECT_EQ(output({5, 4, 10, 9}, {6, 2, 3, 2}), (std::vector<int>{5, 6, 5, 6}));
  EXPECT_EQ(output({5, 4, 1, 1}, {6, 2, 9, 9}), (std::vector<int>{5, 6, 1, 1})) << "1 at least";
  DeviceTensor x(k_float, {5, 4, 10, 9}, false), w(k_float, {6, 2, 3, 2}, false), bad(k_float, {6, 3, 3, 2}, false);
  int got[4] = {};
  ASSERT_EQ(
      miopenGetConvolutionForwardOutputDim(convolution_, x.descriptor, w.descriptor, got, got + 1, got + 2, got + 3),
      k_success);
  EXPECT_EQ(std::vector<int>(got, got + 4), (std::vector<int>{5, 6, 5, 6}));
  EXPECT_EQ(miopenGetConvolutionForwardOutputDim(convolution_, x.descriptor, bad.descriptor, got, got, got, got),
            k_bad_parm);
}

TEST_F(Descriptor, KnowsTheOutputOfATransposedConvolution) {
  const int pads[] = {1, 0, 1}, strides[] = {2, 1, 3}, dilations[] = {1, 2, 1}, adjusts[] = {1, 0, 2};
  ASSERT_EQ(miopenInitConvolutionNdDescriptor(convolution_, 3, pads, strides, dilations, k_transpose), k_success);
  EXPECT_EQ(output({1, 4, 5, 5, 5}, {4, 3, 3, 3, 3}), (std::vector<int>{1, 3, 9, 9, 13}));
  ASSERT_EQ(miopenSetTransposeConvNdOutputPadding(convolution_, 3, adjusts), k_success);
  EXPECT_EQ(output({1, 4, 5, 5, 5}, {4, 3, 3, 3, 3}), (std::vector<int>{1, 3, 10, 9, 15}));
}

TEST(HandleTest, KeepsStreamAndTakesAllocators) {
  Handle handle = nullptr;
  int stream = 0, *some_stream = &stream;
  Queue got = some_stream;
  ASSERT_EQ(miopenCreateWithStream(&handle, some_stream), k_success);
  ASSERT_EQ(miopenGetStream(handle, &got), k_success);
  EXPECT_EQ(got, some_stream);
  ASSERT_EQ(miopenSetStream(handle, nullptr), k_success);
  ASSERT_EQ(miopenGetStream(handle, &got), k_success);
  EXPECT_EQ(got, nullptr);
  EXPECT_EQ(miopenSetAllocator(handle, nullptr, nullptr, nullptr), k_success);
  EXPECT_EQ(miopenEnableProfiling(handle, true), k_success);
  EXPECT_EQ(miopenDestroy(handle), k_success);
  EXPECT_EQ(miopenCreate(nullptr), k_bad_parm);
  EXPECT_EQ(miopenSetStream(nullptr, nullptr), k_bad_parm);
}

TEST(Library, TellsVersionAndStatusNames) {
  std::size_t major = 0, minor = 0, patch = 9;
  ASSERT_EQ(miopenGetVersion(&major, &minor, &patch), k_success);
  EXPECT_EQ(major, 3u);
  EXPECT_EQ(minor, 2u);
  EXPECT_EQ(patch, 0u);
  EXPECT_STREQ(miopenGetErrorString(k_unknown_error), "miopenStatusUnknownError");
  EXPECT_STREQ(miopenGetErrorString(99), "Unknown error status");
}

}  // namespace
}  // namespace convoy::miopen
