// For tests of the C interface: tensors, a convolution as a plain loop that shares nothing with the library, and a fixture
// whose handles read and write nothing outside the test's own folder.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "convoy/convoy.hpp"

namespace convoy {

inline const char* const k_problem = "fwd:f32:nchw:n2c16h9w7:k8r3s2:pad1x0:stride2x1:dil1x2:g2";

// --- elements -------------------------------------------------------------------------------------------------------

// Halves are written for the values that occur here: zero or normal, exact.
inline std::uint16_t half_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (value == 0) return 0;
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | (((bits >> 23 & 0xffU) - 112U) << 10) |
                                    (bits >> 13 & 0x3ffU));
}

inline double from_half(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  const double size = exponent == 31  ? std::nan("")
                      : exponent == 0 ? std::ldexp(mantissa, -24)
                                      : std::ldexp(mantissa + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -size : size;
}

template <typename T>
void put(std::uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
template <typename T>
T get(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::int64_t size_of(convoy_dtype dtype) {
  constexpr std::array<std::int64_t, 6> k_sizes{4, 2, 2, 8, 1, 4};
  return k_sizes[dtype];
}

inline void store(std::uint8_t* to, convoy_dtype dtype, double value) {
  switch (dtype) {
    case CONVOY_F32:
      return put(to, static_cast<float>(value));
    case CONVOY_F16:
      return put(to, half_of(static_cast<float>(value)));
    case CONVOY_BF16: {
      std::uint32_t bits = 0;
      const auto single = static_cast<float>(value);
      std::memcpy(&bits, &single, sizeof bits);
      return put(to, static_cast<std::uint16_t>(bits >> 16));
    }
    case CONVOY_F64:
      return put(to, value);
    case CONVOY_I8:
      return put(to, static_cast<std::int8_t>(value));
    case CONVOY_I32:
      return put(to, static_cast<std::int32_t>(value));
  }
}

inline double load(const std::uint8_t* from, convoy_dtype dtype) {
  switch (dtype) {
    case CONVOY_F32:
      return get<float>(from);
    case CONVOY_F16:
      return from_half(get<std::uint16_t>(from));
    case CONVOY_BF16: {
      const std::uint32_t bits = std::uint32_t{get<std::uint16_t>(from)} << 16;
      float single = 0;
      std::memcpy(&single, &bits, sizeof single);
      return single;
    }
    case CONVOY_F64:
      return get<double>(from);
    case CONVOY_I8:
      return get<std::int8_t>(from);
    case CONVOY_I32:
      return get<std::int32_t>(from);
  }
  return 0;
}

// --- tensors and the loop -------------------------------------------------------------------------------------------

// A packed 2-D tensor: values in the order of its logical sizes, bytes as the library sees them.
struct Tensor {
  Tensor(const Problem& problem, convoy_tensor which, convoy_dtype type, convoy_layout order)
      : sizes(problem.sizes(which)), dtype(type), layout(order) {
    values.resize(static_cast<std::size_t>(sizes[0] * sizes[1] * sizes[2] * sizes[3]));
    bytes.assign(values.size() * static_cast<std::size_t>(size_of(dtype)), 0xff);
    EXPECT_EQ(static_cast<std::int64_t>(bytes.size()), problem.bytes(which));
  }

  double& at(std::int64_t a, std::int64_t b, std::int64_t h, std::int64_t w) {
    return values[static_cast<std::size_t>(((a * sizes[1] + b) * sizes[2] + h) * sizes[3] + w)];
  }
  std::uint8_t* place(std::size_t index) {
    auto i = static_cast<std::int64_t>(index);
    if (layout == CONVOY_CHANNELS_LAST) {
      const std::int64_t area = sizes[2] * sizes[3];
      i = i / (sizes[1] * area) * (sizes[1] * area) + i % area * sizes[1] + i / area % sizes[1];
    }
    return bytes.data() + i * size_of(dtype);
  }
  // Quarters in [-2, 2] without zero, whole numbers for int8: exact in every type, and so are their products.
  void fill(std::uint32_t seed) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      seed = seed * 1664525U + 1013904223U;
      const int number = static_cast<int>(seed >> 24 & 15U) - 8;
      values[i] = (number >= 0 ? number + 1 : number) * (dtype == CONVOY_I8 ? 1 : 0.25);
      store(place(i), dtype, values[i]);
    }
  }

  std::array<std::int64_t, 5> sizes;
  convoy_dtype dtype;
  convoy_layout layout;
  std::vector<double> values;
  std::vector<std::uint8_t> bytes;
};

struct Case {
  explicit Case(const convoy_problem_desc& d)
      : desc(d),
        problem(d),
        x(problem, CONVOY_X, d.dtype, d.layout),
        w(problem, CONVOY_W, d.dtype, d.layout),
        y(problem, CONVOY_Y, d.dtype == CONVOY_I8 ? CONVOY_I32 : d.dtype, d.layout) {
    Tensor* const tensors[] = {&x, &w, &y};
    for (Tensor* tensor : tensors) {
      if (tensor != &output()) tensor->fill(static_cast<std::uint32_t>(7 + tensor->sizes[1]));
    }
    compute();
  }

  Tensor& output() { return desc.direction == CONVOY_FORWARD ? y : desc.direction == CONVOY_BACKWARD_DATA ? x : w; }

  // Every product of the convolution once, added to whichever tensor is the output.
  void compute() {
    const std::int64_t group_c = desc.c / desc.groups, group_k = desc.k / desc.groups;
    for (std::int64_t n = 0; n < desc.n; ++n) {
      for (std::int64_t k = 0; k < desc.k; ++k) {
        for (std::int64_t c = 0; c < group_c; ++c) add_plane(n, k, c, k / group_k * group_c + c);
      }
    }
  }
  void add_plane(std::int64_t n, std::int64_t k, std::int64_t c, std::int64_t in_c) {
    for (std::int64_t p = 0; p < y.sizes[2]; ++p) {
      for (std::int64_t q = 0; q < y.sizes[3]; ++q) {
        for (std::int64_t r = 0; r < desc.filter[0]; ++r) {
          for (std::int64_t s = 0; s < desc.filter[1]; ++s) {
            const std::int64_t h = p * desc.stride[0] + r * desc.dilation[0] - desc.pad[0];
            const std::int64_t v = q * desc.stride[1] + s * desc.dilation[1] - desc.pad[1];
            if (h < 0 || h >= desc.in[0] || v < 0 || v >= desc.in[1]) continue;
            if (desc.direction == CONVOY_FORWARD) y.at(n, k, p, q) += x.at(n, in_c, h, v) * w.at(k, c, r, s);
            if (desc.direction == CONVOY_BACKWARD_DATA) x.at(n, in_c, h, v) += y.at(n, k, p, q) * w.at(k, c, r, s);
            if (desc.direction == CONVOY_BACKWARD_WEIGHTS) w.at(k, c, r, s) += y.at(n, k, p, q) * x.at(n, in_c, h, v);
          }
        }
      }
    }
  }

  // Elements of the output that are not what the loop says; the sums are exact, so only the output's rounding is allowed.
  int wrong(const std::vector<std::uint8_t>& bytes) {
    Tensor& out = output();
    const double relative = out.dtype == CONVOY_BF16 ? 0x1p-8 : out.dtype == CONVOY_F16 ? 0x1p-10 : 1e-5;
    int count = 0;
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      const double got = load(bytes.data() + (out.place(i) - out.bytes.data()), out.dtype);
      const double allowed = out.dtype == CONVOY_I32 ? 0 : relative * (1 + std::fabs(out.values[i]));
      if (!(std::fabs(got - out.values[i]) <= allowed)) ++count;
    }
    return count;
  }
  int wrong() { return wrong(output().bytes); }

  convoy_status run(convoy_plan plan) {
    return convoy_run(plan, x.bytes.data(), w.bytes.data(), y.bytes.data(), nullptr, 0);
  }

  convoy_problem_desc desc;
  Problem problem;
  Tensor x, w, y;
};

inline convoy_problem_desc small_desc() {
  convoy_problem_desc desc = convoy_problem_desc_default();
  desc.n = desc.groups = 2;
  desc.c = 16;  // enough channels in a group for oneDNN to take it
  desc.k = 8;
  desc.in[0] = 9;
  desc.in[1] = 7;
  desc.filter[0] = 3;
  desc.filter[1] = 2;
  desc.pad[0] = 1;
  desc.stride[0] = 2;
  desc.dilation[1] = 2;
  return desc;
}

class Api : public testing::Test {
 protected:
  // Nothing outside this test's own folder is read or written.
  std::vector<std::string> settings(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"cache_dir=" + folder_.path(), "system_cache_dirs=", "fault=", "strategy=auto",
                                 "probe=" CONVOY_PROGRAM};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Handle handle(const std::vector<std::string>& more = {}) const { return Handle("cpu", settings(more)); }

  TestFolder folder_;
};

inline void expect_error(convoy_status status, convoy_status expected, const std::string& part) {
  EXPECT_EQ(status, expected) << convoy_last_error();
  EXPECT_NE(std::string(convoy_last_error()).find(part), std::string::npos)
      << "'" << convoy_last_error() << "' lacks '" << part << "'";
}

}  // namespace convoy
