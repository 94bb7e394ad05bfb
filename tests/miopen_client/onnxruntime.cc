// ONNX Runtime's ROCm provider: Conv, and ConvTranspose, which is backward data. An operator of the model keeps its
// descriptors and, per input size, what Find answered; the second call finds both. Every second call here therefore goes to
// a new operator with the same sizes, as later layers of a model have. The stream is set once.
#include <map>
#include <optional>

#include "client.h"

namespace convoy::client {
namespace {

constexpr std::size_t k_search_workspace = std::size_t{32} << 20;

// One Conv or ConvTranspose of the model.
class Operator {
 public:
  Operator(const Api& api, const Call& call) : api_(api), w_(api), x_(api), y_(api), convolution_(api) {
    const Problem& problem = call.problem;
    w_.set(problem.dtype, problem.w());
    x_.set(problem.dtype, problem.x());
    y_.set(problem.dtype, problem.y());
    convolution_.set(problem, k_convolution);
    if (call.bias == nullptr) return;
    bias_.emplace(api);
    TensorShape shape = problem.output(call.direction);
    shape.sizes.assign(shape.sizes.size(), 1);
    shape.sizes[1] = call.direction == Direction::forward ? problem.k : problem.c;
    shape.strides.assign(shape.sizes.size(), 1);
    shape.strides[0] = shape.sizes[1];
    bias_->set(problem.dtype, shape);
  }

  Outcome run(Handle handle, WorkspacePool& pool, const Call& call) {
    const ConvolutionCalls calls(api_, handle, call, {x_.get(), w_.get(), y_.get(), convolution_.get()});
    if (!found_) {
      const Workspace workspace(pool, k_search_workspace);
      found_ = calls.find(workspace.get(), workspace.bytes(), false);
    }
    const Workspace workspace(pool, found_->memory);
    calls.run(found_->algorithm, workspace.get(), workspace.bytes());
    if (bias_) {
      const float one = 1, zero = 0;
      const bool forward = call.direction == Direction::forward;
      CONVOY_CALL(api_, miopenConvolutionForwardBias, handle, &one, bias_->get(), call.bias, &zero,
                  forward ? y_.get() : x_.get(), forward ? call.y : call.x);
    }
    return {false, static_cast<std::uint64_t>(found_->algorithm), workspace.bytes(), false};
  }

 private:
  const Api& api_;
  TensorDescriptorOwner w_, x_, y_;
  ConvolutionDescriptorOwner convolution_;
  std::optional<TensorDescriptorOwner> bias_;
  std::optional<AlgorithmPerformance> found_;
};

class OnnxRuntime : public Client {
 public:
  OnnxRuntime(const Api& api, void* stream) : api_(api) {
    CONVOY_CALL(api, miopenCreate, &handle_);
    CONVOY_CALL(api, miopenSetStream, handle_, stream);
  }

  ~OnnxRuntime() override {
    operators_.clear();
    api_.miopenDestroy(handle_);
  }

  Outcome convolve(const Call& original) override {
    Call call = original;
    call.problem = as_told(original.problem, original.direction);
    Layer& layer = operators_[to_text(call.problem, call.direction)];
    if (layer.calls++ % 2 == 0) layer.current = std::make_unique<Operator>(api_, call);
    return layer.current->run(handle_, pool_, call);
  }

  Handle handle() const override { return handle_; }

  // Conv appends the missing axis, ConvTranspose puts it in front.
  Problem as_told(const Problem& problem, Direction direction) const override {
    return direction == Direction::forward ? problem.with_width() : problem.with_height();
  }

 private:
  struct Layer {
    std::unique_ptr<Operator> current;
    int calls = 0;
  };

  const Api& api_;
  Handle handle_ = nullptr;
  WorkspacePool pool_;
  std::map<std::string, Layer> operators_;
};

}  // namespace

std::unique_ptr<Client> make_onnxruntime(const Api& api, void* stream) {
  return std::make_unique<OnnxRuntime>(api, stream);
}

}  // namespace convoy::client
