// A call without its numbers: what decides how it is computed, as one value that can be compared and hashed. Calls with equal
// requests share their plans.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "call.h"
#include "convoy/convoy.h"

namespace convoy::pytorch {

// 64-bit numbers throughout, so that there are no gaps between them.
struct Request {
  std::int64_t device_type = 0;  // c10::DeviceType: CPU, or CUDA, which ROCm's devices are, too
  std::int64_t device_index = 0;
  std::int64_t dtype = 0;   // convoy_dtype
  std::int64_t layout = 0;  // convoy_layout
  std::int64_t rank = 0;
  std::int64_t transposed = 0;
  std::int64_t switches = 0;  // a bit each
  std::int64_t n = 0, c = 0, k = 0, groups = 1;
  std::array<std::int64_t, CONVOY_MAX_RANK> in{}, filter{}, pad{}, stride{}, dilation{}, output_pad{};

  bool operator==(const Request&) const = default;
};

struct RequestHash {
  std::size_t operator()(const Request& request) const;
};

enum Switch : std::int64_t {
  k_benchmark = 1,
  k_deterministic = 2,
  k_cudnn_enabled = 4,
  k_allow_tf32 = 8,
  k_mkldnn = 16,
  k_coarse_elsewhere = 32
};

// What a call asks for; or why it is PyTorch's alone, a few words that never change.
struct ReadRequest {
  std::optional<Request> request;
  const char* refusal = nullptr;
};
ReadRequest read_request(const Call& call, const OptionalTensor& bias);

convoy_problem_desc problem_of(const Request& request, convoy_direction direction);

// How tensors of this request lie in memory.
at::MemoryFormat memory_format_of(const Request& request);

}  // namespace convoy::pytorch
