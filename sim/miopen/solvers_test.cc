// What Find, Convolution*, GetSolution and the queries answer: which solvers, with what workspace, ready on which handle.
#include <utility>

#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

constexpr std::size_t k_enough = 1 << 20;
// Channels x taps x outputs of plain_shape(), in bytes.
constexpr std::size_t k_plain_im2col = std::size_t{3} * 9 * 36 * 4;

class Solvers : public MiopenTest {};

std::vector<AlgorithmCode> codes(const std::vector<AlgorithmPerformance>& found) {
  std::vector<AlgorithmCode> all;
  for (const AlgorithmPerformance& each : found) all.push_back(each.algorithm);
  return all;
}

// What the solvers of a shape are, by Find with enough workspace.
std::vector<AlgorithmCode> codes_for(Handle handle, const Shape& shape) {
  Convolution convolution(handle, shape);
  std::vector<AlgorithmPerformance> found;
  EXPECT_EQ(convolution.find(Way::forward, 9, found, k_enough), k_success);
  return codes(found);
}

TEST_F(Solvers, FindNamesAllThatServeBestFirst) {
  for (Way way : k_ways) {
    Convolution convolution(handle_, plain_shape());
    std::vector<AlgorithmPerformance> found;
    ASSERT_EQ(convolution.find(way, 9, found, k_enough), k_success);
    ASSERT_EQ(codes(found), (std::vector<AlgorithmCode>{k_winograd, k_gemm, k_direct}));
    EXPECT_LT(0, found[0].time);
    EXPECT_LT(found[0].time, found[1].time);
    EXPECT_LT(found[1].time, found[2].time);
    EXPECT_EQ(found[0].memory, 0u);
    EXPECT_EQ(found[1].memory, k_plain_im2col);
    EXPECT_EQ(found[2].memory, 0u);
    float time = 0;
    EXPECT_EQ(miopenGetKernelTime(handle_, &time), k_success);
    EXPECT_EQ(time, found[0].time);
    EXPECT_FALSE(convolution.is_right(way)) << "Find leaves garbage";
  }
}

TEST_F(Solvers, TheShapeDecidesWhichServe) {
  using Codes = std::vector<AlgorithmCode>;
  Shape strided = plain_shape(), dilated = plain_shape(), half = plain_shape(), grouped = plain_shape();
  Shape pointwise = plain_shape(), last = plain_shape();
  strided.strides = {1, 2};
  dilated.dilations = {2, 1};
  half.type = k_half;
  grouped.x[1] = 6;
  grouped.groups = 2;
  pointwise.w = {4, 3, 1, 1};
  last.channels_last = true;
  for (const Shape& shape : {strided, dilated, half, grouped, pointwise}) {
    EXPECT_EQ(codes_for(handle_, shape), (Codes{k_gemm, k_direct}));
  }
  EXPECT_EQ(codes_for(handle_, last), Codes{k_direct});
  EXPECT_EQ(codes_for(handle_, {.x = {1, 2, 3, 3, 3},
                                .w = {2, 2, 3, 3, 3},
                                .pads = {1, 1, 1},
                                .strides = {1, 1, 1},
                                .dilations = {1, 1, 1}}),
            (Codes{k_gemm, k_direct}));
}

TEST_F(Solvers, FindDropsWhatHasNoWorkspace) {
  Convolution convolution(handle_, plain_shape());
  std::vector<AlgorithmPerformance> found;
  ASSERT_EQ(convolution.find(Way::forward, 9, found, k_plain_im2col - 1), k_success);
  EXPECT_EQ(codes(found), (std::vector<AlgorithmCode>{k_winograd, k_direct}));
  EXPECT_EQ(convolution.run(Way::forward, k_gemm, k_enough), k_unknown_error) << "not found, so not ready";
}

TEST_F(Solvers, OneResultAskedForMakesAllReady) {
  Convolution convolution(handle_, plain_shape());
  std::vector<AlgorithmPerformance> found;
  ASSERT_EQ(convolution.find(Way::forward, 1, found, k_enough), k_success);
  EXPECT_EQ(codes(found), std::vector<AlgorithmCode>{k_winograd});
  for (AlgorithmCode code : {k_winograd, k_gemm, k_direct}) {
    convolution.y->fill(0);
    EXPECT_EQ(convolution.run(Way::forward, code, k_enough), k_success);
    EXPECT_TRUE(convolution.is_right(Way::forward));
  }
  EXPECT_EQ(convolution.run(Way::forward, k_fft, k_enough), k_unknown_error);
  EXPECT_EQ(convolution.run(Way::forward, k_gemm, 0), k_unknown_error) << "GEMM without its workspace";
}

TEST_F(Solvers, ReadyIsOneProblemOnOneHandle) {
  Convolution convolution(handle_, plain_shape()), again(handle_, plain_shape());
  EXPECT_EQ(convolution.run(Way::forward, k_direct), k_unknown_error);
  ASSERT_EQ(convolution.compile(Way::forward, 85), k_success);
  EXPECT_EQ(convolution.run(Way::forward, k_direct), k_success);
  EXPECT_EQ(again.run(Way::forward, k_direct), k_success) << "the same problem by other descriptors";
  EXPECT_EQ(convolution.run(Way::forward, k_winograd), k_unknown_error);
  EXPECT_EQ(convolution.run(Way::backward_data, k_direct), k_unknown_error);
  Shape shape = plain_shape();
  shape.channels_last = true;
  EXPECT_EQ(Convolution(handle_, shape).run(Way::forward, k_direct), k_unknown_error) << "other strides";
  Handle other = nullptr;
  ASSERT_EQ(miopenCreate(&other), k_success);
  EXPECT_EQ(Convolution(other, plain_shape()).run(Way::forward, k_direct), k_unknown_error);
  EXPECT_EQ(miopenDestroy(other), k_success);
}

TEST_F(Solvers, ImmediateMakesReadyToo) {
  Convolution convolution(handle_, plain_shape());
  ASSERT_EQ(convolution.immediate(Way::backward_weights, 87), k_success);
  EXPECT_EQ(convolution.run(Way::backward_weights, k_direct), k_success);
}

TEST_F(Solvers, WorkspaceIsThatOfGemm) {
  Shape last = plain_shape();
  last.channels_last = true;
  for (Way way : k_ways) {
    std::size_t bytes = 1;
    EXPECT_EQ(Convolution(handle_, plain_shape()).workspace_size(way, &bytes), k_success);
    EXPECT_EQ(bytes, k_plain_im2col);
    EXPECT_EQ(Convolution(handle_, last).workspace_size(way, &bytes), k_success);
    EXPECT_EQ(bytes, 0u);
  }
}

TEST_F(Solvers, SolutionsHaveTheIdsOfMiopen) {
  const std::uint64_t gemm_ids[] = {91, 97, 102};
  for (Way way : k_ways) {
    auto direction = static_cast<std::uint64_t>(way);
    Convolution convolution(handle_, plain_shape());
    std::size_t count = 0, bytes = 1;
    ASSERT_EQ(convolution.solution_count(way, &count), k_success);
    EXPECT_EQ(count, 3u);
    std::vector<ConvolutionSolution> found;
    ASSERT_EQ(convolution.solutions(way, 9, found), k_success);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].solution_id, 84u);
    EXPECT_EQ(found[0].algorithm, k_winograd);
    EXPECT_EQ(found[1].solution_id, gemm_ids[direction]);
    EXPECT_EQ(found[1].workspace_size, k_plain_im2col);
    EXPECT_EQ(found[2].solution_id, 85 + direction);
    EXPECT_LT(found[0].time, found[2].time);
    ASSERT_EQ(convolution.solution_workspace_size(way, gemm_ids[direction], &bytes), k_success);
    EXPECT_EQ(bytes, k_plain_im2col);
    ASSERT_EQ(convolution.solutions(way, 2, found), k_success);
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(convolution.immediate(way, gemm_ids[direction], 0), k_unknown_error) << "without its workspace";
  }
}

TEST_F(Solvers, IdsThatDoNotServeAreRefused) {
  Shape strided = plain_shape();
  strided.strides = {2, 2};
  Convolution convolution(handle_, strided);
  std::size_t bytes = 0;
  EXPECT_EQ(convolution.compile(Way::forward, 84), k_unsupported_op);
  EXPECT_EQ(convolution.immediate(Way::forward, 86), k_unsupported_op) << "that of another direction";
  EXPECT_EQ(convolution.immediate(Way::forward, 0), k_bad_parm);
  EXPECT_EQ(convolution.solution_workspace_size(Way::forward, std::uint64_t{1} << 32, &bytes), k_bad_parm);
}

TEST_F(Solvers, TransposeModeIsBackwardData) {
  Convolution convolution(handle_, {.x = {1, 2, 3, 3},
                                    .w = {2, 2, 3, 3},
                                    .pads = {0, 0},
                                    .strides = {2, 2},
                                    .dilations = {1, 1},
                                    .mode = k_transpose});
  std::vector<ConvolutionSolution> found;
  ASSERT_EQ(convolution.solutions(Way::forward, 9, found), k_success);
  EXPECT_EQ(found.back().solution_id, 86u);
  ASSERT_EQ(convolution.solutions(Way::backward_data, 9, found), k_success);
  EXPECT_EQ(found.back().solution_id, 85u);
  ASSERT_EQ(convolution.solutions(Way::backward_weights, 9, found), k_success);
  EXPECT_EQ(found.back().solution_id, 87u);
}

TEST_F(Solvers, OnlyPlainResultsAreSupported) {
  Convolution convolution(handle_, plain_shape());
  ASSERT_EQ(convolution.compile(Way::forward, 85), k_success);
  EXPECT_EQ(convolution.run(Way::forward, k_direct, 0, 2, 0), k_not_implemented);
  EXPECT_EQ(convolution.run(Way::forward, k_direct, 0, 1, 1), k_not_implemented);
  for (TensorDescriptor each : {convolution.x->descriptor, convolution.w->descriptor, convolution.y->descriptor}) {
    int sizes[4];
    ASSERT_EQ(miopenGetTensorDescriptor(each, nullptr, sizes, nullptr), k_success);
    ASSERT_EQ(miopenSetTensorDescriptor(each, k_int8, 4, sizes, nullptr), k_success);
  }
  std::size_t bytes = 0;
  EXPECT_EQ(convolution.workspace_size(Way::forward, &bytes), k_not_implemented);
}

TEST_F(Solvers, WhatIsNoProblemIsRefused) {
  Convolution convolution(handle_, plain_shape());
  std::vector<AlgorithmPerformance> found;
  std::size_t bytes = 0;
  EXPECT_EQ(convolution.find(Way::forward, 0, found, 0), k_bad_parm);
  EXPECT_EQ(convolution.workspace_size(Way::forward, nullptr), k_bad_parm);
  EXPECT_EQ(convolution.solution_count(Way::forward, nullptr), k_bad_parm);

  // Each changes one descriptor.
  auto refused = [&](const char* what, auto&& change) {
    Convolution changed(handle_, plain_shape());
    change(changed);
    EXPECT_EQ(changed.workspace_size(Way::forward, &bytes), k_bad_parm) << what;
    EXPECT_EQ(changed.compile(Way::backward_weights, 87), k_bad_parm) << what;
  };
  refused("no handle", [](Convolution& it) { it.handle = nullptr; });
  refused("type", [](Convolution& it) { miopenSet4dTensorDescriptor(it.w->descriptor, k_half, 4, 3, 3, 3); });
  refused("channels", [](Convolution& it) { miopenSet4dTensorDescriptor(it.w->descriptor, k_float, 4, 2, 3, 3); });
  refused("filters", [](Convolution& it) { miopenSet4dTensorDescriptor(it.w->descriptor, k_float, 5, 3, 3, 3); });
  refused("batch", [](Convolution& it) { miopenSet4dTensorDescriptor(it.x->descriptor, k_float, 1, 3, 6, 6); });
  refused("groups", [](Convolution& it) { miopenSetConvolutionGroupCount(it.descriptor, 3); });
  refused("rank", [](Convolution& it) {
    const int sizes[] = {4, 3, 3};
    miopenSetTensorDescriptor(it.w->descriptor, k_float, 3, sizes, nullptr);
  });
  refused("spatial dimensions", [](Convolution& it) {
    const int zeros[] = {0, 0, 0}, ones[] = {1, 1, 1};
    miopenInitConvolutionNdDescriptor(it.descriptor, 3, zeros, ones, ones, k_convolution);
  });

  void* memory = std::exchange(convolution.w->memory, nullptr);
  EXPECT_EQ(convolution.find(Way::forward, 1, found, 0), k_bad_parm);
  EXPECT_EQ(convolution.immediate(Way::forward, 85), k_bad_parm);
  convolution.w->memory = memory;
}

}  // namespace
}  // namespace convoy::miopen
