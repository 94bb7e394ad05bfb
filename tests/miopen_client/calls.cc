// Descriptors' owners, and the functions of each direction.
#include "calls.h"

#include <algorithm>

namespace convoy::client {
namespace {

constexpr float k_one = 1, k_zero = 0;

}  // namespace

TensorDescriptorOwner::TensorDescriptorOwner(const Api& api) : api_(api) {
  CONVOY_CALL(api, miopenCreateTensorDescriptor, &tensor_);
}

TensorDescriptorOwner::~TensorDescriptorOwner() {
  api_.miopenDestroyTensorDescriptor(tensor_);
}

void TensorDescriptorOwner::set(DataType dtype, const TensorShape& shape) {
  CONVOY_CALL(api_, miopenSetTensorDescriptor, tensor_, dtype, static_cast<int>(shape.sizes.size()), shape.sizes.data(),
              shape.strides.data());
}

void TensorDescriptorOwner::set_v2(DataType dtype, const TensorShape& shape) {
  if (api_.miopenSetTensorDescriptorV2 == nullptr) throw std::runtime_error("no miopenSetTensorDescriptorV2 here");
  const std::vector<std::size_t> sizes(shape.sizes.begin(), shape.sizes.end());
  const std::vector<std::size_t> strides(shape.strides.begin(), shape.strides.end());
  CONVOY_CALL(api_, miopenSetTensorDescriptorV2, tensor_, dtype, static_cast<int>(sizes.size()), sizes.data(),
              strides.data());
}

ConvolutionDescriptorOwner::ConvolutionDescriptorOwner(const Api& api) : api_(api) {
  CONVOY_CALL(api, miopenCreateConvolutionDescriptor, &convolution_);
}

ConvolutionDescriptorOwner::~ConvolutionDescriptorOwner() {
  api_.miopenDestroyConvolutionDescriptor(convolution_);
}

void ConvolutionDescriptorOwner::set(const Problem& problem, Mode mode) {
  const auto pad = problem.counted(problem.pad), stride = problem.counted(problem.stride);
  const auto dilation = problem.counted(problem.dilation);
  CONVOY_CALL(api_, miopenInitConvolutionNdDescriptor, convolution_, problem.rank, pad.data(), stride.data(),
              dilation.data(), mode);
  CONVOY_CALL(api_, miopenSetConvolutionGroupCount, convolution_, problem.groups);
}

ConvolutionCalls::Functions ConvolutionCalls::functions_of(const Api& api, Direction direction) {
#define CONVOY_NAMED(function) \
  { api.function, #function }
#define CONVOY_FUNCTIONS(name)                                                                                      \
  {                                                                                                                 \
    CONVOY_NAMED(miopenConvolution##name##GetWorkSpaceSize), CONVOY_NAMED(miopenFindConvolution##name##Algorithm),  \
        CONVOY_NAMED(miopenConvolution##name), CONVOY_NAMED(miopenConvolution##name##GetSolutionCount),             \
        CONVOY_NAMED(miopenConvolution##name##GetSolution), CONVOY_NAMED(miopenConvolution##name##CompileSolution), \
        CONVOY_NAMED(miopenConvolution##name##Immediate)                                                            \
  }
  switch (direction) {
    case Direction::forward: return CONVOY_FUNCTIONS(Forward);
    case Direction::backward_data: return CONVOY_FUNCTIONS(BackwardData);
    default: return CONVOY_FUNCTIONS(BackwardWeights);
  }
#undef CONVOY_FUNCTIONS
#undef CONVOY_NAMED
}

ConvolutionCalls::ConvolutionCalls(const Api& api, Handle handle, const Call& call, const Descriptors& descriptors)
    : api_(api),
      functions_(functions_of(api, call.direction)),
      handle_(handle),
      direction_(call.direction),
      convolution_(descriptors.convolution) {
  const Operand x{descriptors.x, call.x}, w{descriptors.w, call.w}, y{descriptors.y, call.y};
  first_ = direction_ == Direction::forward ? x : y;
  second_ = direction_ == Direction::backward_weights ? x : w;
  result_ = direction_ == Direction::forward ? y : direction_ == Direction::backward_data ? x : w;
}

Status ConvolutionCalls::workspace_size(std::size_t& bytes) const {
  return functions_.workspace_size.function(handle_, query_first().descriptor, query_second().descriptor, convolution_,
                                            result_.descriptor, &bytes);
}

std::size_t ConvolutionCalls::checked_workspace_size() const {
  std::size_t bytes = 0;
  check(api_, functions_.workspace_size.name, workspace_size(bytes));
  return bytes;
}

AlgorithmPerformance ConvolutionCalls::find(void* workspace, std::size_t bytes, bool exhaustive) const {
  int found = 0;
  AlgorithmPerformance best{};
  const auto& find = functions_.find;
  check(api_, find.name,
        find.function(handle_, first_.descriptor, first_.data, second_.descriptor, second_.data, convolution_,
                      result_.descriptor, result_.data, 1, &found, &best, workspace, bytes, exhaustive));
  return best;
}

void ConvolutionCalls::run(AlgorithmCode algorithm, void* workspace, std::size_t bytes) const {
  const auto& run = functions_.run;
  check(api_, run.name,
        run.function(handle_, &k_one, first_.descriptor, first_.data, second_.descriptor, second_.data, convolution_,
                     algorithm, &k_zero, result_.descriptor, result_.data, workspace, bytes));
}

std::size_t ConvolutionCalls::solution_count() const {
  std::size_t count = 0;
  const auto& query = functions_.solution_count;
  check(api_, query.name,
        query.function(handle_, query_first().descriptor, query_second().descriptor, convolution_, result_.descriptor,
                       &count));
  return count;
}

std::vector<ConvolutionSolution> ConvolutionCalls::solutions(std::size_t room) const {
  std::size_t count = 0;
  // Clients hand in an array even where there is no room.
  std::vector<ConvolutionSolution> solutions(std::max<std::size_t>(room, 1));
  const auto& query = functions_.solutions;
  check(api_, query.name,
        query.function(handle_, query_first().descriptor, query_second().descriptor, convolution_, result_.descriptor,
                       room, &count, solutions.data()));
  if (count > room)
    throw std::runtime_error(std::string(query.name) + " says that it wrote more than there was room for");
  solutions.resize(count);
  return solutions;
}

void ConvolutionCalls::best_solution(ConvolutionSolution& solution) const {
  std::size_t count = 0;
  const auto& query = functions_.solutions;
  check(api_, query.name,
        query.function(handle_, query_first().descriptor, query_second().descriptor, convolution_, result_.descriptor,
                       1, &count, &solution));
}

void ConvolutionCalls::compile(std::uint64_t solution) const {
  const auto& compile = functions_.compile;
  check(api_, compile.name,
        compile.function(handle_, query_first().descriptor, query_second().descriptor, convolution_, result_.descriptor,
                         solution));
}

void ConvolutionCalls::run_immediate(std::uint64_t solution, void* workspace, std::size_t bytes) const {
  const auto& run = functions_.run_immediate;
  check(api_, run.name,
        run.function(handle_, query_first().descriptor, query_first().data, query_second().descriptor,
                     query_second().data, convolution_, result_.descriptor, result_.data, workspace, bytes, solution));
}

}  // namespace convoy::client
