// Implementation of numbers.h.
#include "solvers/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "solvers/element.h"
#include "solvers/reference_point.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Steele, Lea and Flood's SplitMix64 finalizer (OOPSLA 2014): a counter in, 64 good bits out.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

double unit_roundoff(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return 0x1p-24;
    case Dtype::f16: return 0x1p-11;
    case Dtype::bf16: return 0x1p-8;
    case Dtype::f64: return 0x1p-53;
    case Dtype::i8:
    case Dtype::i32: return 0;
  }
  return 0;
}

// bf16 reaches as far as float; integers are exact in any case.
double largest_finite(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
    case Dtype::bf16: return std::numeric_limits<float>::max();
    case Dtype::f16: return 65504 * 1024.0;  // accumulated in float: only the result itself must fit
    default: return std::numeric_limits<double>::max();
  }
}

// Errors below it are no errors of the sum: half the distance between numbers next to zero, and what arithmetic that takes
// denormal numbers for zero loses of each product.
double smallest_error(const Problem& problem) {
  const double products = static_cast<double>(problem.reduction_length()) + 1;
  switch (problem.dtype_of(problem.output_role())) {
    case Dtype::f16: return 0x1p-25 + products * 0x1p-126;
    case Dtype::f32:
    case Dtype::bf16: return products * 0x1p-126;
    default: return products * 0x1p-1022;
  }
}

// The value that a perfect solver would store.
double rounded_to(Dtype dtype, double value) {
  std::int64_t cell = 0;
  store_element(&cell, dtype, 0, value);
  return load_element(&cell, dtype, 0);
}

double size_of(const PointValue& point) {
  return std::max(std::abs(point.value - point.bias), std::sqrt(point.square_sum));
}

// `size` and `floor`: of the element, and of errors that are none.
double error_of(double got, double want, double size, double floor, Dtype dtype) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  if (!std::isfinite(got) || !std::isfinite(want)) {
    return got == rounded_to(dtype, want) ? 0 : std::numeric_limits<double>::infinity();
  }
  const double difference = std::max(0.0, std::abs(got - want) - floor);
  if (difference == 0) return 0;
  return difference / std::max(std::abs(want), size);
}

void note(NumbersCheck& check, std::int64_t index, double got, double want, double error) {
  ++check.compared;
  if (error <= check.error) return;
  check.error = error;
  if (error <= check.tolerance) return;
  check.passed = false;
  check.reason = fmt::format("element {} is {:.9g} where {:.9g} belongs (error {:.2g}, tolerance {:.2g})", index, got,
                             want, error, check.tolerance);
}

// First, last, and pseudo-random elements between.
std::vector<std::int64_t> sample_indices(std::int64_t elements, std::int64_t samples, std::uint64_t seed) {
  std::vector<std::int64_t> indices;
  if (elements <= samples) {
    for (std::int64_t i = 0; i < elements; ++i) indices.push_back(i);
    return indices;
  }
  indices = {0, elements - 1};
  for (std::int64_t i = 2; i < samples; ++i) {
    indices.push_back(
        static_cast<std::int64_t>(mix(seed + static_cast<std::uint64_t>(i)) % static_cast<std::uint64_t>(elements)));
  }
  return indices;
}

// The logical index of a tensor's element at a memory offset; nothing for the gaps that strides leave.
std::optional<std::int64_t> logical_index(const Problem& problem, TensorRole role, std::int64_t offset) {
  const Dims sizes = problem.dims(role), strides = problem.strides(role);
  const auto rank = static_cast<std::size_t>(2 + problem.rank);
  std::vector<std::size_t> order(rank);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return strides[a] > strides[b]; });
  Dims position{};
  for (const std::size_t dim : order) {
    if (sizes[dim] == 1) continue;
    position[dim] = offset / strides[dim];
    if (position[dim] >= sizes[dim]) return std::nullopt;
    offset -= position[dim] * strides[dim];
  }
  if (offset != 0) return std::nullopt;
  std::int64_t index = 0;
  for (std::size_t dim = 0; dim < rank; ++dim) index = index * sizes[dim] + position[dim];
  return index;
}

// Logical indices of the first few output elements whose exponent is all ones: NaN or infinity. Gaps that strides leave may
// hold anything.
constexpr std::size_t k_suspects = 8;

template <typename Bits>
std::vector<std::int64_t> non_finite_indices(const Problem& problem, TensorRole role, const void* data, Bits exponent) {
  const auto* elements = static_cast<const Bits*>(data);
  std::vector<std::int64_t> found;
  std::mutex mutex;
  parallel_for(problem.span(role), 1 << 18, 0, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t offset = begin; offset < end; ++offset) {
      if ((elements[offset] & exponent) != exponent) continue;
      const auto index = logical_index(problem, role, offset);
      if (!index) continue;
      const std::lock_guard lock(mutex);
      if (found.size() >= k_suspects) return;
      found.push_back(*index);
    }
  });
  return found;
}

std::vector<std::int64_t> non_finite_indices(const Problem& problem, TensorRole role, const void* data) {
  switch (problem.dtype_of(role)) {
    case Dtype::f32: return non_finite_indices<std::uint32_t>(problem, role, data, 0x7f800000U);
    case Dtype::f16: return non_finite_indices<std::uint16_t>(problem, role, data, 0x7c00U);
    case Dtype::bf16: return non_finite_indices<std::uint16_t>(problem, role, data, 0x7f80U);
    case Dtype::f64: return non_finite_indices<std::uint64_t>(problem, role, data, 0x7ff0000000000000ULL);
    case Dtype::i8:
    case Dtype::i32: return {};
  }
  return {};
}

// Elements to compare: a sample, and the first few that are not finite. (Where infinity is the right answer they pass.)
std::vector<std::int64_t> indices_to_check(const Problem& problem, const void* output, std::int64_t samples,
                                           std::uint64_t seed) {
  auto indices = sample_indices(problem.elements(problem.output_role()), samples, seed);
  const auto suspects = non_finite_indices(problem, problem.output_role(), output);
  indices.insert(indices.end(), suspects.begin(), suspects.end());
  return indices;
}

const void* data_of(TensorRole role, const Tensors& tensors) {
  switch (role) {
    case TensorRole::x: return tensors.x;
    case TensorRole::w: return tensors.w;
    case TensorRole::y: break;
  }
  return tensors.y;
}

// No verdict on data that cannot tell.
void excuse(NumbersCheck& check, const Problem& problem, const Tensors& tensors) {
  if (check.passed) return;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    if (role == problem.output_role() || non_finite_indices(problem, role, data_of(role, tensors)).empty()) continue;
    check.passed = true;
    check.telling = false;
    check.reason.clear();
    return;
  }
}

// Root mean square of the finite sizes.
double mean_size(std::span<const PointValue> points) {
  double square_sum = 0, count = 0;
  for (const PointValue& point : points) {
    const double size = size_of(point);
    if (!std::isfinite(size)) continue;
    square_sum += size * size;
    ++count;
  }
  return count == 0 ? 0 : std::sqrt(square_sum / count);
}

}  // namespace

double tolerance_of(const Problem& problem) {
  const Dtype output = problem.dtype_of(problem.output_role());
  if (output == Dtype::i32) return 0;
  const double sum = problem.dtype == Dtype::f64 ? 0x1p-53 : 0x1p-24;
  return 2 * unit_roundoff(output) + (16 + 8 * std::sqrt(static_cast<double>(problem.reduction_length()))) * sum;
}

void fill_random(void* data, Dtype dtype, std::int64_t count, std::uint64_t seed, int threads) {
  const std::uint64_t start = mix(seed);
  parallel_for(count, 1 << 16, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint64_t bits = mix(start + static_cast<std::uint64_t>(i));
      if (dtype == Dtype::i8) {
        const auto value = static_cast<std::int64_t>(bits % 254);  // -127..127 without 0
        store_element(data, dtype, i, static_cast<double>(value < 127 ? value - 127 : value - 126));
        continue;
      }
      const double magnitude = 0.125 + 0.875 * static_cast<double>(bits >> 11) * 0x1p-53;
      store_element(data, dtype, i, (bits & 1) != 0 ? magnitude : -magnitude);
    }
  });
}

void* output_of(const Problem& problem, const Tensors& tensors) {
  const TensorRole role = problem.output_role();
  return role == TensorRole::x ? tensors.x : role == TensorRole::w ? tensors.w : tensors.y;
}

Result<void> poison_output(const Problem& problem, Device& device, const Tensors& tensors) {
  const TensorRole role = problem.output_role();
  void* output = output_of(problem, tensors);
  const std::int64_t elements = problem.elements(role);
  if (elements == 0) return {};
  if (problem.span(role) == elements) return device.fill(output, 0xff, problem.bytes(role), tensors.stream);
  if (!device.host_accessible()) {
    const auto host = make_cpu_device();
    CONVOY_TRY(const DeviceBuffer copy, host->allocate(problem.bytes(role)));
    CONVOY_CHECK(device.download(copy.data(), output, problem.bytes(role), tensors.stream));
    CONVOY_CHECK(poison_output(problem, *host, {copy.data(), copy.data(), copy.data()}));
    return device.upload(output, copy.data(), problem.bytes(role), tensors.stream);
  }
  const Geometry geometry = geometry_of(problem);
  const std::int64_t size = size_of(geometry.output_dtype);
  parallel_for(elements, 1 << 14, 0, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      fill_poison(static_cast<char*>(output) + output_offset(geometry, i) * size, size);
  });
  return {};
}

namespace {

Result<void> fill_tensor(const Problem& problem, TensorRole role, Device& device, void* data, std::uint64_t seed,
                         int threads) {
  if (role == problem.output_role()) return device.fill(data, 0xff, problem.bytes(role), nullptr);
  if (device.host_accessible()) {
    fill_random(data, problem.dtype_of(role), problem.span(role), seed, threads);
    return {};
  }
  const auto host = make_cpu_device();
  CONVOY_TRY(const DeviceBuffer copy, host->allocate(problem.bytes(role)));
  CONVOY_CHECK(fill_tensor(problem, role, *host, copy.data(), seed, threads));
  return device.upload(data, copy.data(), problem.bytes(role), nullptr);
}

}  // namespace

Result<RandomTensors> make_random_tensors(const Problem& problem, Device& device, std::uint64_t seed, int threads) {
  RandomTensors made;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    auto& buffer = made.buffers[static_cast<std::size_t>(role)];
    CONVOY_TRY(buffer, device.allocate(problem.bytes(role)));
    if (problem.bytes(role) == 0) continue;
    CONVOY_CHECK(fill_tensor(problem, role, device, buffer.data(), seed + static_cast<std::uint64_t>(role), threads));
  }
  made.tensors = {made.buffers[0].data(), made.buffers[1].data(), made.buffers[2].data()};
  return made;
}

void fill_poison(void* data, std::int64_t bytes) {
  std::memset(data, 0xff, static_cast<std::size_t>(bytes));
}

NumbersCheck check_sampled(const Problem& problem, const Tensors& tensors, int samples, std::uint64_t seed,
                           const Leniency& leniency) {
  constexpr std::int64_t k_products = 1'000'000'000;
  NumbersCheck check;
  check.tolerance = tolerance_of(problem) + leniency.allowance;
  const Geometry geometry = geometry_of(problem);
  const Dtype dtype = geometry.output_dtype;
  const std::int64_t affordable =
      std::max<std::int64_t>(8, k_products / std::max<std::int64_t>(1, problem.reduction_length()));
  const void* output = output_of(problem, tensors);
  const auto indices = indices_to_check(problem, output, std::min<std::int64_t>(samples, affordable), seed);
  std::vector<PointValue> points(indices.size());
  const auto grain = std::max<std::int64_t>(1, (1 << 18) / std::max<std::int64_t>(1, problem.reduction_length()));
  parallel_for(static_cast<std::int64_t>(indices.size()), grain, 0, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      points[i] = reference_point(geometry, tensors, indices[i]);
  });
  const double least_size = leniency.common_size ? mean_size(points) : 0;
  const double floor = smallest_error(problem);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const double got = load_element(output, dtype, output_offset(geometry, indices[i]));
    const double value = problem.dtype == Dtype::i8 ? rounded_to(dtype, points[i].value) : points[i].value;
    const double size = std::max(size_of(points[i]), least_size);
    // Partial sums, and the transforms of Winograd, may exceed what the sum comes to: no verdict on such data.
    if (std::isfinite(value) && std::max(size, std::abs(value)) > largest_finite(dtype) / 1024) continue;
    note(check, indices[i], got, value, error_of(got, value, size, floor, dtype));
    check.telling = check.telling || size_of(points[i]) > 0;
  }
  excuse(check, problem, tensors);
  return check;
}

NumbersCheck check_full(const Problem& problem, const Tensors& tensors, const void* expected,
                        const Leniency& leniency) {
  NumbersCheck check;
  check.tolerance = tolerance_of(problem) + leniency.allowance;
  const Geometry geometry = geometry_of(problem);
  const Dtype dtype = geometry.output_dtype;
  const std::int64_t elements = problem.elements(problem.output_role());
  // One size for all: the mean of some elements'. (Each element's own would cost a convolution.)
  std::vector<PointValue> points;
  for (const std::int64_t index : sample_indices(elements, 64, 1))
    points.push_back(reference_point(geometry, tensors, index));
  const double size = mean_size(points), floor = smallest_error(problem);
  check.telling = size > 0;
  const void* output = output_of(problem, tensors);
  std::mutex mutex;
  parallel_for(elements, 1 << 16, 0, [&](std::int64_t begin, std::int64_t end) {
    NumbersCheck part = check;
    for (std::int64_t index = begin; index < end; ++index) {
      const std::int64_t offset = output_offset(geometry, index);
      const double got = load_element(output, dtype, offset);
      const double want = load_element(expected, dtype, offset);
      // Both are rounded to the output's type here, hence the second rounding in the tolerance.
      note(part, index, got, want, error_of(got, want, size, floor, dtype));
    }
    const std::lock_guard lock(mutex);
    check.compared += part.compared;
    if (part.error > check.error || !part.passed) {
      check.error = std::max(check.error, part.error);
      check.passed = check.passed && part.passed;
      if (!part.passed) check.reason = part.reason;
    }
  });
  excuse(check, problem, tensors);
  return check;
}

}  // namespace convoy
