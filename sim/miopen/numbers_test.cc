// The numbers of every direction, type and kind of shape against a loop in double.
#include <limits>

#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  const char* name;
  Shape shape;
};

const Case k_cases[] = {
    {"plain", plain_shape()},
    {"rank 3", {.x = {2, 3, 11}, .w = {4, 3, 3}, .pads = {1}, .strides = {2}, .dilations = {2}}},
    {"1-D as 2-D", {.x = {2, 3, 1, 9}, .w = {2, 3, 1, 3}, .pads = {0, 1}, .strides = {1, 1}, .dilations = {1, 1}}},
    {"strides, uneven", {.x = {1, 2, 9, 8}, .w = {3, 2, 3, 2}, .pads = {1, 0}, .strides = {2, 3}, .dilations = {1, 2}}},
    {"groups",
     {.x = {2, 6, 5, 5}, .w = {4, 3, 3, 3}, .pads = {1, 1}, .strides = {1, 1}, .dilations = {1, 1}, .groups = 2}},
    {"depthwise",
     {.x = {1, 4, 6, 5},
      .w = {8, 1, 3, 3},
      .pads = {2, 2},
      .strides = {1, 2},
      .dilations = {2, 2},
      .groups = 4,
      .mode = k_depthwise}},
    {"3-D",
     {.x = {1, 2, 4, 5, 6}, .w = {3, 2, 2, 3, 3}, .pads = {0, 1, 1}, .strides = {1, 2, 1}, .dilations = {1, 1, 2}}},
    {"channels last",
     {.x = {2, 4, 5, 6},
      .w = {6, 2, 3, 3},
      .pads = {1, 1},
      .strides = {2, 1},
      .dilations = {1, 1},
      .groups = 2,
      .channels_last = true}},
    {"transposed",
     {.x = {2, 4, 5, 4},
      .w = {4, 3, 3, 3},
      .pads = {1, 1},
      .strides = {2, 2},
      .dilations = {1, 1},
      .mode = k_transpose}},
    {"transposed 3-D in groups",
     {.x = {1, 4, 2, 3, 4},
      .w = {4, 3, 2, 3, 3},
      .pads = {0, 1, 0},
      .strides = {2, 1, 2},
      .dilations = {1, 2, 1},
      .groups = 2,
      .mode = k_transpose}},
};

class Numbers : public MiopenTest {};

TEST_F(Numbers, OfEveryDirectionAndTypeAreRight) {
  for (const Case& each : k_cases) {
    for (DataType type : {k_float, k_half, k_bfloat16}) {
      for (Way way : k_ways) {
        SCOPED_TRACE(std::string(each.name) + ", type " + std::to_string(type));
        Shape shape = each.shape;
        shape.type = type;
        Convolution convolution(handle_, shape);
        convolution.result(way).fill(k_nan);
        std::vector<AlgorithmPerformance> found;
        ASSERT_EQ(convolution.find(way, 4, found, 1 << 20), k_success);
        convolution.result(way).fill(k_nan);
        ASSERT_EQ(convolution.run(way, found[0].algorithm, found[0].memory), k_success);
        EXPECT_TRUE(convolution.is_right(way));
      }
    }
  }
}

TEST_F(Numbers, OfImmediateModeAreRight) {
  const std::uint64_t gemm_ids[] = {91, 97, 102};
  for (Way way : k_ways) {
    auto direction = static_cast<std::uint64_t>(way);
    for (std::uint64_t id : {std::uint64_t{84}, gemm_ids[direction], 85 + direction}) {
      Convolution convolution(handle_, plain_shape());
      convolution.result(way).fill(k_nan);
      ASSERT_EQ(convolution.immediate(way, id, 1 << 20), k_success);
      EXPECT_TRUE(convolution.is_right(way)) << "solution " << id;
    }
  }
}

// y has fewer rows than the descriptor would give: PyTorch's transposed convolutions with output padding do that.
TEST_F(Numbers, NothingIsReadOutsideAShorterOutput) {
  Convolution convolution(
      handle_, {.x = {1, 2, 7, 7}, .w = {2, 2, 3, 3}, .pads = {0, 0}, .strides = {2, 2}, .dilations = {1, 1}});
  convolution.y = std::make_unique<DeviceTensor>(k_float, std::vector<int>{1, 2, 2, 3}, false);
  convolution.y->fill_random(5);
  convolution.x->fill(k_nan);
  ASSERT_EQ(convolution.immediate(Way::backward_data, 86), k_success);
  EXPECT_TRUE(convolution.is_right(Way::backward_data));
}

TEST_F(Numbers, AnEmptyBatchIsNothingToDo) {
  Shape shape = plain_shape();
  shape.x[0] = 0;
  for (Way way : k_ways) {
    Convolution convolution(handle_, shape);
    convolution.w->fill(way == Way::backward_weights ? k_nan : 1);
    std::vector<AlgorithmPerformance> found;
    ASSERT_EQ(convolution.find(way, 1, found, 0), k_success) << name_of(way);
    ASSERT_EQ(convolution.run(way, found[0].algorithm), k_success) << name_of(way);
    EXPECT_TRUE(convolution.is_right(way));
  }
}

}  // namespace
}  // namespace convoy::miopen
