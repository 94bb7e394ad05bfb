// miopenConvolutionForwardBias and ...BackwardBias: the real library's, and where it fails (it has no bf16, and its kernels may not
// build for the card) the host's, in double: copied, computed, copied back.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "calls.h"

#define CONVOY_INTERPOSED extern "C" __attribute__((visibility("default")))

namespace convoy::miopen {
namespace {

float from_bits(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
std::uint32_t to_bits(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// IEEE 754 binary16, to nearest even.
double half_value(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 1023;
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}
std::uint16_t half_of(double value) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::fabs(value);
  if (std::isnan(value)) return 0x7E00;
  if (size >= 65520) return sign | 0x7C00;
  int exponent = 0;
  std::frexp(size, &exponent);
  const int unit = std::max(exponent - 11, -24);  // of the last place
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, -unit)));
  if (unit == -24) return static_cast<std::uint16_t>(sign | steps);
  return static_cast<std::uint16_t>(sign | (((unit + 25) << 10) + steps - 1024));
}

// A tensor's elements, wherever its strides put them.
class HostCopy {
 public:
  HostCopy(const RealLibrary& real, TensorDescriptor tensor) {
    std::size_t bytes = 0;
    ok_ =
        real.miopenGetTensorDescriptorSize(tensor, &dimensions_) == k_success && dimensions_ >= 2 &&
        dimensions_ <= k_max_dimensions &&
        real.miopenGetTensorDescriptor(tensor, &shape_.type, shape_.sizes.data(), shape_.strides.data()) == k_success &&
        real.miopenGetTensorNumBytes(tensor, &bytes) == k_success &&
        (shape_.type == k_float || shape_.type == k_half || shape_.type == k_bfloat16) && reaches(bytes);
    if (ok_) bytes_.resize(bytes);
  }

  bool is_sound() const { return ok_; }
  std::int64_t channels() const { return shape_.sizes[1]; }
  bool download(convoy_handle handle, const void* from, void* stream) {
    return engine()->convoy_download(handle, bytes_.data(), from, size(), stream) == CONVOY_SUCCESS;
  }
  bool upload(convoy_handle handle, void* to, void* stream) const {
    return engine()->convoy_upload(handle, to, bytes_.data(), size(), stream) == CONVOY_SUCCESS;
  }

  double get(std::size_t i) const {
    std::uint16_t two = 0;
    if (shape_.type != k_float) {
      std::memcpy(&two, &bytes_[2 * i], 2);
      return shape_.type == k_half ? half_value(two) : from_bits(std::uint32_t{two} << 16);
    }
    float four = 0;
    std::memcpy(&four, &bytes_[4 * i], 4);
    return four;
  }
  void set(std::size_t i, double value) {
    if (shape_.type == k_float) {
      const auto four = static_cast<float>(value);
      std::memcpy(&bytes_[4 * i], &four, 4);
      return;
    }
    const std::uint32_t bits = to_bits(static_cast<float>(value));
    const std::uint16_t two =
        shape_.type == k_half ? half_of(value) : static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    std::memcpy(&bytes_[2 * i], &two, 2);
  }

  // Calls visit(place, channel) for every element.
  template <typename Visit>
  void each(const Visit& visit) const {
    std::array<std::int64_t, k_max_dimensions> index{};
    for (;;) {
      std::size_t place = 0;
      for (int d = 0; d < dimensions_; ++d)
        place += static_cast<std::size_t>(index[at(d)] * std::int64_t{shape_.strides[at(d)]});
      visit(place, static_cast<std::size_t>(index[1]));
      int d = dimensions_ - 1;
      while (d >= 0 && ++index[at(d)] == shape_.sizes[at(d)]) index[at(d--)] = 0;
      if (d < 0) return;
    }
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  // All elements lie within `bytes`, and there are some.
  bool reaches(std::size_t bytes) const {
    std::int64_t last = 0;
    for (int d = 0; d < dimensions_; ++d) {
      if (shape_.sizes[at(d)] < 1 || shape_.strides[at(d)] < 0) return false;
      last += std::int64_t{shape_.sizes[at(d)] - 1} * shape_.strides[at(d)];
    }
    return static_cast<std::size_t>(last + 1) * (shape_.type == k_float ? 4 : 2) <= bytes;
  }
  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size()); }

  TensorShape shape_;
  int dimensions_ = 0;
  bool ok_ = false;
  std::vector<unsigned char> bytes_;
};

struct HostCall {
  convoy_handle handle = nullptr;
  Queue stream = nullptr;
};

bool begin(const RealLibrary& real, Handle handle, HostCall& call) {
  int device = 0;
  if (!real.is_complete || engine() == nullptr || real.is_capturing(handle) || real.hip_get_device(&device) != 0)
    return false;
  call.handle = engine_handle(device, false, real.file.c_str());
  return call.handle != nullptr && real.miopenGetStream(handle, &call.stream) == k_success;
}

// y += b
bool add_bias(const RealLibrary& real, Handle handle, TensorDescriptor b_tensor, const void* b,
              TensorDescriptor y_tensor, void* y) {
  HostCall call;
  HostCopy bias(real, b_tensor), output(real, y_tensor);
  if (!bias.is_sound() || !output.is_sound() || bias.channels() != output.channels() || !begin(real, handle, call) ||
      !bias.download(call.handle, b, call.stream) || !output.download(call.handle, y, call.stream))
    return false;
  std::vector<double> numbers(static_cast<std::size_t>(bias.channels()));
  bias.each([&](std::size_t place, std::size_t channel) { numbers[channel] = bias.get(place); });
  output.each([&](std::size_t place, std::size_t channel) { output.set(place, output.get(place) + numbers[channel]); });
  return output.upload(call.handle, y, call.stream);
}

// db = sum of dy
bool sum_bias(const RealLibrary& real, Handle handle, TensorDescriptor dy_tensor, const void* dy,
              TensorDescriptor db_tensor, void* db) {
  HostCall call;
  HostCopy gradient(real, dy_tensor), bias(real, db_tensor);
  if (!bias.is_sound() || !gradient.is_sound() || bias.channels() != gradient.channels() ||
      !begin(real, handle, call) || !gradient.download(call.handle, dy, call.stream) ||
      !bias.download(call.handle, db, call.stream))
    return false;
  std::vector<double> sums(static_cast<std::size_t>(bias.channels()));
  gradient.each([&](std::size_t place, std::size_t channel) { sums[channel] += gradient.get(place); });
  bias.each([&](std::size_t place, std::size_t channel) { bias.set(place, sums[channel]); });
  return bias.upload(call.handle, db, call.stream);
}

bool is_plain(const void* alpha, const void* beta) {
  return alpha != nullptr && beta != nullptr && *static_cast<const float*>(alpha) == 1 &&
         *static_cast<const float*>(beta) == 0;
}

}  // namespace

CONVOY_INTERPOSED Status miopenConvolutionForwardBias(Handle handle, const void* alpha, TensorDescriptor b_tensor,
                                                      const void* b, const void* beta, TensorDescriptor y_tensor,
                                                      void* y) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr || real->miopenConvolutionForwardBias == nullptr) return k_not_initialized;
    const Status status = real->miopenConvolutionForwardBias(handle, alpha, b_tensor, b, beta, y_tensor, y);
    if (status == k_success || !is_plain(alpha, beta)) return status;
    return add_bias(*real, handle, b_tensor, b, y_tensor, y) ? k_success : status;
  });
}

CONVOY_INTERPOSED Status miopenConvolutionBackwardBias(Handle handle, const void* alpha, TensorDescriptor dy_tensor,
                                                       const void* dy, const void* beta, TensorDescriptor db_tensor,
                                                       void* db) {
  return without_exceptions([&]() -> Status {
    const RealLibrary* real = real_library();
    if (real == nullptr || real->miopenConvolutionBackwardBias == nullptr) return k_not_initialized;
    const Status status = real->miopenConvolutionBackwardBias(handle, alpha, dy_tensor, dy, beta, db_tensor, db);
    if (status == k_success || !is_plain(alpha, beta)) return status;
    return sum_bias(*real, handle, dy_tensor, dy, db_tensor, db) ? k_success : status;
  });
}

}  // namespace convoy::miopen
