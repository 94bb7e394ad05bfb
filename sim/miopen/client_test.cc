// See client_test.h.
#include "sim/miopen/client_test.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

namespace convoy::miopen {
namespace {

constexpr std::size_t k_workspace_bytes = 1 << 20;

// One card, and a cache of kernels that goes with the tests. Children inherit both.
class Machine : public testing::Environment {
 public:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "convoy_sim_miopen_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setenv("MIOPEN_CUSTOM_CACHE_DIR", folder_.c_str(), 1);
    setenv("CONVOY_SIM_DEVICES", "gfx1010", 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

 private:
  std::filesystem::path folder_;
};

const auto* const g_machine = testing::AddGlobalTestEnvironment(new Machine);

// Sizes 1 between channels and space, up to three spatial dimensions.
std::vector<int> five(const std::vector<int>& sizes) {
  std::vector<int> all(sizes.begin(), sizes.begin() + 2);
  all.insert(all.end(), 5 - sizes.size(), 1);
  all.insert(all.end(), sizes.begin() + 2, sizes.end());
  return all;
}

std::vector<int> three(std::vector<int> values, int missing) {
  values.insert(values.begin(), 3 - values.size(), missing);
  return values;
}

struct Reference {
  std::vector<double> sums, sizes;  // of the products, and of their absolute values
};

// Every product of the convolution once, in the terms of a plain one: y = convolution(x, w).
struct Products {
  std::vector<int> x, w, y, pads, strides, dilations;
  int groups;

  template <typename Body>
  void for_each(const Body& body) const {
    for (int n = 0; n < y[0]; ++n) {
      for (int k = 0; k < w[0]; ++k) {
        for (int c = 0; c < w[1]; ++c) for_space(n, k, c, body);
      }
    }
  }

 private:
  template <typename Body>
  void for_space(int n, int k, int c, const Body& body) const {
    int channel = k / (w[0] / groups) * w[1] + c, outputs = y[2] * y[3] * y[4], taps = w[2] * w[3] * w[4];
    for (int o = 0; o < outputs; ++o) {
      for (int f = 0; f < taps; ++f) {
        int at = 0;
        bool inside = true;
        int o_rest[] = {o / (y[3] * y[4]), o / y[4] % y[3], o % y[4]};
        int f_rest[] = {f / (w[3] * w[4]), f / w[4] % w[3], f % w[4]};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          int i = o_rest[axis] * strides[axis] - pads[axis] + f_rest[axis] * dilations[axis];
          inside = inside && i >= 0 && i < x[axis + 2];
          at = at * x[axis + 2] + i;
        }
        if (!inside) continue;
        body((n * x[1] + channel) * x[2] * x[3] * x[4] + at, (k * w[1] + c) * taps + f, (n * y[1] + k) * outputs + o);
      }
    }
  }
};

}  // namespace

const char* name_of(Way way) {
  constexpr const char* names[] = {"forward", "backward data", "backward weights"};
  return names[static_cast<std::size_t>(way)];
}

Convolution::Convolution(Handle on, const Shape& of) : handle(on), shape(of) {
  EXPECT_EQ(miopenCreateConvolutionDescriptor(&descriptor), k_success);
  EXPECT_EQ(miopenInitConvolutionNdDescriptor(descriptor, static_cast<int>(shape.pads.size()), shape.pads.data(),
                                              shape.strides.data(), shape.dilations.data(), shape.mode),
            k_success);
  EXPECT_EQ(miopenSetConvolutionGroupCount(descriptor, shape.groups), k_success);
  x = std::make_unique<DeviceTensor>(shape.type, shape.x, shape.channels_last);
  w = std::make_unique<DeviceTensor>(shape.type, shape.w, shape.channels_last);
  std::vector<int> output(shape.x.size());
  EXPECT_EQ(miopenGetConvolutionNdForwardOutputDim(descriptor, x->descriptor, w->descriptor, nullptr, output.data()),
            k_success);
  y = std::make_unique<DeviceTensor>(shape.type, output, shape.channels_last);
  x->fill_random(1);
  w->fill_random(2);
  y->fill_random(3);
  EXPECT_EQ(hipMalloc(&workspace, k_workspace_bytes), Error::success);
}

Convolution::~Convolution() {
  miopenDestroyConvolutionDescriptor(descriptor);
  hipFree(workspace);
}

DeviceTensor& Convolution::result(Way way) {
  if (way == Way::forward) return *y;
  return way == Way::backward_data ? *x : *w;
}

testing::AssertionResult Convolution::is_right(Way way) {
  bool exchanged = shape.mode == k_transpose;
  DeviceTensor &from = exchanged ? *y : *x, &to = exchanged ? *x : *y;
  Products products{five(from.sizes),     five(w->sizes),          five(to.sizes),
                    three(shape.pads, 0), three(shape.strides, 1), three(shape.dilations, 1),
                    shape.groups};
  DeviceTensor& result_tensor = result(way);
  std::vector<float> xs = from.read(), ws = w->read(), ys = to.read(), got = result_tensor.read();
  Reference reference{std::vector<double>(got.size()), std::vector<double>(got.size())};
  products.for_each([&](int at_x, int at_w, int at_y) {
    auto i = static_cast<std::size_t>(at_x), f = static_cast<std::size_t>(at_w), o = static_cast<std::size_t>(at_y);
    bool to_x = &result_tensor == &from, to_w = way == Way::backward_weights;
    double product = to_w   ? double{xs[i]} * double{ys[o]}
                     : to_x ? double{ys[o]} * double{ws[f]}
                            : double{xs[i]} * double{ws[f]};
    std::size_t at = to_w ? f : to_x ? i : o;
    reference.sums[at] += product;
    reference.sizes[at] += std::abs(product);
  });
  double unit = shape.type == k_float ? 0x1p-22 : shape.type == k_half ? 0x1p-11 : 0x1p-8;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double tolerance = unit * std::abs(reference.sums[i]) + 1e-6 * reference.sizes[i];
    if (std::abs(double{got[i]} - reference.sums[i]) <= tolerance) continue;
    return testing::AssertionFailure() << name_of(way) << ": number " << i << " of " << got.size() << " is " << got[i]
                                       << ", not " << reference.sums[i];
  }
  return testing::AssertionSuccess();
}

Status Convolution::workspace_size(Way way, std::size_t* bytes) const {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  if (way == Way::forward) return miopenConvolutionForwardGetWorkSpaceSize(handle, wd, xd, descriptor, yd, bytes);
  if (way == Way::backward_data) {
    return miopenConvolutionBackwardDataGetWorkSpaceSize(handle, yd, wd, descriptor, xd, bytes);
  }
  return miopenConvolutionBackwardWeightsGetWorkSpaceSize(handle, yd, xd, descriptor, wd, bytes);
}

Status Convolution::find(Way way, int room, std::vector<AlgorithmPerformance>& found, std::size_t bytes) {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  void *xm = x->memory, *wm = w->memory, *ym = y->memory, *memory = bytes == 0 ? nullptr : workspace;
  found.assign(static_cast<std::size_t>(std::max(room, 1)), {-1, -1, 0});
  int count = 0;
  Status status;
  if (way == Way::forward) {
    status = miopenFindConvolutionForwardAlgorithm(handle, xd, xm, wd, wm, descriptor, yd, ym, room, &count,
                                                   found.data(), memory, bytes, false);
  } else if (way == Way::backward_data) {
    status = miopenFindConvolutionBackwardDataAlgorithm(handle, yd, ym, wd, wm, descriptor, xd, xm, room, &count,
                                                        found.data(), memory, bytes, false);
  } else {
    status = miopenFindConvolutionBackwardWeightsAlgorithm(handle, yd, ym, xd, xm, descriptor, wd, wm, room, &count,
                                                           found.data(), memory, bytes, false);
  }
  found.resize(static_cast<std::size_t>(count));
  return status;
}

Status Convolution::run(Way way, AlgorithmCode algorithm, std::size_t bytes, float alpha, float beta) {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  void *xm = x->memory, *wm = w->memory, *ym = y->memory, *memory = bytes == 0 ? nullptr : workspace;
  if (way == Way::forward) {
    return miopenConvolutionForward(handle, &alpha, xd, xm, wd, wm, descriptor, algorithm, &beta, yd, ym, memory,
                                    bytes);
  }
  if (way == Way::backward_data) {
    return miopenConvolutionBackwardData(handle, &alpha, yd, ym, wd, wm, descriptor, algorithm, &beta, xd, xm, memory,
                                         bytes);
  }
  return miopenConvolutionBackwardWeights(handle, &alpha, yd, ym, xd, xm, descriptor, algorithm, &beta, wd, wm, memory,
                                          bytes);
}

Status Convolution::solution_count(Way way, std::size_t* count) const {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  if (way == Way::forward) return miopenConvolutionForwardGetSolutionCount(handle, wd, xd, descriptor, yd, count);
  if (way == Way::backward_data) {
    return miopenConvolutionBackwardDataGetSolutionCount(handle, yd, wd, descriptor, xd, count);
  }
  return miopenConvolutionBackwardWeightsGetSolutionCount(handle, yd, xd, descriptor, wd, count);
}

Status Convolution::solutions(Way way, std::size_t room, std::vector<ConvolutionSolution>& found) const {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  found.assign(room, {});
  std::size_t count = 0;
  Status status;
  if (way == Way::forward) {
    status = miopenConvolutionForwardGetSolution(handle, wd, xd, descriptor, yd, room, &count, found.data());
  } else if (way == Way::backward_data) {
    status = miopenConvolutionBackwardDataGetSolution(handle, yd, wd, descriptor, xd, room, &count, found.data());
  } else {
    status = miopenConvolutionBackwardWeightsGetSolution(handle, yd, xd, descriptor, wd, room, &count, found.data());
  }
  found.resize(count);
  return status;
}

Status Convolution::solution_workspace_size(Way way, std::uint64_t id, std::size_t* bytes) const {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  if (way == Way::forward) {
    return miopenConvolutionForwardGetSolutionWorkspaceSize(handle, wd, xd, descriptor, yd, id, bytes);
  }
  if (way == Way::backward_data) {
    return miopenConvolutionBackwardDataGetSolutionWorkspaceSize(handle, yd, wd, descriptor, xd, id, bytes);
  }
  return miopenConvolutionBackwardWeightsGetSolutionWorkspaceSize(handle, yd, xd, descriptor, wd, id, bytes);
}

Status Convolution::compile(Way way, std::uint64_t id) const {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  if (way == Way::forward) return miopenConvolutionForwardCompileSolution(handle, wd, xd, descriptor, yd, id);
  if (way == Way::backward_data)
    return miopenConvolutionBackwardDataCompileSolution(handle, yd, wd, descriptor, xd, id);
  return miopenConvolutionBackwardWeightsCompileSolution(handle, yd, xd, descriptor, wd, id);
}

Status Convolution::immediate(Way way, std::uint64_t id, std::size_t bytes) {
  TensorDescriptor xd = x->descriptor, wd = w->descriptor, yd = y->descriptor;
  void *xm = x->memory, *wm = w->memory, *ym = y->memory, *memory = bytes == 0 ? nullptr : workspace;
  if (way == Way::forward) {
    return miopenConvolutionForwardImmediate(handle, wd, wm, xd, xm, descriptor, yd, ym, memory, bytes, id);
  }
  if (way == Way::backward_data) {
    return miopenConvolutionBackwardDataImmediate(handle, yd, ym, wd, wm, descriptor, xd, xm, memory, bytes, id);
  }
  return miopenConvolutionBackwardWeightsImmediate(handle, yd, ym, xd, xm, descriptor, wd, wm, memory, bytes, id);
}

void MiopenTest::SetUp() {
  ASSERT_EQ(miopenCreate(&handle_), k_success);
  Handle other = nullptr;  // what is ready there does not touch the test
  ASSERT_EQ(miopenCreate(&other), k_success);
  Status compiled = Convolution(other, plain_shape()).compile(Way::forward, 85);
  EXPECT_EQ(miopenDestroy(other), k_success);
  if (compiled != k_success) {
    GTEST_SKIP() << "no hiprtc here that compiles for gfx1010; the package libamdhip64-5 brings one";
  }
}

void MiopenTest::TearDown() {
  EXPECT_EQ(miopenDestroy(handle_), k_success);
}

}  // namespace convoy::miopen
