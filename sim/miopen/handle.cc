// Handles: see handle.h. Also the version and the names of statuses.
#include "sim/miopen/handle.h"

#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "sim/miopen/code.h"
#include "sim/miopen/version.h"

namespace convoy::miopen {
namespace {

Version read_version() {
  Version read;
  const char* variable = std::getenv("CONVOY_SIM_MIOPEN_VERSION");
  std::string_view text = variable == nullptr ? "" : variable;
  if (text.empty()) return read;
  const char *at = text.data(), *end = at + text.size();
  for (std::size_t* part : {&read.major, &read.minor, &read.patch}) {
    auto [after, error] = std::from_chars(at, end, *part);
    bool ended = part == &read.patch ? after == end : after != end && *after == '.';
    if (error != std::errc{} || !ended) return {0, 0, 0, false};
    at = after == end ? after : after + 1;
  }
  return read;
}

// Another thread's or handle's device may be the current one.
class CurrentDevice {
 public:
  explicit CurrentDevice(int wanted) : wanted_(wanted) {
    hipGetDevice(&before_);
    if (before_ != wanted_) hipSetDevice(wanted_);
  }
  ~CurrentDevice() {
    if (before_ != wanted_) hipSetDevice(before_);
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int wanted_, before_ = 0;
};

Status failed(const std::string& what, Error error) {
  return refuse(k_unknown_error, what + ": " + hipGetErrorName(error));
}

Status create(const Call& call, Handle* handle, Queue stream) {
  if (call.ended) return call.status;
  if (handle == nullptr) return refuse(k_bad_parm, "nowhere to put the handle");
  int device = 0;
  hip::DeviceProperties properties{};
  if (Error error = hipGetDevice(&device); error != Error::success) return failed("hipGetDevice", error);
  if (Error error = hipGetDeviceProperties(&properties, device); error != Error::success) {
    return failed("hipGetDeviceProperties", error);
  }
  *handle = new HandleTag(device, properties.gcn_arch_name, stream);
  return k_success;
}

}  // namespace

const Version& version() {
  static const Version read = read_version();
  return read;
}

HandleTag::~HandleTag() {
  if (module_ != nullptr) hipModuleUnload(module_);
}

Status HandleTag::load() {
  if (module_ != nullptr) return k_success;
  CurrentDevice current(device);
  std::shared_ptr<const Code> code = code_for(architecture);
  Error error = code->bytes.empty() ? Error::success : hipModuleLoadData(&module_, code->bytes.data());
  if (error == Error::invalid_image) {
    code = code_made_anew(architecture);
    error = code->bytes.empty() ? Error::success : hipModuleLoadData(&module_, code->bytes.data());
  }
  if (code->bytes.empty()) return refuse(k_unknown_error, "the kernels could not be built: " + code->why_not);
  return error == Error::success ? k_success : failed("hipModuleLoadData", error);
}

Status HandleTag::launch(const std::string& kernel, unsigned threads, void** parameters) {
  if (threads == 0) return k_success;
  if (Status status = load(); status != k_success) return status;
  CurrentDevice current(device);
  HipFunction* function = nullptr;
  if (Error error = hipModuleGetFunction(&function, module_, kernel.c_str()); error != Error::success) {
    return failed(kernel, error);
  }
  unsigned groups = (threads - 1) / k_group_size + 1;
  Error error = hipModuleLaunchKernel(function, groups, 1, 1, k_group_size, 1, 1, 0, stream, parameters, nullptr);
  return error == Error::success ? k_success : failed(kernel, error);
}

Status HandleTag::synchronize() {
  CurrentDevice current(device);
  Error error = hipStreamSynchronize(stream);
  return error == Error::success ? k_success : failed("hipStreamSynchronize", error);
}

CONVOY_MIOPEN const char* miopenGetErrorString(Status status) {
  Call call(Function::miopenGetErrorString);
  switch (status) {
    case k_success: return "miopenStatusSuccess";
    case k_not_initialized: return "miopenStatusNotInitialized";
    case k_invalid_value: return "miopenStatusInvalidValue";
    case k_bad_parm: return "miopenStatusBadParm";
    case k_alloc_failed: return "miopenStatusAllocFailed";
    case k_internal_error: return "miopenStatusInternalError";
    case k_not_implemented: return "miopenStatusNotImplemented";
    case k_unknown_error: return "miopenStatusUnknownError";
    case k_unsupported_op: return "miopenStatusUnsupportedOp";
    default: return "Unknown error status";
  }
}

CONVOY_MIOPEN Status miopenGetVersion(std::size_t* major, std::size_t* minor, std::size_t* patch) {
  Call call(Function::miopenGetVersion);
  if (call.ended) return call.status;
  const Version& own = version();
  if (!own.understood) return refuse(k_internal_error, "CONVOY_SIM_MIOPEN_VERSION is not like 3.2.0");
  if (major != nullptr) *major = own.major;
  if (minor != nullptr) *minor = own.minor;
  if (patch != nullptr) *patch = own.patch;
  return k_success;
}

CONVOY_MIOPEN Status miopenCreate(Handle* handle) {
  return create(Call(Function::miopenCreate), handle, nullptr);
}

CONVOY_MIOPEN Status miopenCreateWithStream(Handle* handle, Queue stream) {
  return create(Call(Function::miopenCreateWithStream), handle, stream);
}

CONVOY_MIOPEN Status miopenDestroy(Handle handle) {
  Call call(Function::miopenDestroy);
  if (call.ended) return call.status;
  delete handle;
  return k_success;
}

CONVOY_MIOPEN Status miopenSetStream(Handle handle, Queue stream) {
  Call call(Function::miopenSetStream);
  if (call.ended) return call.status;
  if (handle == nullptr) return refuse(k_bad_parm, "a null handle");
  handle->stream = stream;
  return k_success;
}

CONVOY_MIOPEN Status miopenGetStream(Handle handle, Queue* stream) {
  Call call(Function::miopenGetStream);
  if (call.ended) return call.status;
  if (handle == nullptr || stream == nullptr) return refuse(k_bad_parm, "a null handle or result");
  *stream = handle->stream;
  return k_success;
}

CONVOY_MIOPEN Status miopenSetAllocator(Handle handle, Allocate allocate, Deallocate deallocate, void* context) {
  Call call(Function::miopenSetAllocator);
  if (call.ended) return call.status;
  if (handle == nullptr) return refuse(k_bad_parm, "a null handle");
  handle->allocate = allocate;
  handle->deallocate = deallocate;
  handle->allocator_context = context;
  return k_success;
}

CONVOY_MIOPEN Status miopenEnableProfiling(Handle handle, bool enable) {
  Call call(Function::miopenEnableProfiling);
  if (call.ended) return call.status;
  if (handle == nullptr) return refuse(k_bad_parm, "a null handle");
  handle->profiling = enable;
  return k_success;
}

CONVOY_MIOPEN Status miopenGetKernelTime(Handle handle, float* milliseconds) {
  Call call(Function::miopenGetKernelTime);
  if (call.ended) return call.status;
  if (handle == nullptr || milliseconds == nullptr) return refuse(k_bad_parm, "a null handle or result");
  *milliseconds = handle->kernel_time;
  return k_success;
}

}  // namespace convoy::miopen
