// Which clients there are, and what each of them never asks MIOpen for.
#include "client.h"

#include <algorithm>
#include <iterator>

namespace convoy::client {
namespace {

bool begins_with(const std::string& text, const char* beginning) {
  return text.rfind(beginning, 0) == 0;
}

}  // namespace

bool is_client(const std::string& name) {
  static constexpr const char* k_names[] = {
      "pytorch-1.13-benchmark", "pytorch-1.13-immediate", "pytorch-2.7", "pytorch-2.9", "onnxruntime", "tensorflow",
      "tensorflow-immediate"};
  return std::find(std::begin(k_names), std::end(k_names), name) != std::end(k_names);
}

std::unique_ptr<Client> make_client(const ClientOptions& options, const Api& api, void* stream) {
  if (options.client == "onnxruntime") return make_onnxruntime(api, stream);
  if (begins_with(options.client, "tensorflow")) return make_tensorflow(options, api);
  return make_pytorch(options, api);
}

std::string refusal(const ClientOptions& options, const Problem& problem, Direction direction, bool bias) {
  const bool pytorch = begins_with(options.client, "pytorch");
  if (options.client == "onnxruntime") {
    if (direction == Direction::backward_weights) return "ONNX Runtime has no backward weights";
    if (problem.dtype == k_bfloat16) return "ONNX Runtime's ROCm provider convolves f32 and f16 only";
    if (problem.channels_last) return "ONNX Runtime's ROCm provider convolves NCHW only";
  }
  if (pytorch && bias) return "PyTorch adds the bias itself";
  if (!pytorch && (options.out_of_memory || options.deterministic || options.benchmark))
    return "--oom, --deterministic and --benchmark belong to PyTorch";
  if (options.client != "pytorch-2.9" && (options.immediate || options.descriptors_v2))
    return "--immediate and --descriptors-v2 belong to pytorch-2.9";
  return {};
}

}  // namespace convoy::client
