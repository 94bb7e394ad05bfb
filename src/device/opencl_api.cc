// Implementation of opencl_api.h.
#include "device/opencl_api.h"

#include <array>

#include "base/dynlib.h"

#include <fmt/format.h>

namespace convoy {
namespace {

Result<OpenclApi> bind_api() {
  CONVOY_TRY(const DynamicLibrary library, DynamicLibrary::open("libOpenCL.so.1"));
  OpenclApi api;
#define X(name) CONVOY_CHECK(library.bind(api.name, #name));
  CONVOY_OPENCL_FUNCTIONS(X)
#undef X
  return api;
}

// What the specification calls the codes that users meet; the others are shown by number.
std::string_view name_of(cl_int status) {
  switch (status) {
    case CL_DEVICE_NOT_FOUND: return "CL_DEVICE_NOT_FOUND";
    case CL_DEVICE_NOT_AVAILABLE: return "CL_DEVICE_NOT_AVAILABLE";
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: return "CL_MEM_OBJECT_ALLOCATION_FAILURE";
    case CL_OUT_OF_RESOURCES: return "CL_OUT_OF_RESOURCES";
    case CL_OUT_OF_HOST_MEMORY: return "CL_OUT_OF_HOST_MEMORY";
    case CL_BUILD_PROGRAM_FAILURE: return "CL_BUILD_PROGRAM_FAILURE";
    case CL_INVALID_COMMAND_QUEUE: return "CL_INVALID_COMMAND_QUEUE";
    case CL_INVALID_MEM_OBJECT: return "CL_INVALID_MEM_OBJECT";
    case CL_INVALID_BINARY: return "CL_INVALID_BINARY";
    case CL_INVALID_KERNEL_NAME: return "CL_INVALID_KERNEL_NAME";
    case CL_INVALID_KERNEL_ARGS: return "CL_INVALID_KERNEL_ARGS";
    case CL_INVALID_WORK_GROUP_SIZE: return "CL_INVALID_WORK_GROUP_SIZE";
    case CL_INVALID_BUFFER_SIZE: return "CL_INVALID_BUFFER_SIZE";
    case -1001: return "no platform installed";  // CL_PLATFORM_NOT_FOUND_KHR
    default: return "status";
  }
}

}  // namespace

Result<const OpenclApi*> OpenclApi::get() {
  static const Result<OpenclApi> api = bind_api();
  if (!api) return tl::unexpected<Error>(api.error());
  return &*api;
}

Error opencl_error(std::string_view call, cl_int status) {
  const bool memory =
      status == CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL_OUT_OF_HOST_MEMORY || status == CL_INVALID_BUFFER_SIZE;
  return {memory ? ErrorCode::out_of_memory : ErrorCode::device,
          fmt::format("{}: {} ({})", call, name_of(status), status)};
}

}  // namespace convoy
