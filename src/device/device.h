// A device that solvers run on: what it is, memory on it, machine code for it. One file per backend (cpu.cc,
// cuda_hip.cc, opencl.cc), listed in list.cc. Everything a key in a database needs to say about the hardware is in
// DeviceInfo::key.
//
// Memory is named by handles: an address on the host processor and on HIP and CUDA devices, a cl_mem on OpenCL devices.
// Only the first may be computed with, so a kernel that needs a place inside a buffer takes an offset as an argument.
//
// Work on a GPU is ordered by streams that the caller owns. Whatever says "complete" waits; everything else only queues.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/program.h"

namespace convoy {

enum class DeviceKind { cpu, hip, cuda, opencl };
std::string_view to_string(DeviceKind kind);

struct DeviceInfo {
  DeviceKind kind = DeviceKind::cpu;
  std::string name;  // as given on the command line: "cpu", "hip:0", "opencl:1", "sim:gfx1010"
  std::string model;
  std::string key;  // architecture and driver; no unit counts, no Convoy version

  // GPUs and OpenCL devices; empty or 0 on the host processor and where the runtime does not say.
  std::string architecture;       // what kernels are compiled for: "gfx1010", "sm_90"
  std::string real_architecture;  // of the silicon, where HSA_OVERRIDE_GFX_VERSION makes it pretend to be another
  std::string pci_id;             // vendor and device, "1002:731f"; HIP devices only
  std::string driver, runtime, compiler;
  int compute_units = 0;
  int warp_size = 0;              // threads in lockstep
  int max_threads = 0;            // in one group
  std::int64_t local_memory = 0;  // bytes that one group may have
  std::int64_t memory_total = 0;
  bool computes_f64 = true;        // an OpenCL device may not
  bool is_host_processor = false;  // an OpenCL driver for the CPU: right, but no faster than the cpu device
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

// Thread-safe. Outlives its buffers and programs.
class Device {
 public:
  Device() : programs_(*this) {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

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

  // After what `stream` holds; complete on return.
  virtual Result<void> upload(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  virtual Result<void> download(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  virtual Result<void> fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) = 0;  // queued
  // Complete on return. An Error tells of work that failed since the last call, too.
  virtual Result<void> synchronize(Stream stream) = 0;
  // Milliseconds that what `work` queues on `stream` takes there, by the device's own clock where it has one.
  virtual Result<double> measure(Stream stream, const std::function<Result<void>()>& work) = 0;
  // True while the caller records a graph on `stream`: then only launches are allowed.
  virtual bool is_capturing(Stream stream) const = 0;
  // An error that every later call on this device would repeat (a kernel's bad access, a reset), else success. The process
  // has to start again to use the device.
  virtual Result<void> health() const = 0;

  // Calls `work` with the device as the calling thread's current one, as vendors' libraries expect it.
  virtual void with_current(const std::function<void()>& work) const { work(); }

  // Machine code for this device; slow. `unsupported` where nothing compiles here, with the reason.
  virtual Result<std::string> compile(const ProgramSource& source) = 0;
  // What besides the source shapes compile()'s result: backend, architecture, compiler and version, dialect's text.
  virtual std::string compiler_key() const = 0;
  virtual Result<std::unique_ptr<Program>> load(std::string_view binary) = 0;
  // Programs of this device, compiled at most once per machine: see program.h.
  ProgramLibrary& programs() { return programs_; }

 private:
  ProgramLibrary programs_;
};

// Opens a device by name: "cpu", "hip", "hip:1", "cuda", "opencl:0", "sim:gfx1010", or "auto" for the best one present. An
// Error lists the names that exist here and, for a backend that does not open, why.
Result<std::unique_ptr<Device>> open_device(std::string_view name);
// Every device here, best first, and why the other backends have none. Simulated devices are left out: "auto" never takes
// them.
struct DeviceList {
  std::vector<std::string> names;
  std::vector<std::string> absent;  // "hip: libamdhip64.so.6 not found ..."
};
DeviceList list_devices();

// The host processor; each call makes a new object.
std::unique_ptr<Device> make_cpu_device();

}  // namespace convoy
