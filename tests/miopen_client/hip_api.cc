// Owners of HIP's streams and memory. Destructors ignore errors: a card that a test broke stays broken.
#include "hip_api.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace convoy::client {
namespace {

constexpr int k_out_of_memory = 2;  // hipErrorOutOfMemory

std::size_t rounded(std::size_t bytes) {
  return (bytes + 511) / 512 * 512;
}

}  // namespace

void check_hip(int error, const char* function) {
  if (error == 0) return;
  const std::string text = std::string(function) + ": " + hipGetErrorName(error);
  if (error == k_out_of_memory) throw OutOfMemory(text);
  throw HipError(text);
}

Stream::Stream(bool own) {
  if (own) check_hip(hipStreamCreateWithFlags(&stream_, k_non_blocking), "hipStreamCreateWithFlags");
}

Stream::~Stream() {
  if (stream_ != nullptr) hipStreamDestroy(stream_);
}

void Stream::synchronize() const {
  check_hip(hipStreamSynchronize(stream_), "hipStreamSynchronize");
}

DeviceBuffer::DeviceBuffer(std::size_t bytes) : bytes_(bytes) {
  check_hip(hipMalloc(&memory_, std::max<std::size_t>(bytes, 1)), "hipMalloc");
}

DeviceBuffer::~DeviceBuffer() {
  hipFree(memory_);
}

WorkspacePool::~WorkspacePool() {
  for (const auto& [bytes, memory] : free_) hipFree(memory);
}

void* WorkspacePool::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (std::exchange(fail_next_, false)) {
    // A request that no card can serve: HIP itself says no, and keeps its last error.
    check_hip(hipMalloc(&memory, SIZE_MAX / 2), "hipMalloc");
  }
  const auto found = free_.lower_bound(rounded(bytes));
  if (found == free_.end()) {
    check_hip(hipMalloc(&memory, rounded(bytes)), "hipMalloc");
    return memory;
  }
  memory = found->second;
  free_.erase(found);
  return memory;
}

// A larger block that was reused is kept at the size asked for: it shrinks, which costs memory but never correctness.
void WorkspacePool::give_back(void* memory, std::size_t bytes) {
  free_.emplace(rounded(bytes), memory);
}

}  // namespace convoy::client
