// Implementation of gpu_api.h: which symbol stands for what.
#include "device/gpu_api.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <mutex>

#include "base/own_folder.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Newest first; the plain name is the one that PyTorch's own copy goes by; then where AMD's packages put it, should the
// loader not know.
constexpr std::array<std::string_view, 5> k_hip_names{"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5",
                                                      "libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"};
constexpr std::array<std::string_view, 1> k_cuda_names{"libcuda.so.1"};

Result<void> bind_hip(GpuApi& api) {
  const DynamicLibrary& library = *api.library;
  CONVOY_CHECK(library.bind(api.init, "hipInit"));
  CONVOY_CHECK(library.bind(api.device_count, "hipGetDeviceCount"));
  CONVOY_CHECK(library.bind(api.device_name, "hipDeviceGetName"));
  CONVOY_CHECK(library.bind(api.device_attribute, "hipDeviceGetAttribute"));
  CONVOY_CHECK(library.bind(api.device_memory, "hipDeviceTotalMem"));
  CONVOY_CHECK(library.bind(api.driver_version, "hipDriverGetVersion"));
  CONVOY_CHECK(library.bind(api.memory_info, "hipMemGetInfo"));
  CONVOY_CHECK(library.bind(api.allocate, "hipMalloc"));
  CONVOY_CHECK(library.bind(api.release, "hipFree"));
  CONVOY_CHECK(library.bind(api.upload, "hipMemcpyHtoDAsync"));
  CONVOY_CHECK(library.bind(api.download, "hipMemcpyDtoHAsync"));
  CONVOY_CHECK(library.bind(api.fill, "hipMemsetD8Async"));
  CONVOY_CHECK(library.bind(api.stream_synchronize, "hipStreamSynchronize"));
  CONVOY_CHECK(library.bind(api.stream_is_capturing, "hipStreamIsCapturing"));
  (void)library.bind(api.exchange_capture_mode, "hipThreadExchangeStreamCaptureMode");
  CONVOY_CHECK(library.bind(api.event_create, "hipEventCreateWithFlags"));
  CONVOY_CHECK(library.bind(api.event_destroy, "hipEventDestroy"));
  CONVOY_CHECK(library.bind(api.event_record, "hipEventRecord"));
  CONVOY_CHECK(library.bind(api.event_synchronize, "hipEventSynchronize"));
  CONVOY_CHECK(library.bind(api.event_elapsed, "hipEventElapsedTime"));
  CONVOY_CHECK(library.bind(api.module_load, "hipModuleLoadData"));
  CONVOY_CHECK(library.bind(api.module_unload, "hipModuleUnload"));
  CONVOY_CHECK(library.bind(api.module_function, "hipModuleGetFunction"));
  CONVOY_CHECK(library.bind(api.launch, "hipModuleLaunchKernel"));
  CONVOY_CHECK(library.bind(api.hip_error_text, "hipGetErrorString"));
  // The structure grew in ROCm 6, under a name of its own; the reader takes either.
  if (!library.bind(api.hip_properties, "hipGetDevicePropertiesR0600"))
    CONVOY_CHECK(library.bind(api.hip_properties, "hipGetDeviceProperties"));
  CONVOY_CHECK(library.bind(api.hip_runtime_version, "hipRuntimeGetVersion"));
  CONVOY_CHECK(library.bind(api.hip_set_device, "hipSetDevice"));
  CONVOY_CHECK(library.bind(api.hip_get_device, "hipGetDevice"));
  CONVOY_CHECK(library.bind(api.hip_get_last_error, "hipGetLastError"));
  api.kind = DeviceKind::hip;
  api.attribute_compute_units = 63;
  api.attribute_warp_size = 87;
  api.attribute_max_threads = 56;
  api.attribute_local_memory = 74;
  return {};
}

Result<void> bind_cuda(GpuApi& api) {
  const DynamicLibrary& library = *api.library;
  CONVOY_CHECK(library.bind(api.init, "cuInit"));
  CONVOY_CHECK(library.bind(api.device_count, "cuDeviceGetCount"));
  CONVOY_CHECK(library.bind(api.device_name, "cuDeviceGetName"));
  CONVOY_CHECK(library.bind(api.device_attribute, "cuDeviceGetAttribute"));
  CONVOY_CHECK(library.bind(api.device_memory, "cuDeviceTotalMem_v2"));
  CONVOY_CHECK(library.bind(api.driver_version, "cuDriverGetVersion"));
  CONVOY_CHECK(library.bind(api.memory_info, "cuMemGetInfo_v2"));
  CONVOY_CHECK(library.bind(api.allocate, "cuMemAlloc_v2"));
  CONVOY_CHECK(library.bind(api.release, "cuMemFree_v2"));
  CONVOY_CHECK(library.bind(api.upload, "cuMemcpyHtoDAsync_v2"));
  CONVOY_CHECK(library.bind(api.download, "cuMemcpyDtoHAsync_v2"));
  CONVOY_CHECK(library.bind(api.fill, "cuMemsetD8Async"));
  CONVOY_CHECK(library.bind(api.stream_synchronize, "cuStreamSynchronize"));
  CONVOY_CHECK(library.bind(api.stream_is_capturing, "cuStreamIsCapturing"));
  (void)library.bind(api.exchange_capture_mode, "cuThreadExchangeStreamCaptureMode");
  CONVOY_CHECK(library.bind(api.event_create, "cuEventCreate"));
  CONVOY_CHECK(library.bind(api.event_destroy, "cuEventDestroy_v2"));
  CONVOY_CHECK(library.bind(api.event_record, "cuEventRecord"));
  CONVOY_CHECK(library.bind(api.event_synchronize, "cuEventSynchronize"));
  CONVOY_CHECK(library.bind(api.event_elapsed, "cuEventElapsedTime"));
  CONVOY_CHECK(library.bind(api.module_load, "cuModuleLoadData"));
  CONVOY_CHECK(library.bind(api.module_unload, "cuModuleUnload"));
  CONVOY_CHECK(library.bind(api.module_function, "cuModuleGetFunction"));
  CONVOY_CHECK(library.bind(api.launch, "cuLaunchKernel"));
  CONVOY_CHECK(library.bind(api.cuda_error_text, "cuGetErrorString"));
  CONVOY_CHECK(library.bind(api.cuda_retain_context, "cuDevicePrimaryCtxRetain"));
  CONVOY_CHECK(library.bind(api.cuda_release_context, "cuDevicePrimaryCtxRelease_v2"));
  CONVOY_CHECK(library.bind(api.cuda_get_context, "cuCtxGetCurrent"));
  CONVOY_CHECK(library.bind(api.cuda_push_context, "cuCtxPushCurrent_v2"));
  CONVOY_CHECK(library.bind(api.cuda_pop_context, "cuCtxPopCurrent_v2"));
  api.kind = DeviceKind::cuda;
  api.attribute_compute_units = 16;
  api.attribute_warp_size = 10;
  api.attribute_max_threads = 1;
  api.attribute_local_memory = 8;
  return {};
}

// The two usual reasons why HIP finds no card.
std::string why_no_amd_gpu() {
  constexpr const char* k_driver = "/dev/kfd";
  if (access(k_driver, F_OK) != 0)
    return fmt::format("; there is no {}: no AMD GPU, or its driver is not loaded", k_driver);
  if (access(k_driver, R_OK | W_OK) != 0) {
    return fmt::format("; this user may not use {}: add it to the group that owns it (render, on most systems)",
                       k_driver);
  }
  return {};
}

using Binder = Result<void> (*)(GpuApi&);

// `why`: what to add when the runtime does not start.
Result<const GpuApi*> finish(Result<DynamicLibrary> library, Binder bind, std::string (*why)() = nullptr) {
  if (!library) return tl::unexpected<Error>(std::move(library.error()));
  auto api = std::make_unique<GpuApi>();
  api->library = std::make_unique<DynamicLibrary>(std::move(*library));
  CONVOY_CHECK(bind(*api));
  if (const GpuStatus status = api->init(0); status != 0) {
    const bool is_hip = api->kind == DeviceKind::hip;
    Error error = gpu_error(*api, is_hip ? "hipInit" : "cuInit", status);
    if (why != nullptr) error.message += why();
    return tl::unexpected<Error>(std::move(error));
  }
  return api.release();  // stays: its library does
}

// Beside the program or library, as built; in the library folder, as installed.
Result<DynamicLibrary> open_stand_in() {
  const std::string folder = own_folder();
  std::error_code error;
  for (const char* place : {"sim", "convoy/sim", "../" CONVOY_LIBRARY_FOLDER "/convoy/sim"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / place / "libamdhip64.so.5";
    if (!folder.empty() && std::filesystem::is_regular_file(path, error)) return DynamicLibrary::open(path.string());
  }
  return fail(ErrorCode::unsupported,
              fmt::format("the simulated GPU (sim/libamdhip64.so.5) is not installed beside {}", folder));
}

// The stand-in bears the soname of ROCm 5's runtime: once loaded, the loader hands it out by that name.
// Neither runtime is looked for while the other is.
std::mutex g_hip_mutex;
const DynamicLibrary* g_stand_in = nullptr;

}  // namespace

Result<const GpuApi*> hip_api() {
  static const Result<const GpuApi*> api = [] {
    const std::lock_guard lock(g_hip_mutex);
    auto library = DynamicLibrary::open_first(k_hip_names, g_stand_in);
    if (!library) library.error().message += "; install AMD's driver and ROCm's HIP runtime";
    return finish(std::move(library), bind_hip, why_no_amd_gpu);
  }();
  return api;
}

Result<const GpuApi*> cuda_api() {
  static const Result<const GpuApi*> api = [] {
    auto library = DynamicLibrary::open_first(k_cuda_names);
    if (!library) library.error().message += "; install the NVIDIA driver";
    return finish(std::move(library), bind_cuda);
  }();
  return api;
}

Result<const GpuApi*> simulated_hip_api() {
  static const Result<const GpuApi*> api = [] {
    const std::lock_guard lock(g_hip_mutex);
    auto library = open_stand_in();
    if (library) g_stand_in = new DynamicLibrary(*library);  // stays, like the library
    return finish(std::move(library), bind_hip);
  }();
  return api;
}

Error gpu_error(const GpuApi& api, std::string_view call, GpuStatus status) {
  const char* text = nullptr;
  if (api.hip_error_text != nullptr) text = api.hip_error_text(status);
  if (api.cuda_error_text != nullptr && api.cuda_error_text(status, &text) != 0) text = nullptr;
  constexpr GpuStatus k_out_of_memory = 2;  // hipErrorOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY
  const ErrorCode code = status == k_out_of_memory  ? ErrorCode::out_of_memory
                         : is_of_the_caller(status) ? ErrorCode::invalid_argument
                                                    : ErrorCode::device;
  return {code, fmt::format("{}: {} ({})", call, text != nullptr ? text : "unknown error", status)};
}

// Deinitialised, context invalid or destroyed, handle (the stream, say) invalid; 900 to 908: a stream is being recorded.
bool is_of_the_caller(GpuStatus status) {
  return status == 4 || status == 201 || status == 400 || status == 709 || (status >= 900 && status <= 908);
}

// Uncorrectable ECC; illegal address; launch timeout; assert; stack, instruction, address and program counter errors; launch
// failure.
bool is_sticky(GpuStatus status) {
  return status == 214 || status == 700 || status == 702 || status == 710 || (status >= 714 && status <= 719);
}

}  // namespace convoy
