// Convoy for PyTorch's C++ interface (C++17): a header over torch_c.h, to be linked with libconvoy_torch.so (CMake: convoy::torch) and
// with the PyTorch that it was built for. What is wrong is thrown here, in the caller's code: std::invalid_argument where it is about
// a setting that was given, else std::runtime_error, with the library's words.
//
// CUDA: define CONVOY_TORCH_WITH_CUDA before including this, and PyTorch's cache is emptied when memory runs out; CUDA's headers are
// needed then. On ROCm, and elsewhere, a function of your own does it: convoy_torch_set_empty_cache().
#ifndef CONVOY_TORCH_H
#define CONVOY_TORCH_H

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>
#include <torch/version.h>
#ifdef CONVOY_TORCH_WITH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "torch_c.h"

namespace convoy::pytorch {

// What is left empty is what environment and setting files say, else what is built in.
struct Options {
  std::string strategy;  // "auto", "implicit_gemm", "gemm", "selective", "cpu", "vendor"
  std::string verify;    // "sample", "full", "off"
  std::string find;      // "find", "dynamic_hybrid", "immediate"
  std::optional<std::int64_t> size_threshold;
  std::map<std::string, std::string> others;  // any other setting by its key, docs/settings.md
};

namespace detail {

using Settings = std::map<std::string, std::string>;

inline Settings settings_of(const Options& options) {
  Settings all = options.others;
  if (!options.strategy.empty()) all["strategy"] = options.strategy;
  if (!options.verify.empty()) all["verify"] = options.verify;
  if (!options.find.empty()) all["find"] = options.find;
  if (options.size_threshold) all["size_threshold"] = std::to_string(*options.size_threshold);
  return all;
}

// The library's form: a line each.
inline std::string lines_of(const Settings& settings) {
  const std::string breaks("\n\r\0", 3);
  std::string lines;
  for (const auto& [key, value] : settings) {
    if (key.empty() || key.find_first_of(breaks + "=") != std::string::npos ||
        value.find_first_of(breaks) != std::string::npos)
      throw std::invalid_argument("convoy: " + key + ": a setting is one line of text, its key without '='");
    lines += key + "=" + value + "\n";
  }
  return lines;
}

[[noreturn]] inline void throw_last_error(const Settings& settings = {}) {
  const std::string why = convoy_torch_last_error();
  for (const auto& setting : settings) {
    if (why.find(setting.first) != std::string::npos) throw std::invalid_argument("convoy: " + why);
  }
  throw std::runtime_error("convoy: " + why);
}

// The library knows PyTorch's classes as they are in one version, major and minor.
inline void check_version() {
  static const bool fits = [] {
    const std::string mine = std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR) + ".";
    return std::string(convoy_torch_built_for()).rfind(mine, 0) == 0;
  }();
  if (fits) return;
  throw std::runtime_error(std::string("convoy: libconvoy_torch.so is built for PyTorch ") + convoy_torch_built_for() +
                           ", but this program for " TORCH_VERSION
                           "; build Convoy with CONVOY_TORCH_PYTHON set to a Python that has this one");
}

}  // namespace detail

// Serves every convolution of this process. Called again it changes the settings; when it throws, all is as it was.
inline void enable(const Options& options = {}) {
  detail::check_version();
  const detail::Settings settings = detail::settings_of(options);
  if (convoy_torch_enable(detail::lines_of(settings).c_str()) != 0) detail::throw_last_error(settings);
#ifdef CONVOY_TORCH_WITH_CUDA
  convoy_torch_set_empty_cache([](int) { c10::cuda::CUDACachingAllocator::emptyCache(); });
#endif
}

// PyTorch's own path for all; scopes, Safe modules and patched models are still served.
inline void disable() {
  convoy_torch_disable();
}

inline bool is_enabled() {
  return convoy_torch_is_enabled() == 1;
}

// What this thread computes while one lives is served, and the gradients of that, wherever they are computed. Nests.
class Scope {
 public:
  // `layer` >= 0: counted under that number in the statistics.
  explicit Scope(std::int64_t layer = -1) {
    detail::check_version();
    if (convoy_torch_enter(layer) == 0) return;
    convoy_torch_leave();
    detail::throw_last_error();
  }
  ~Scope() { convoy_torch_leave(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

// What ran where, and why: JSON.
inline std::string statistics_json() {
  std::string text;
  // Another thread may add to the statistics between two calls.
  for (long long needed = 1 << 14; static_cast<long long>(text.size()) < needed;) {
    text.resize(static_cast<std::size_t>(needed));
    needed = convoy_torch_statistics(&text[0], needed);
  }
  text.resize(text.find('\0'));
  return text;
}

namespace detail {

// A convolution of PyTorch's whose forward() runs in a scope.
template <typename Derived, typename Plain>
class SafeModule : public Plain {
 public:
  using Plain::Plain;

  // PyTorch's makes a Plain one; nothing of a Safe one is its own, so it becomes one by its contents.
  std::shared_ptr<torch::nn::Module> clone(const torch::optional<torch::Device>& device = {}) const override {
    const auto plain = std::dynamic_pointer_cast<Plain>(Plain::clone(device));
    auto copy = std::make_shared<Derived>(static_cast<const Derived&>(*this));
    static_cast<Plain&>(*copy) = std::move(*plain);
    return copy;
  }
};

template <typename Derived, typename Plain>
class SafeConv : public SafeModule<Derived, Plain> {
 public:
  using SafeModule<Derived, Plain>::SafeModule;
  torch::Tensor forward(const torch::Tensor& input) {
    const Scope scope;
    return Plain::forward(input);
  }
};

template <typename Derived, typename Plain>
class SafeConvTranspose : public SafeModule<Derived, Plain> {
 public:
  using SafeModule<Derived, Plain>::SafeModule;
  torch::Tensor forward(const torch::Tensor& input, const torch::optional<at::IntArrayRef>& output_size = {}) {
    const Scope scope;
    return Plain::forward(input, output_size);
  }
};

}  // namespace detail

// PyTorch's convolutions under another name, with the same options and parameters; served though Convoy is disabled.
#define CONVOY_SAFE_MODULE(base, plain)                                                      \
  class Safe##plain##Impl : public detail::base<Safe##plain##Impl, torch::nn::plain##Impl> { \
   public:                                                                                   \
    using detail::base<Safe##plain##Impl, torch::nn::plain##Impl>::base;                     \
  };                                                                                         \
  TORCH_MODULE(Safe##plain)
CONVOY_SAFE_MODULE(SafeConv, Conv1d);
CONVOY_SAFE_MODULE(SafeConv, Conv2d);
CONVOY_SAFE_MODULE(SafeConv, Conv3d);
CONVOY_SAFE_MODULE(SafeConvTranspose, ConvTranspose1d);
CONVOY_SAFE_MODULE(SafeConvTranspose, ConvTranspose2d);
CONVOY_SAFE_MODULE(SafeConvTranspose, ConvTranspose3d);
#undef CONVOY_SAFE_MODULE

namespace detail {

// Of a module itself; undefined where it is no convolution.
template <typename... Convolutions>
torch::Tensor weight_of_one_of(const torch::nn::Module& module) {
  torch::Tensor weight;
  const auto look = [&weight](const auto* convolution) {
    if (convolution != nullptr) weight = convolution->weight;
  };
  (look(module.as<Convolutions>()), ...);
  return weight;
}

inline torch::Tensor weight_of(const torch::nn::Module& module) {
  using namespace torch::nn;
  return weight_of_one_of<Conv1dImpl, Conv2dImpl, Conv3dImpl, ConvTranspose1dImpl, ConvTranspose2dImpl,
                          ConvTranspose3dImpl>(module);
}

template <typename Use>
void for_each_weight(const torch::nn::Module& model, Use use) {
  const auto use_of = [&use](const torch::nn::Module& module) {
    if (const torch::Tensor weight = weight_of(module); weight.defined()) use(weight.unsafeGetTensorImpl());
  };
  use_of(model);
  // With the model itself among them, it would have to be in a shared_ptr.
  for (const auto& module : model.modules(/*include_self=*/false)) use_of(*module);
}

}  // namespace detail

// From here on every convolution of the model is served though Convoy is disabled, gradients included. Nothing of the model changes:
// the door knows its weights, through to(), training and loading. Returns the number of convolutions. Not patched are clones, tensors
// that take a weight's place, and what autocast converts weights into: there, use a Scope.
inline std::size_t patch_model(torch::nn::Module& model) {
  detail::check_version();
  std::size_t count = 0;
  detail::for_each_weight(model, [&count](at::TensorImpl* weight) {
    if (convoy_torch_serve_weight(weight) != 0) detail::throw_last_error();
    ++count;
  });
  return count;
}

inline void unpatch_model(torch::nn::Module& model) {
  detail::for_each_weight(model, [](at::TensorImpl* weight) { convoy_torch_forget_weight(weight); });
}

}  // namespace convoy::pytorch

#endif
