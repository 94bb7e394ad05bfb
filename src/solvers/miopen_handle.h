// MIOpen's handle of a device, and its descriptors of a problem: what MIOpen wants made and destroyed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "problem/problem.h"
#include "solvers/miopen_library.h"

namespace convoy {

// One MIOpen handle, its lock, and the stream it is set to.
class MiopenHandle {
 public:
  MiopenHandle(const miopen::Functions& functions, const Device& device) : functions_(functions), device_(device) {}
  ~MiopenHandle() {
    if (handle_ != nullptr) functions_.miopenDestroy(handle_);
  }
  MiopenHandle(const MiopenHandle&) = delete;
  MiopenHandle& operator=(const MiopenHandle&) = delete;

  // The one of `device`; made when the first plan asks, destroyed with the last plan.
  static Result<std::shared_ptr<MiopenHandle>> of(const miopen::Functions& functions, const Device& device);

  const miopen::Functions& functions() const { return functions_; }
  // `call(handle)` on `stream`, alone, with the device current. `what` names it in errors.
  template <typename Call>
  Result<void> use(std::string_view what, Stream stream, const Call& call) {
    miopen::Status status = miopen::k_success;
    const std::lock_guard lock(mutex_);
    const auto work = [&] {
      if (stream != stream_) status = functions_.miopenSetStream(handle_, stream);
      if (status != miopen::k_success) return;
      stream_ = stream;
      status = call(handle_);
    };
    device_.with_current(std::cref(work));
    return check_miopen(what, status);
  }

 private:
  const miopen::Functions& functions_;
  const Device& device_;
  std::mutex mutex_;
  miopen::Handle handle_ = nullptr;
  Stream stream_ = nullptr;
};

// An ordinary problem as MIOpen describes it: 2-D or 3-D (a 1-D problem has a height of 1), mode convolution.
class MiopenDescriptors {
 public:
  explicit MiopenDescriptors(const miopen::Functions& functions) : functions_(functions) {}
  ~MiopenDescriptors();
  MiopenDescriptors(const MiopenDescriptors&) = delete;
  MiopenDescriptors& operator=(const MiopenDescriptors&) = delete;

  // Sizes, strides and spans of `problem` are below 2^31.
  Result<void> create(const Problem& problem, bool deterministic);

  miopen::TensorDescriptor x = nullptr, w = nullptr, y = nullptr;
  miopen::TensorDescriptor bias = nullptr;  // 1 k 1 1; none for backward weights
  miopen::ConvolutionDescriptor convolution = nullptr;

 private:
  Result<void> create_tensor(const Problem& problem, TensorRole role, miopen::TensorDescriptor& tensor);
  Result<void> create_bias(const Problem& problem);
  Result<void> create_convolution(const Problem& problem, bool deterministic);

  const miopen::Functions& functions_;
};

}  // namespace convoy
