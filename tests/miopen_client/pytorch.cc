// PyTorch 1.13 to 2.9. The find path keeps algorithm and workspace per shape, for the process; the immediate path keeps
// nothing and asks on every call.
#include <mutex>
#include <unordered_map>

#include "client.h"

namespace convoy::client {
namespace {

constexpr std::size_t k_max_solutions = 10;  // more than that is an error to PyTorch

struct Choice {
  AlgorithmCode algorithm;
  std::size_t workspace;
};

// One for all threads, as PyTorch's: the handle is part of the key.
class AlgorithmCache {
 public:
  bool find(const std::string& key, Choice& choice) {
    const std::lock_guard lock(mutex_);
    const auto found = choices_.find(key);
    if (found != choices_.end()) choice = found->second;
    return found != choices_.end();
  }
  void insert(const std::string& key, const Choice& choice) {
    const std::lock_guard lock(mutex_);
    choices_[key] = choice;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, Choice> choices_;
};

AlgorithmCache& algorithm_cache() {
  static AlgorithmCache cache;
  return cache;
}

// Handles outlive their threads: a later thread on the same device takes over an idle one. Neither they nor the pool are
// ever destroyed, as the library may be gone before the program's own destructors run.
class HandlePool {
 public:
  Handle take(const Api& api, int device) {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[device];
    Handle handle = nullptr;
    if (idle.empty()) {
      CONVOY_CALL(api, miopenCreate, &handle);
    } else {
      handle = idle.back();
      idle.pop_back();
    }
    return handle;
  }
  void give_back(int device, Handle handle) {
    const std::lock_guard lock(mutex_);
    idle_[device].push_back(handle);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<int, std::vector<Handle>> idle_;
};

HandlePool& handle_pool() {
  static auto* const pool = new HandlePool;
  return *pool;
}

class PyTorch : public Client {
 public:
  PyTorch(const ClientOptions& options, const Api& api)
      : options_(options),
        api_(api),
        since_2_7_(options.client == "pytorch-2.7" || options.client == "pytorch-2.9"),
        handle_(handle_pool().take(api, options.device)) {}

  ~PyTorch() override { handle_pool().give_back(options_.device, handle_); }

  Outcome convolve(const Call& original) override {
    CONVOY_CALL(api_, miopenSetStream, handle_, original.stream);
    Call call = original;
    call.problem = as_told(original.problem, original.direction);
    TensorDescriptorOwner x(api_), y(api_), w(api_);
    set(x, call.problem, call.problem.x());
    set(w, call.problem, call.problem.w());
    set(y, call.problem, call.problem.y());
    ConvolutionDescriptorOwner convolution(api_);
    set(convolution, call.problem);
    const ConvolutionCalls calls(api_, handle_, call, {x.get(), w.get(), y.get(), convolution.get()});
    return immediate() ? run_immediate(calls) : run_found(calls, key_of(call));
  }

  Handle handle() const override { return handle_; }

 private:
  bool immediate() const {
    if (options_.client == "pytorch-1.13-immediate") return true;
    if (options_.client == "pytorch-2.7") return options_.deterministic && !options_.benchmark;
    return options_.immediate;
  }

  void set(TensorDescriptorOwner& tensor, const Problem& problem, const TensorShape& shape) const {
    options_.descriptors_v2 ? tensor.set_v2(problem.dtype, shape) : tensor.set(problem.dtype, shape);
  }

  void set(ConvolutionDescriptorOwner& convolution, const Problem& problem) const {
    convolution.set(problem, problem.depthwise() ? k_depthwise : k_convolution);
    if (!since_2_7_) return;
    CONVOY_CALL(api_, miopenSetConvolutionAttribute, convolution.get(), miopen::k_deterministic,
                options_.deterministic ? 1 : 0);
    if (!options_.benchmark) return;
    if (api_.miopenSetConvolutionFindMode == nullptr) throw std::runtime_error("no miopenSetConvolutionFindMode here");
    constexpr int k_find_normal = 1;
    CONVOY_CALL(api_, miopenSetConvolutionFindMode, convolution.get(), k_find_normal);
  }

  std::string key_of(const Call& call) const {
    return to_text(call.problem, call.direction) + (options_.deterministic ? ":deterministic:" : ":") +
           std::to_string(reinterpret_cast<std::uintptr_t>(handle_)) + ":" + std::to_string(options_.device);
  }

  // Whether it worked is not looked at.
  static std::size_t workspace_size(const ConvolutionCalls& calls) {
    std::size_t bytes = 0;
    calls.workspace_size(bytes);
    return bytes;
  }

  Choice find(const ConvolutionCalls& calls, const std::string& key) {
    Choice choice{};
    if (algorithm_cache().find(key, choice)) return choice;
    const Workspace workspace(pool_, workspace_size(calls));
    const bool exhaustive = since_2_7_ && options_.benchmark;
    const AlgorithmPerformance best = calls.find(workspace.get(), workspace.bytes(), exhaustive);
    choice = {best.algorithm, best.memory};
    algorithm_cache().insert(key, choice);
    return choice;
  }

  Outcome run_found(const ConvolutionCalls& calls, const std::string& key) {
    Choice choice = find(calls, key);
    bool out_of_memory = false;
    const Workspace workspace = [&] {
      try {
        return workspace_to_run(choice.workspace);
      } catch (const OutOfMemory&) {
        hipGetLastError();
        out_of_memory = true;
        choice = {k_gemm, workspace_size(calls)};
        algorithm_cache().insert(key, choice);
        return Workspace(pool_, choice.workspace);
      }
    }();
    calls.run(choice.algorithm, workspace.get(), workspace.bytes());
    return {false, static_cast<std::uint64_t>(choice.algorithm), workspace.bytes(), out_of_memory};
  }

  ConvolutionSolution solution(const ConvolutionCalls& calls, bool modest) const {
    const std::size_t count = calls.solution_count();
    if (count > k_max_solutions) throw std::runtime_error("more than 10 solutions: " + std::to_string(count));
    const auto solutions = calls.solutions(count);
    if (solutions.empty()) throw std::runtime_error("no solution, and PyTorch would read one that is not there");
    if (!modest) return solutions.front();
    for (const auto& each : solutions)
      if (each.algorithm == k_gemm) return each;
    for (const auto& each : solutions)
      if (each.workspace_size == 0) return each;
    return solutions.front();
  }

  Outcome run_immediate(const ConvolutionCalls& calls) {
    ConvolutionSolution chosen = solution(calls, false);
    bool out_of_memory = false;
    const Workspace workspace = [&] {
      try {
        return workspace_to_run(chosen.workspace_size);
      } catch (const OutOfMemory&) {
        hipGetLastError();
        out_of_memory = true;
        chosen = solution(calls, true);
        return Workspace(pool_, chosen.workspace_size);
      }
    }();
    calls.run_immediate(chosen.solution_id, workspace.get(), workspace.bytes());
    return {true, chosen.solution_id, workspace.bytes(), out_of_memory};
  }

  Workspace workspace_to_run(std::size_t bytes) {
    if (bytes != 0 && std::exchange(options_.out_of_memory, false)) pool_.fail_next();
    return Workspace(pool_, bytes);
  }

  ClientOptions options_;
  const Api& api_;
  bool since_2_7_;
  Handle handle_;
  WorkspacePool pool_;
};

}  // namespace

std::unique_ptr<Client> make_pytorch(const ClientOptions& options, const Api& api) {
  return std::make_unique<PyTorch>(options, api);
}

}  // namespace convoy::client
