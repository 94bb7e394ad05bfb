// Implementation of miopen_handle.h.
#include "solvers/miopen_handle.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

namespace convoy {
namespace {

using Numbers = std::array<int, miopen::k_max_dimensions>;

miopen::DataType data_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16: return miopen::k_half;
    case Dtype::bf16: return miopen::k_bfloat16;
    default: return miopen::k_float;
  }
}

int spatial_rank(const Problem& problem) {
  return std::max(problem.rank, 2);
}

// `leading` numbers and those of the spatial dimensions; 1-D gets `height` between them.
template <typename Array>
Numbers with_height(const Array& numbers, int rank, int leading, int height) {
  Numbers result{};
  std::size_t at = 0;
  for (int i = 0; i < leading + rank; ++i) {
    if (rank == 1 && i == leading) result[at++] = height;
    result[at++] = static_cast<int>(numbers[static_cast<std::size_t>(i)]);
  }
  return result;
}

Result<void> create(const miopen::Functions& functions, miopen::DataType type, int dimensions,
                    const std::pair<Numbers, Numbers>& sizes_and_strides, miopen::TensorDescriptor& tensor) {
  CONVOY_CHECK(check_miopen("miopenCreateTensorDescriptor", functions.miopenCreateTensorDescriptor(&tensor)));
  const auto& [sizes, strides] = sizes_and_strides;
  return check_miopen("miopenSetTensorDescriptor",
                      functions.miopenSetTensorDescriptor(tensor, type, dimensions, sizes.data(), strides.data()));
}

}  // namespace

Result<std::shared_ptr<MiopenHandle>> MiopenHandle::of(const miopen::Functions& functions, const Device& device) {
  static std::mutex mutex;
  static std::map<const Device*, std::weak_ptr<MiopenHandle>> handles;
  const std::lock_guard lock(mutex);
  auto& slot = handles[&device];
  if (auto living = slot.lock()) return living;
  auto made = std::make_shared<MiopenHandle>(functions, device);
  miopen::Status status = miopen::k_success;
  device.with_current([&] { status = functions.miopenCreateWithStream(&made->handle_, nullptr); });
  CONVOY_CHECK(check_miopen("miopenCreateWithStream", status));
  slot = made;
  return made;
}

MiopenDescriptors::~MiopenDescriptors() {
  for (miopen::TensorDescriptor tensor : {x, w, y, bias}) {
    if (tensor != nullptr) functions_.miopenDestroyTensorDescriptor(tensor);
  }
  if (convolution != nullptr) functions_.miopenDestroyConvolutionDescriptor(convolution);
}

Result<void> MiopenDescriptors::create(const Problem& problem, bool deterministic) {
  CONVOY_CHECK(create_tensor(problem, TensorRole::x, x));
  CONVOY_CHECK(create_tensor(problem, TensorRole::w, w));
  CONVOY_CHECK(create_tensor(problem, TensorRole::y, y));
  CONVOY_CHECK(create_bias(problem));
  return create_convolution(problem, deterministic);
}

Result<void> MiopenDescriptors::create_tensor(const Problem& problem, TensorRole role,
                                              miopen::TensorDescriptor& tensor) {
  const Dims sizes = problem.dims(role), strides = problem.strides(role);
  // The stride of a height of 1 is that of a whole row.
  const std::int64_t row = std::min<std::int64_t>(strides[2] * sizes[2], std::numeric_limits<int>::max());
  return convoy::create(
      functions_, data_type(problem.dtype), 2 + spatial_rank(problem),
      {with_height(sizes, problem.rank, 2, 1), with_height(strides, problem.rank, 2, static_cast<int>(row))}, tensor);
}

Result<void> MiopenDescriptors::create_bias(const Problem& problem) {
  if (problem.direction == Direction::backward_weights) return {};
  Numbers sizes{1, 1, 1, 1, 1}, strides{1, 1, 1, 1, 1};
  sizes[1] = static_cast<int>(problem.direction == Direction::forward ? problem.k : problem.c);
  strides[0] = sizes[1];
  return convoy::create(functions_, data_type(problem.dtype), 2 + spatial_rank(problem), {sizes, strides}, bias);
}

Result<void> MiopenDescriptors::create_convolution(const Problem& problem, bool deterministic) {
  CONVOY_CHECK(
      check_miopen("miopenCreateConvolutionDescriptor", functions_.miopenCreateConvolutionDescriptor(&convolution)));
  const Numbers pads = with_height(problem.pad, problem.rank, 0, 0);
  const Numbers strides = with_height(problem.stride, problem.rank, 0, 1);
  const Numbers dilations = with_height(problem.dilation, problem.rank, 0, 1);
  CONVOY_CHECK(check_miopen(
      "miopenInitConvolutionNdDescriptor",
      functions_.miopenInitConvolutionNdDescriptor(convolution, spatial_rank(problem), pads.data(), strides.data(),
                                                   dilations.data(), miopen::k_convolution)));
  CONVOY_CHECK(check_miopen("miopenSetConvolutionGroupCount",
                            functions_.miopenSetConvolutionGroupCount(convolution, static_cast<int>(problem.groups))));
  if (!deterministic) return {};
  return check_miopen("miopenSetConvolutionAttribute",
                      functions_.miopenSetConvolutionAttribute(convolution, miopen::k_deterministic, 1));
}

}  // namespace convoy
