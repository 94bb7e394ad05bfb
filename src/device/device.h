// A device that solvers run on: what it is, and memory on it. One file per backend (cpu.cc; later
// cuda_hip.cc, opencl.cc), listed in list.cc. Everything a key in a database needs to say about the hardware
// is in DeviceInfo::key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace convoy {

enum class DeviceKind { cpu };

struct DeviceInfo {
  DeviceKind kind = DeviceKind::cpu;
  std::string name;  // as given on the command line: "cpu"
  std::string model;
  std::string key;  // architecture and driver; no unit counts, no Convoy version
};

class Device;

// Memory on a device; freed with the object. Move-only.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Device* device, void* data, std::int64_t bytes) : device_(device), data_(data), bytes_(bytes) {}
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

// Thread-safe. Outlives its buffers.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  // Bytes that can be allocated now without harming the machine; an estimate.
  virtual std::int64_t memory_available() const = 0;
  // At least 64-byte aligned, not initialised. Refused with out_of_memory, naming both numbers, when more
  // than memory_available() is asked for: on the host the kernel would promise the memory and kill somebody
  // later.
  virtual Result<DeviceBuffer> allocate(std::int64_t bytes) = 0;
  virtual void release(void* data, std::int64_t bytes) = 0;
  // True when `data` of buffers can be read and written by the host directly.
  virtual bool host_accessible() const = 0;
};

// Opens a device by name: "cpu", or "auto" for the best one present. An Error lists the names that exist
// here.
Result<std::unique_ptr<Device>> open_device(std::string_view name);
std::vector<std::string> device_names();

// The host processor; each call makes a new object.
std::unique_ptr<Device> make_cpu_device();

}  // namespace convoy
