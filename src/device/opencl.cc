// Implementation of opencl.h.
#include "device/opencl.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>
#include <mutex>
#include <optional>

#include "base/counted.h"
#include "base/signal_keeper.h"
#include "base/timing.h"
#include "device/dialect/dialect.h"
#include "device/gpu_facts.h"
#include "device/llvm_conflict.h"
#include "device/opencl_api.h"
#include "device/opencl_drivers.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Vendor queries outside the core headers: cl_nv_device_attribute_query, cl_amd_device_attribute_query.
constexpr cl_device_info k_warp_size_nv = 0x4003;
constexpr cl_device_info k_wavefront_width_amd = 0x4043;

tl::unexpected<Error> failed(std::string_view call, cl_int status) {
  return tl::unexpected<Error>(opencl_error(call, status));
}

std::string text_of(const OpenclApi& api, cl_device_id device, cl_device_info what) {
  std::size_t size = 0;
  if (api.clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size == 0 || size > 4096) return {};
  std::string text(size, '\0');
  if (api.clGetDeviceInfo(device, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  return printable_name(text.c_str());
}

// What drivers answer to calls that wait once a kernel has failed: the specification's two, NVIDIA's own for a bad access, and
// what every queue of a lost context gives.
bool ends_device(cl_int status) {
  constexpr cl_int k_bad_access_nv = -9999;
  return status == CL_OUT_OF_RESOURCES || status == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST ||
         status == CL_INVALID_COMMAND_QUEUE || status == CL_DEVICE_NOT_AVAILABLE || status == k_bad_access_nv;
}

template <typename T>
T number_of(const OpenclApi& api, cl_device_id device, cl_device_info what) {
  T value{};
  return api.clGetDeviceInfo(device, what, sizeof value, &value, nullptr) == CL_SUCCESS ? value : T{};
}

Result<std::vector<cl_device_id>> all_devices(const OpenclApi& api) {
  CONVOY_CHECK(may_load_opencl_drivers());
  CONVOY_CHECK(may_load_pocl(registered_opencl_drivers()));
  cl_uint count = 0;
  if (const cl_int status = api.clGetPlatformIDs(0, nullptr, &count); status != CL_SUCCESS)
    return failed("clGetPlatformIDs", status);
  std::vector<cl_platform_id> platforms(std::min<cl_uint>(count, 64));
  api.clGetPlatformIDs(static_cast<cl_uint>(platforms.size()), platforms.data(), nullptr);
  std::vector<cl_device_id> devices;
  for (cl_platform_id platform : platforms) {
    std::array<cl_device_id, 64> some{};
    cl_uint found = 0;
    if (api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, some.size(), some.data(), &found) != CL_SUCCESS) continue;
    const auto end = some.begin() + std::min<cl_uint>(found, some.size());
    std::copy_if(some.begin(), end, std::back_inserter(devices), [](cl_device_id device) { return device != nullptr; });
  }
  if (devices.empty()) return fail(ErrorCode::unsupported, "OpenCL: no platform has a device");
  return devices;
}

class OpenclKernel final : public Kernel {
 public:
  OpenclKernel(const OpenclApi& api, cl_kernel kernel, cl_command_queue queue)
      : api_(api), kernel_(kernel), queue_(queue) {}
  ~OpenclKernel() override { api_.clReleaseKernel(kernel_); }

  Result<void> launch(const LaunchSize& size, const KernelArguments& arguments, Stream stream) const override {
    const auto local = static_cast<std::size_t>(size.threads);
    const std::array<std::size_t, 3> locals{local, 1, 1};
    const std::array<std::size_t, 3> globals{static_cast<std::size_t>(size.groups[0]) * local,
                                             static_cast<std::size_t>(size.groups[1]),
                                             static_cast<std::size_t>(size.groups[2])};
    // A kernel object holds its arguments until it is queued.
    const std::lock_guard lock(mutex_);
    cl_uint index = 0;
    for (const KernelArguments::Argument& one : arguments.arguments()) {
      const cl_int status = api_.clSetKernelArg(kernel_, index, one.bytes, arguments.data(one));
      if (status != CL_SUCCESS) return failed(fmt::format("clSetKernelArg {}", index), status);
      ++index;
    }
    auto* queue = stream != nullptr ? static_cast<cl_command_queue>(stream) : queue_;
    const cl_int status =
        api_.clEnqueueNDRangeKernel(queue, kernel_, 3, nullptr, globals.data(), locals.data(), 0, nullptr, nullptr);
    if (status != CL_SUCCESS) return failed("clEnqueueNDRangeKernel", status);
    return {};
  }

 private:
  const OpenclApi& api_;
  const cl_kernel kernel_;
  const cl_command_queue queue_;
  mutable std::mutex mutex_;
};

class OpenclProgram final : public Program {
 public:
  OpenclProgram(const OpenclApi& api, cl_program program, cl_command_queue queue)
      : api_(api), program_(program), queue_(queue) {}
  ~OpenclProgram() override { api_.clReleaseProgram(program_); }

  Result<std::unique_ptr<Kernel>> kernel(const char* name) const override {
    cl_int status = CL_SUCCESS;
    cl_kernel made = api_.clCreateKernel(program_, name, &status);
    if (status != CL_SUCCESS) return failed(fmt::format("clCreateKernel {}", name), status);
    return std::make_unique<OpenclKernel>(api_, made, queue_);
  }

 private:
  const OpenclApi& api_;
  const cl_program program_;
  const cl_command_queue queue_;
};

class OpenclDevice final : public Device {
 public:
  static Result<std::unique_ptr<Device>> open(const OpenclApi& api, cl_device_id device, int index);
  ~OpenclDevice() override {
    programs().clear();
    if (queue_ != nullptr) api_.clReleaseCommandQueue(queue_);
    if (context_ != nullptr) api_.clReleaseContext(context_);
  }

  const DeviceInfo& info() const override { return info_; }
  // OpenCL does not say what others use.
  std::int64_t memory_available() const override { return std::max<std::int64_t>(0, info_.memory_total - allocated_); }
  Result<DeviceBuffer> allocate(std::int64_t bytes) override;
  void release(void* data, std::int64_t bytes) override {
    api_.clReleaseMemObject(static_cast<cl_mem>(data));
    allocated_ -= bytes;
  }
  bool host_accessible() const override { return false; }

  Result<void> upload(void* to, const void* from, std::int64_t bytes, Stream stream) override;
  Result<void> download(void* to, const void* from, std::int64_t bytes, Stream stream) override;
  Result<void> fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) override;
  Result<void> synchronize(Stream stream) override;
  Result<double> measure(Stream stream, const std::function<Result<void>()>& work) override;
  bool is_capturing(Stream) const override { return false; }
  Result<void> health() const override;

  Result<std::string> compile(const ProgramSource& source) override;
  std::string compiler_key() const override { return fmt::format("{}\n{}", info_.key, dialect_of(DeviceKind::opencl)); }
  Result<std::unique_ptr<Program>> load(std::string_view binary) override;

 private:
  explicit OpenclDevice(const OpenclApi& api, cl_device_id device) : api_(api), device_(device) {}
  void read_info(int index);
  cl_command_queue queue_of(Stream stream) const {
    return stream != nullptr ? static_cast<cl_command_queue>(stream) : queue_;
  }
  // Of calls that wait, which is where a kernel's failure shows.
  Result<void> waited(std::string_view call, cl_int status, Stream stream);
  Result<void> build(cl_program program, std::string_view name) const;

  const OpenclApi& api_;
  const cl_device_id device_;
  cl_context context_ = nullptr;
  cl_command_queue queue_ = nullptr;
  DeviceInfo info_;
  std::int64_t largest_allocation_ = 0;
  std::atomic<std::int64_t> allocated_{0};
  mutable std::mutex lost_mutex_;
  std::optional<Error> lost_;
};

void OpenclDevice::read_info(int index) {
  const auto platform = number_of<cl_platform_id>(api_, device_, CL_DEVICE_PLATFORM);
  std::array<char, 256> version{};
  api_.clGetPlatformInfo(platform, CL_PLATFORM_VERSION, version.size() - 1, version.data(), nullptr);
  info_.kind = DeviceKind::opencl;
  info_.name = fmt::format("opencl:{}", index);
  info_.model = text_of(api_, device_, CL_DEVICE_NAME);
  info_.architecture = info_.model;
  info_.driver = text_of(api_, device_, CL_DRIVER_VERSION);
  info_.runtime = printable_name(version.data());
  info_.compiler = text_of(api_, device_, CL_DEVICE_OPENCL_C_VERSION);
  info_.key = fmt::format("opencl/{}/{}/{}", info_.runtime, info_.model, info_.driver);
  info_.compute_units = static_cast<int>(number_of<cl_uint>(api_, device_, CL_DEVICE_MAX_COMPUTE_UNITS));
  info_.warp_size = static_cast<int>(std::max(number_of<cl_uint>(api_, device_, k_warp_size_nv),
                                              number_of<cl_uint>(api_, device_, k_wavefront_width_amd)));
  info_.max_threads = static_cast<int>(number_of<std::size_t>(api_, device_, CL_DEVICE_MAX_WORK_GROUP_SIZE));
  info_.local_memory = static_cast<std::int64_t>(number_of<cl_ulong>(api_, device_, CL_DEVICE_LOCAL_MEM_SIZE));
  info_.memory_total = static_cast<std::int64_t>(number_of<cl_ulong>(api_, device_, CL_DEVICE_GLOBAL_MEM_SIZE));
  info_.computes_f64 = number_of<cl_device_fp_config>(api_, device_, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
  info_.is_host_processor = (number_of<cl_device_type>(api_, device_, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU) != 0;
  largest_allocation_ = static_cast<std::int64_t>(number_of<cl_ulong>(api_, device_, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
}

Result<std::unique_ptr<Device>> OpenclDevice::open(const OpenclApi& api, cl_device_id device, int index) {
  std::unique_ptr<OpenclDevice> made(new OpenclDevice(api, device));
  made->read_info(index);
  if (number_of<cl_bool>(api, device, CL_DEVICE_COMPILER_AVAILABLE) == CL_FALSE)
    return fail(ErrorCode::unsupported, fmt::format("{} has no OpenCL compiler", made->info_.name));
  cl_int status = CL_SUCCESS;
  made->context_ = api.clCreateContext(nullptr, 1, &device, nullptr, nullptr, &status);
  if (status != CL_SUCCESS || made->context_ == nullptr) return failed("clCreateContext", status);
  made->queue_ = api.clCreateCommandQueue(made->context_, device, 0, &status);
  if (status != CL_SUCCESS || made->queue_ == nullptr) return failed("clCreateCommandQueue", status);
  return made;
}

Result<DeviceBuffer> OpenclDevice::allocate(std::int64_t bytes) {
  const std::int64_t room = std::min(memory_available(), largest_allocation_);
  if (bytes > room) {
    return fail(ErrorCode::out_of_memory,
                fmt::format("{} bytes asked for, {} available in one piece on {}", bytes, room, info_.name));
  }
  const std::int64_t wanted = std::max<std::int64_t>(bytes, 1);
  cl_int status = CL_SUCCESS;
  cl_mem made = api_.clCreateBuffer(context_, CL_MEM_READ_WRITE, static_cast<std::size_t>(wanted), nullptr, &status);
  if (status != CL_SUCCESS) return failed("clCreateBuffer", status);
  allocated_ += bytes;
  return DeviceBuffer(this, made, bytes);
}

Result<void> OpenclDevice::waited(std::string_view call, cl_int status, Stream stream) {
  if (status == CL_SUCCESS) return {};
  Error error = opencl_error(call, status);
  if (status == CL_INVALID_COMMAND_QUEUE && stream != nullptr) {
    error.code = ErrorCode::invalid_argument;  // the caller's queue, not the device
    return tl::unexpected<Error>(std::move(error));
  }
  if (ends_device(status)) {
    const std::lock_guard lock(lost_mutex_);
    if (!lost_)
      lost_ =
          Error{error.code, fmt::format("{} failed earlier ({}); start again to use it", info_.name, error.message)};
  }
  return tl::unexpected<Error>(std::move(error));
}

Result<void> OpenclDevice::health() const {
  const std::lock_guard lock(lost_mutex_);
  if (lost_) return tl::unexpected<Error>(*lost_);
  return {};
}

Result<void> OpenclDevice::upload(void* to, const void* from, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  return waited("clEnqueueWriteBuffer",
                api_.clEnqueueWriteBuffer(queue_of(stream), static_cast<cl_mem>(to), CL_TRUE, 0,
                                          static_cast<std::size_t>(bytes), from, 0, nullptr, nullptr),
                stream);
}

Result<void> OpenclDevice::download(void* to, const void* from, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  auto* buffer = static_cast<cl_mem>(const_cast<void*>(from));
  return waited("clEnqueueReadBuffer",
                api_.clEnqueueReadBuffer(queue_of(stream), buffer, CL_TRUE, 0, static_cast<std::size_t>(bytes), to, 0,
                                         nullptr, nullptr),
                stream);
}

Result<void> OpenclDevice::fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const cl_int status = api_.clEnqueueFillBuffer(queue_of(stream), static_cast<cl_mem>(data), &value, 1, 0,
                                                 static_cast<std::size_t>(bytes), 0, nullptr, nullptr);
  if (status != CL_SUCCESS) return failed("clEnqueueFillBuffer", status);
  return {};
}

Result<void> OpenclDevice::synchronize(Stream stream) {
  return waited("clFinish", api_.clFinish(queue_of(stream)), stream);
}

// By the host's clock: the caller's queue may not have been made for profiling.
Result<double> OpenclDevice::measure(Stream stream, const std::function<Result<void>()>& work) {
  CONVOY_CHECK(synchronize(stream));
  const Stopwatch watch;
  CONVOY_CHECK(work());
  CONVOY_CHECK(synchronize(stream));
  return watch.milliseconds();
}

Result<void> OpenclDevice::build(cl_program program, std::string_view name) const {
  const cl_int status = api_.clBuildProgram(program, 1, &device_, "-cl-std=CL1.2", nullptr, nullptr);
  if (status == CL_SUCCESS) return {};
  std::string text(16384, '\0');
  std::size_t size = 0;
  api_.clGetProgramBuildInfo(program, device_, CL_PROGRAM_BUILD_LOG, text.size(), text.data(), &size);
  text.resize(std::min(text.find('\0'), std::size_t{2000}));
  return fail(ErrorCode::device, fmt::format("{}: {}\n{}", name, opencl_error("clBuildProgram", status).message, text));
}

Result<std::string> OpenclDevice::compile(const ProgramSource& source) {
  const SignalKeeper keeper;
  const std::string text = program_text(DeviceKind::opencl, source);
  const char* data = text.data();
  const std::size_t size = text.size();
  cl_int status = CL_SUCCESS;
  cl_program program = api_.clCreateProgramWithSource(context_, 1, &data, &size, &status);
  if (status != CL_SUCCESS) return failed("clCreateProgramWithSource", status);
  const OpenclProgram owner(api_, program, queue_);
  CONVOY_CHECK(build(program, source.name));
  std::size_t bytes = 0;
  status = api_.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, nullptr);
  if (status != CL_SUCCESS || bytes == 0) return failed("clGetProgramInfo", status);
  std::string binary(bytes, '\0');
  char* target = binary.data();
  status = api_.clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof target, &target, nullptr);
  if (status != CL_SUCCESS) return failed("clGetProgramInfo", status);
  return binary;
}

Result<std::unique_ptr<Program>> OpenclDevice::load(std::string_view binary) {
  const auto* data = reinterpret_cast<const unsigned char*>(binary.data());
  const std::size_t size = binary.size();
  cl_int of_binary = CL_SUCCESS, status = CL_SUCCESS;
  cl_program program = api_.clCreateProgramWithBinary(context_, 1, &device_, &size, &data, &of_binary, &status);
  if (status != CL_SUCCESS) return failed("clCreateProgramWithBinary", status);
  auto owner = std::make_unique<OpenclProgram>(api_, program, queue_);
  if (of_binary != CL_SUCCESS) return failed("clCreateProgramWithBinary", of_binary);
  CONVOY_CHECK(build(program, "a binary"));
  return owner;
}

}  // namespace

Result<std::vector<OpenclListing>> list_opencl_devices() {
  CONVOY_TRY(const OpenclApi* api, OpenclApi::get());
  CONVOY_TRY(const auto devices, all_devices(*api));
  std::vector<OpenclListing> listings;
  for (cl_device_id device : devices) {
    const auto type = number_of<cl_device_type>(*api, device, CL_DEVICE_TYPE);
    listings.push_back({text_of(*api, device, CL_DEVICE_NAME), (type & CL_DEVICE_TYPE_GPU) != 0});
  }
  return listings;
}

Result<std::unique_ptr<Device>> open_opencl_device(int index) {
  CONVOY_TRY(const OpenclApi* api, OpenclApi::get());
  CONVOY_TRY(const auto devices, all_devices(*api));
  if (index < 0 || static_cast<std::size_t>(index) >= devices.size())
    return fail(ErrorCode::invalid_argument, fmt::format("opencl:{} does not exist; {} here", index,
                                                         counted(static_cast<std::int64_t>(devices.size()), "device")));
  return OpenclDevice::open(*api, devices[static_cast<std::size_t>(index)], index);
}

}  // namespace convoy
