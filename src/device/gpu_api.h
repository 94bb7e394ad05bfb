// HIP and the CUDA driver, as one table: the calls that are used here take the same arguments in both, so one implementation
// (cuda_hip.cc) serves two tables. The libraries are opened at run time; nothing of either SDK is needed to build.
// Numbers of attributes and errors: hip_runtime_api.h of ROCm 5.2 (unchanged in 6 and 7), cuda.h of CUDA 13.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/dynlib.h"
#include "base/result.h"
#include "device/device.h"

namespace convoy {

using GpuStatus = int;  // hipError_t, CUresult; 0: success

struct GpuApi {
  DeviceKind kind = DeviceKind::hip;
  std::unique_ptr<DynamicLibrary> library;

  // Numbers of device attributes.
  int attribute_compute_units = 0, attribute_warp_size = 0, attribute_max_threads = 0, attribute_local_memory = 0;

  GpuStatus (*init)(unsigned flags) = nullptr;
  GpuStatus (*device_count)(int* count) = nullptr;
  GpuStatus (*device_name)(char* name, int bytes, int device) = nullptr;
  GpuStatus (*device_attribute)(int* value, int attribute, int device) = nullptr;
  GpuStatus (*device_memory)(std::size_t* bytes, int device) = nullptr;
  GpuStatus (*driver_version)(int* version) = nullptr;
  GpuStatus (*memory_info)(std::size_t* available, std::size_t* total) = nullptr;
  GpuStatus (*allocate)(void** data, std::size_t bytes) = nullptr;
  GpuStatus (*release)(void* data) = nullptr;
  GpuStatus (*upload)(void* to, const void* from, std::size_t bytes, Stream stream) = nullptr;
  GpuStatus (*download)(void* to, const void* from, std::size_t bytes, Stream stream) = nullptr;
  GpuStatus (*fill)(void* data, unsigned char value, std::size_t bytes, Stream stream) = nullptr;
  GpuStatus (*stream_synchronize)(Stream stream) = nullptr;
  GpuStatus (*stream_is_capturing)(Stream stream, int* status) = nullptr;
  GpuStatus (*exchange_capture_mode)(int* mode) = nullptr;  // null in old runtimes
  GpuStatus (*event_create)(void** event, unsigned flags) = nullptr;
  GpuStatus (*event_destroy)(void* event) = nullptr;
  GpuStatus (*event_record)(void* event, Stream stream) = nullptr;
  GpuStatus (*event_synchronize)(void* event) = nullptr;
  GpuStatus (*event_elapsed)(float* milliseconds, void* begin, void* end) = nullptr;
  GpuStatus (*module_load)(void** module, const void* image) = nullptr;
  GpuStatus (*module_unload)(void* module) = nullptr;
  GpuStatus (*module_function)(void** function, void* module, const char* name) = nullptr;
  GpuStatus (*launch)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                      unsigned block_y, unsigned block_z, unsigned dynamic_local_memory, Stream stream,
                      void** parameters, void** extra) = nullptr;

  // Only one of the two.
  const char* (*hip_error_text)(GpuStatus status) = nullptr;
  GpuStatus (*cuda_error_text)(GpuStatus status, const char** text) = nullptr;

  // HIP alone.
  GpuStatus (*hip_properties)(void* properties, int device) = nullptr;
  GpuStatus (*hip_runtime_version)(int* version) = nullptr;
  GpuStatus (*hip_set_device)(int device) = nullptr;
  GpuStatus (*hip_get_device)(int* device) = nullptr;
  GpuStatus (*hip_get_last_error)() = nullptr;

  // CUDA alone.
  GpuStatus (*cuda_retain_context)(void** context, int device) = nullptr;
  GpuStatus (*cuda_release_context)(int device) = nullptr;
  GpuStatus (*cuda_get_context)(void** context) = nullptr;
  GpuStatus (*cuda_push_context)(void* context) = nullptr;
  GpuStatus (*cuda_pop_context)(void** context) = nullptr;
};

// Each opened and initialised once for the process; an Error says why it cannot be used. They stay for ever.
Result<const GpuApi*> hip_api();
Result<const GpuApi*> cuda_api();
// The simulated GPU's stand-in for the HIP runtime (sim/hip).
Result<const GpuApi*> simulated_hip_api();

// "hipMalloc: out of memory (2)".
Error gpu_error(const GpuApi& api, std::string_view call, GpuStatus status);
// What the program around us did or handed in: no solver is to blame.
bool is_of_the_caller(GpuStatus status);
// After which every call of the process fails.
bool is_sticky(GpuStatus status);

}  // namespace convoy
