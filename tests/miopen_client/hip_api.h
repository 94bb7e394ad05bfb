// The HIP functions a client needs, and owners of what they hand out. Handles and codes are plain pointers and ints here:
// nothing of AMD's headers is needed to build.
#pragma once

#include <cstddef>
#include <map>
#include <stdexcept>
#include <utility>

// NOLINTBEGIN(readability-identifier-naming): HIP's names
extern "C" {
int hipSetDevice(int device);
int hipGetLastError();
const char* hipGetErrorName(int error);
int hipMalloc(void** memory, std::size_t bytes);
int hipFree(void* memory);
int hipMemcpyAsync(void* to, const void* from, std::size_t bytes, int kind, void* stream);
int hipMemsetAsync(void* to, int value, std::size_t bytes, void* stream);
int hipStreamCreateWithFlags(void** stream, unsigned flags);
int hipStreamDestroy(void* stream);
int hipStreamSynchronize(void* stream);
int hipStreamBeginCapture(void* stream, int mode);
int hipStreamEndCapture(void* stream, void** graph);
int hipGraphInstantiate(void** exec, void* graph, void** wrong_node, char* log, std::size_t log_bytes);
int hipGraphLaunch(void* exec, void* stream);
int hipGraphExecDestroy(void* exec);
int hipGraphDestroy(void* graph);
int hipEventCreate(void** event);
int hipEventRecord(void* event, void* stream);
int hipEventSynchronize(void* event);
int hipEventElapsedTime(float* milliseconds, void* start, void* stop);
int hipEventDestroy(void* event);
}
// NOLINTEND(readability-identifier-naming)

namespace convoy::client {

inline constexpr int k_host_to_device = 1, k_device_to_host = 2;        // hipMemcpyKind
inline constexpr unsigned k_non_blocking = 1;                           // hipStreamNonBlocking
inline constexpr int k_capture_global = 0, k_capture_thread_local = 1;  // hipStreamCaptureMode

struct HipError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct OutOfMemory : HipError {
  using HipError::HipError;
};

// check_hip(hipFree(memory), "hipFree")
void check_hip(int error, const char* function);

// The null stream, or one of its own that does not wait for the null stream.
class Stream {
 public:
  explicit Stream(bool own);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void* get() const { return stream_; }
  void synchronize() const;

 private:
  void* stream_ = nullptr;
};

class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  void* get() const { return memory_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_;
};

// Workspaces as frameworks keep them: what is given back serves the next request, so that a warmed-up shape allocates
// nothing, which capture forbids. For one thread.
class WorkspacePool {
 public:
  ~WorkspacePool();
  // Throws OutOfMemory; HIP's last error is then left for the client to clear, as it must. No bytes: a null pointer.
  void* allocate(std::size_t bytes);
  // Makes the next request that is not empty fail as on a full card.
  void fail_next() { fail_next_ = true; }
  void give_back(void* memory, std::size_t bytes);

 private:
  std::multimap<std::size_t, void*> free_;
  bool fail_next_ = false;
};

class Workspace {
 public:
  Workspace(WorkspacePool& pool, std::size_t bytes) : pool_(&pool), memory_(pool.allocate(bytes)), bytes_(bytes) {}
  Workspace(Workspace&& other) noexcept
      : pool_(other.pool_), memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  Workspace& operator=(Workspace&&) = delete;
  ~Workspace() {
    if (memory_ != nullptr) pool_->give_back(memory_, bytes_);
  }
  void* get() const { return memory_; }
  std::size_t bytes() const { return bytes_; }

 private:
  WorkspacePool* pool_;
  void* memory_;
  std::size_t bytes_;
};

}  // namespace convoy::client
