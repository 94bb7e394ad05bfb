// Implementation of request.h.
#include "request.h"

#include <cstring>
#include <utility>

namespace convoy::miopen {
namespace {

constexpr std::int64_t bytes_of(DataType type) {
  return type == k_float ? 4 : 2;
}

// Newer libraries hold 64-bit sizes and strides, which the getter cuts to int: the span tells.
bool is_whole(const RealLibrary& real, TensorDescriptor descriptor, int dimensions, const TensorShape& shape) {
  std::int64_t last = 0;
  for (int i = 0; i < dimensions; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (shape.sizes[at] < 0 || shape.strides[at] < 0) return false;
    if (shape.sizes[at] == 0) return true;
    last += std::int64_t{shape.sizes[at] - 1} * shape.strides[at];
  }
  std::size_t bytes = 0;
  return real.miopenGetTensorNumBytes(descriptor, &bytes) == k_success &&
         bytes == static_cast<std::size_t>((last + 1) * bytes_of(shape.type));
}

bool read_tensor(const RealLibrary& real, TensorDescriptor descriptor, int dimensions, TensorShape& shape) {
  int actual = 0;
  return descriptor != nullptr && real.miopenGetTensorDescriptorSize(descriptor, &actual) == k_success &&
         actual == dimensions &&
         real.miopenGetTensorDescriptor(descriptor, &shape.type, shape.sizes.data(), shape.strides.data()) ==
             k_success &&
         is_whole(real, descriptor, dimensions, shape);
}

bool is_served_type(DataType type) {
  return type == k_float || type == k_half || type == k_bfloat16;
}

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

bool output_follows(const Request& r) {
  for (int i = 0; i < r.rank; ++i) {
    const std::int64_t reach = std::int64_t{r.dilations[at(i)]} * (r.w.sizes[at(i + 2)] - 1) + 1;
    const std::int64_t padded = std::int64_t{r.x.sizes[at(i + 2)]} + 2 * std::int64_t{r.pads[at(i)]};
    if (padded < reach || (padded - reach) / r.strides[at(i)] + 1 != r.y.sizes[at(i + 2)]) return false;
  }
  return true;
}

bool is_sound(const Request& r) {
  for (int i = 0; i < r.rank; ++i) {
    if (r.strides[at(i)] < 1 || r.dilations[at(i)] < 1 || r.pads[at(i)] < 0) return false;
  }
  for (int i = 1; i < r.rank + 2; ++i) {
    if (r.x.sizes[at(i)] < 1 || r.w.sizes[at(i)] < 1 || r.y.sizes[at(i)] < 1) return false;
  }
  return r.x.sizes[0] >= 0 && r.w.sizes[0] >= 1 && r.x.sizes[0] == r.y.sizes[0] && r.y.sizes[1] == r.w.sizes[0] &&
         r.x.sizes[1] % r.w.sizes[1] == 0 && output_follows(r);
}

// A dimension of size 1 has no stride.
bool is_packed(const TensorShape& t, int rank, bool channels_last) {
  std::int64_t expected = 1;
  const auto fits = [&](int i) {
    const bool right = t.sizes[at(i)] == 1 || t.strides[at(i)] == expected;
    expected *= t.sizes[at(i)];
    return right;
  };
  if (channels_last && !fits(1)) return false;
  for (int i = rank + 1; i >= 2; --i) {
    if (!fits(i)) return false;
  }
  return (channels_last || fits(1)) && fits(0);
}

void append(std::string& text, const char* letters, const std::int32_t* numbers, int count, const char* between = "") {
  for (int i = 0; i < count; ++i) {
    if (letters[i] != '\0' && letters[i] != ' ') text += letters[i];
    if (i > 0) text += between;
    text += std::to_string(numbers[i]);
  }
}

void append_spatial(std::string& text, const char* name, const std::array<std::int32_t, 3>& numbers, int rank) {
  text += name;
  append(text, "   ", numbers.data(), rank, "x");
}

}  // namespace

std::size_t RequestHash::operator()(const Request& request) const noexcept {
  std::uint64_t words[sizeof(Request) / sizeof(std::uint64_t) + 1]{};
  std::memcpy(words, &request, sizeof request);
  std::uint64_t hash = 0x9E3779B97F4A7C15U;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDU;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

std::optional<ReadRequest> read_request(const RealLibrary& real, const CallDescriptors& call) {
  ReadRequest result;
  Request& r = result.request;
  int dimensions = 0, rank = 0;
  Mode mode = k_convolution;
  if (call.convolution == nullptr || call.x == nullptr ||
      real.miopenGetTensorDescriptorSize(call.x, &dimensions) != k_success || dimensions < 4 || dimensions > 5)
    return std::nullopt;
  if (!read_tensor(real, call.x, dimensions, r.x) || !read_tensor(real, call.w, dimensions, r.w) ||
      !read_tensor(real, call.y, dimensions, r.y))
    return std::nullopt;
  // Asked for no more numbers than it has: what the library does then is not documented.
  r.rank = dimensions - 2;
  if (real.miopenGetConvolutionNdDescriptor(call.convolution, r.rank, &rank, r.pads.data(), r.strides.data(),
                                            r.dilations.data(), &mode) != k_success ||
      rank != r.rank)
    return std::nullopt;
  r.direction = call.direction;
  if (mode == k_transpose) {
    std::swap(r.x, r.y);
    result.swapped = true;
    if (call.direction == Direction::forward) r.direction = Direction::backward_data;
    if (call.direction == Direction::backward_data) r.direction = Direction::forward;
  }
  if (real.miopenGetConvolutionAttribute(call.convolution, k_deterministic, &r.deterministic) != k_success)
    r.deterministic = 0;  // before 2.18
  // The library refuses a filter that does not fit the group count that it was told; before 3.0 nobody can ask.
  int groups = 0;
  const bool knows_groups = real.miopenGetConvolutionGroupCount != nullptr &&
                            real.miopenGetConvolutionGroupCount(call.convolution, &groups) == k_success;
  if (knows_groups && (r.w.sizes[1] < 1 || std::int64_t{r.w.sizes[1]} * groups != r.x.sizes[1])) return std::nullopt;
  const bool one_type = r.x.type == r.w.type && r.w.type == r.y.type && is_served_type(r.x.type);
  if (!one_type || !is_sound(r) || real.hip_get_device(&r.device) != 0) return std::nullopt;
  return result;
}

std::string problem_string(const Request& r) {
  constexpr std::array<const char*, 3> k_directions{"fwd:", "bwd:", "wrw:"};
  const bool last = !is_packed(r.x, r.rank, false) && is_packed(r.x, r.rank, true);
  std::string text = k_directions[static_cast<std::size_t>(r.direction)];
  text += r.x.type == k_float ? "f32:" : r.x.type == k_half ? "f16:" : "bf16:";
  text += r.rank == 2 ? (last ? "nhwc:" : "nchw:") : (last ? "ndhwc:" : "ncdhw:");
  append(text, r.rank == 2 ? "nchw" : "ncdhw", r.x.sizes.data(), r.rank + 2);
  text += ":k" + std::to_string(r.w.sizes[0]);
  append(text, r.rank == 2 ? "rs" : "trs", r.w.sizes.data() + 2, r.rank);
  append_spatial(text, ":pad", r.pads, r.rank);
  append_spatial(text, ":stride", r.strides, r.rank);
  append_spatial(text, ":dil", r.dilations, r.rank);
  text += ":g" + std::to_string(r.x.sizes[1] / r.w.sizes[1]);
  const std::pair<const char*, const TensorShape*> tensors[] = {{":xs", &r.x}, {":ws", &r.w}, {":ys", &r.y}};
  for (const auto& [name, shape] : tensors) {
    if (is_packed(*shape, r.rank, last)) continue;
    text += name;
    append(text, "     ", shape->strides.data(), r.rank + 2, "x");
  }
  return text;
}

}  // namespace convoy::miopen
