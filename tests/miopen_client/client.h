// A replica of one framework: it makes the framework's calls, in its order, checks what it checks, keeps what it keeps.
// Each thread has its own, with its own handle. The sequences are those of the public sources: PyTorch's Conv_miopen.cpp,
// ONNX Runtime's providers/rocm/nn/conv.cc and conv_transpose.cc, TensorFlow's stream_executor/rocm/rocm_dnn.cc.
#pragma once

#include <memory>
#include <string>

#include "calls.h"

namespace convoy::client {

struct ClientOptions {
  std::string client = "pytorch-2.7";
  int device = 0;
  bool deterministic = false;
  bool benchmark = false;       // PyTorch 2.7 and later: an exhaustive search
  bool immediate = false;       // PyTorch 2.9: torch.backends.miopen.immediate
  bool descriptors_v2 = false;  // PyTorch 2.9: 64-bit sizes
  bool out_of_memory = false;   // PyTorch: the first workspace to run with cannot be had
};

struct Outcome {
  bool immediate = false;
  std::uint64_t choice = 0;  // the algorithm, or the solution of immediate mode
  std::size_t workspace = 0;
  bool out_of_memory = false;  // and the client took its second choice
};

class Client {
 public:
  virtual ~Client() = default;
  // Queues one convolution on call.stream. Throws MiopenError where the framework throws or dies.
  virtual Outcome convolve(const Call& call) = 0;
  // For measurements of single functions once convolve() has warmed the shape up: the handle, and the problem as MIOpen was
  // told it.
  virtual Handle handle() const = 0;
  virtual Problem as_told(const Problem& problem, Direction) const { return problem.with_height(); }
};

std::unique_ptr<Client> make_pytorch(const ClientOptions& options, const Api& api);
std::unique_ptr<Client> make_onnxruntime(const Api& api, void* stream);
std::unique_ptr<Client> make_tensorflow(const ClientOptions& options, const Api& api);

bool is_client(const std::string& name);
// Of a name that is_client().
std::unique_ptr<Client> make_client(const ClientOptions& options, const Api& api, void* stream);
// A sentence when the framework would never make such a call, else empty.
std::string refusal(const ClientOptions& options, const Problem& problem, Direction direction, bool bias);

}  // namespace convoy::client
