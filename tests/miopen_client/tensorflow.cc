// TensorFlow (XLA's rocm_dnn.cc). The handle is made on the null stream and told its stream at each use. A shape's first
// call searches, with descriptors of its own, and keeps the answer; each call then makes descriptors, runs and destroys
// them. Whatever fails while it searches ends the process there: LOG(FATAL).
#include <map>

#include "client.h"

namespace convoy::client {
namespace {

class TensorFlow : public Client {
 public:
  TensorFlow(const ClientOptions& options, const Api& api)
      : api_(api), immediate_(options.client == "tensorflow-immediate") {
    CONVOY_CALL(api, miopenCreateWithStream, &handle_, nullptr);
  }

  ~TensorFlow() override { api_.miopenDestroy(handle_); }

  Outcome convolve(const Call& original) override {
    Call call = original;
    call.problem = as_told(original.problem, original.direction);
    const std::string key = to_text(call.problem, call.direction);
    if (const auto known = tuned_.find(key); known != tuned_.end()) return run(call, known->second);
    const auto candidates = search(call);
    const Outcome best = candidates.size() == 1 ? candidates.front() : fastest(call, candidates);
    tuned_.emplace(key, best);
    return run(call, best);
  }

  Handle handle() const override { return handle_; }

 private:
  // Descriptors of one use of the handle: input, output, filter, convolution, in this order.
  class Scope {
   public:
    Scope(const Api& api, const Problem& problem) : x(api), y(api), w(api), convolution(api) {
      x.set(problem.dtype, problem.x());
      y.set(problem.dtype, problem.y());
      w.set(problem.dtype, problem.w());
      convolution.set(problem, k_convolution);
      compare(api, problem);
    }
    Descriptors descriptors() const { return {x.get(), w.get(), y.get(), convolution.get()}; }

    TensorDescriptorOwner x, y, w;
    ConvolutionDescriptorOwner convolution;

   private:
    // TensorFlow hashes what the getters say: the rank first, then that many numbers.
    void compare(const Api& api, const Problem& problem) const {
      std::vector<int> sizes(k_max_dimensions), strides(k_max_dimensions);
      DataType dtype = -1;
      CONVOY_CALL(api, miopenGetTensorDescriptor, x.get(), &dtype, sizes.data(), strides.data());
      const TensorShape shape = problem.x();
      sizes.resize(shape.sizes.size());
      strides.resize(shape.sizes.size());
      Mode mode = -1;
      int rank = 0;
      CONVOY_CALL(api, miopenGetConvolutionNdDescriptor, convolution.get(), 0, &rank, nullptr, nullptr, nullptr, &mode);
      std::vector<int> pad(rank), stride(rank), dilation(rank);
      CONVOY_CALL(api, miopenGetConvolutionNdDescriptor, convolution.get(), rank, &rank, pad.data(), stride.data(),
                  dilation.data(), &mode);
      if (dtype != problem.dtype || sizes != shape.sizes || strides != shape.strides || mode != k_convolution ||
          pad != problem.counted(problem.pad) || stride != problem.counted(problem.stride) ||
          dilation != problem.counted(problem.dilation))
        throw std::runtime_error("descriptors do not say what was put into them");
    }
  };

  void use_handle(const Call& call) const { CONVOY_CALL(api_, miopenSetStream, handle_, call.stream); }

  std::vector<Outcome> search(const Call& call) {
    use_handle(call);
    const Scope scope(api_, call.problem);
    const ConvolutionCalls calls(api_, handle_, call, scope.descriptors());
    if (immediate_) return solutions(calls);
    CONVOY_CALL(api_, miopenSetAllocator, handle_, allocate, deallocate, this);
    const Workspace workspace(pool_, calls.checked_workspace_size());
    const AlgorithmPerformance best = calls.find(workspace.get(), workspace.bytes(), false);
    return {{false, static_cast<std::uint64_t>(best.algorithm), best.memory, false}};
  }

  static std::vector<Outcome> solutions(const ConvolutionCalls& calls) {
    std::vector<Outcome> outcomes;
    for (const ConvolutionSolution& solution : calls.solutions(calls.solution_count())) {
      calls.compile(solution.solution_id);
      outcomes.push_back({true, solution.solution_id, solution.workspace_size, false});
    }
    if (outcomes.empty()) throw std::runtime_error("no solution for this convolution");
    return outcomes;
  }

  // Where there is a choice each is run once, timed on the card; what fails drops out.
  Outcome fastest(const Call& call, const std::vector<Outcome>& candidates) {
    const Outcome* best = nullptr;
    float least = 0;
    for (const Outcome& candidate : candidates) {
      Timer timer(call.stream);
      try {
        run(call, candidate);
      } catch (const MiopenError&) {
        continue;
      }
      const float milliseconds = timer.stop();
      if (best == nullptr || milliseconds < least) {
        best = &candidate;
        least = milliseconds;
      }
    }
    if (best == nullptr) throw std::runtime_error("no solution of those offered runs");
    return *best;
  }

  Outcome run(const Call& call, const Outcome& chosen) {
    const Workspace workspace(pool_, chosen.workspace);
    const Scope scope(api_, call.problem);
    use_handle(call);
    const ConvolutionCalls calls(api_, handle_, call, scope.descriptors());
    if (immediate_)
      calls.run_immediate(chosen.choice, workspace.get(), workspace.bytes());
    else
      calls.run(static_cast<AlgorithmCode>(chosen.choice), workspace.get(), workspace.bytes());
    if (call.bias != nullptr) run_bias(call, scope);
    return chosen;
  }

  // Forward adds the bias to the result; backward weights has its gradient.
  void run_bias(const Call& call, const Scope& scope) const {
    TensorDescriptorOwner bias(api_);
    TensorShape shape = call.problem.y();
    shape.sizes.assign(shape.sizes.size(), 1);
    shape.sizes[1] = call.problem.k;
    shape.strides.assign(shape.sizes.size(), 1);
    shape.strides[0] = call.problem.k;
    bias.set(call.problem.dtype, shape);
    const float one = 1, zero = 0;
    if (call.direction == Direction::forward)
      CONVOY_CALL(api_, miopenConvolutionForwardBias, handle_, &one, bias.get(), call.bias, &zero, scope.y.get(),
                  call.y);
    else
      CONVOY_CALL(api_, miopenConvolutionBackwardBias, handle_, &one, scope.y.get(), call.y, &zero, bias.get(),
                  call.bias);
  }

  class Timer {
   public:
    explicit Timer(void* stream) : stream_(stream) {
      check_hip(hipEventCreate(&start_), "hipEventCreate");
      check_hip(hipEventCreate(&stop_), "hipEventCreate");
      check_hip(hipEventRecord(start_, stream_), "hipEventRecord");
    }
    ~Timer() {
      hipEventDestroy(start_);
      hipEventDestroy(stop_);
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    float stop() {
      float milliseconds = 0;
      check_hip(hipEventRecord(stop_, stream_), "hipEventRecord");
      check_hip(hipEventSynchronize(stop_), "hipEventSynchronize");
      check_hip(hipEventElapsedTime(&milliseconds, start_, stop_), "hipEventElapsedTime");
      return milliseconds;
    }

   private:
    void* stream_;
    void* start_ = nullptr;
    void* stop_ = nullptr;
  };

  // MIOpen's own requests; like TensorFlow's scratch allocator it takes everything back at the end.
  static void* allocate(void* context, std::size_t bytes) {
    auto& client = *static_cast<TensorFlow*>(context);
    client.scratch_.push_back(std::make_unique<DeviceBuffer>(bytes));
    return client.scratch_.back()->get();
  }
  static void deallocate(void*, void*) {}

  const Api& api_;
  bool immediate_;
  Handle handle_ = nullptr;
  WorkspacePool pool_;
  std::vector<std::unique_ptr<DeviceBuffer>> scratch_;
  std::map<std::string, Outcome> tuned_;
};

}  // namespace

std::unique_ptr<Client> make_tensorflow(const ClientOptions& options, const Api& api) {
  return std::make_unique<TensorFlow>(options, api);
}

}  // namespace convoy::client
