// A GPU runtime nobody should have to meet, under the names of HIP, CUDA and OpenCL: for device_faults_test.cc, which installs it
// as libamdhip64.so.7, libcuda.so.1 or libOpenCL.so.1. CONVOY_TEST_HOSTILE says how it misbehaves: "failing", every call is an
// error; "empty", there is no device; "garbage", every call succeeds and writes nonsense.
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

enum class Manner { failing, empty, garbage };

Manner manner() {
  const char* text = std::getenv("CONVOY_TEST_HOSTILE");
  const std::string_view name = text == nullptr ? "" : text;
  return name == "garbage" ? Manner::garbage : name == "empty" ? Manner::empty : Manner::failing;
}

int answer() {
  return manner() == Manner::failing ? 999 : 0;
}

int count(int* number) {
  *number = manner() == Manner::garbage ? 1000000 : 0;
  return answer();
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))
#define HOSTILE(name) \
  EXPORT int name() { \
    return answer();  \
  }

// What writes through its arguments.
EXPORT int hipGetDeviceCount(int* number) {
  return count(number);
}
EXPORT int cuDeviceGetCount(int* number) {
  return count(number);
}
EXPORT int hipDeviceGetName(char* name, int bytes, int) {
  std::memset(name, 0xff, static_cast<std::size_t>(bytes));
  return answer();
}
EXPORT int cuDeviceGetName(char* name, int bytes, int) {
  std::memset(name, 0xff, static_cast<std::size_t>(bytes));
  return answer();
}
EXPORT int hipDeviceGetAttribute(int* value, int, int) {
  *value = -1;
  return answer();
}
EXPORT int cuDeviceGetAttribute(int* value, int, int) {
  *value = -1;
  return answer();
}
EXPORT int hipGetDeviceProperties(void* properties, int) {
  std::memset(properties, 0xff, 792);
  return answer();
}
EXPORT const char* hipGetErrorString(int) {
  return nullptr;
}
EXPORT int clGetPlatformIDs(unsigned, void** platforms, unsigned* number) {
  if (platforms != nullptr) platforms[0] = nullptr;
  if (number != nullptr) *number = manner() == Manner::garbage ? 1 : 0;
  return manner() == Manner::failing ? -1001 : 0;
}
EXPORT int clGetDeviceIDs(void*, unsigned long, unsigned room, void** devices, unsigned* number) {
  std::memset(devices, 0, room * sizeof *devices);
  *number = 1000000;
  return answer();
}
EXPORT int clGetDeviceInfo(void*, unsigned, std::size_t room, void* value, std::size_t* size) {
  if (value != nullptr) std::memset(value, 0xff, room);
  if (size != nullptr) *size = ~std::size_t{0};
  return answer();
}
EXPORT void* clCreateContext(const void*, unsigned, const void*, void*, void*, int*) {
  return nullptr;
}

HOSTILE(hipInit)
HOSTILE(hipDeviceTotalMem)
HOSTILE(hipDriverGetVersion)
HOSTILE(hipMemGetInfo)
HOSTILE(hipMalloc)
HOSTILE(hipFree)
HOSTILE(hipMemcpyHtoDAsync)
HOSTILE(hipMemcpyDtoHAsync)
HOSTILE(hipMemsetD8Async)
HOSTILE(hipStreamSynchronize)
HOSTILE(hipStreamIsCapturing)
HOSTILE(hipEventCreateWithFlags)
HOSTILE(hipEventDestroy)
HOSTILE(hipEventRecord)
HOSTILE(hipEventSynchronize)
HOSTILE(hipEventElapsedTime)
HOSTILE(hipModuleLoadData)
HOSTILE(hipModuleUnload)
HOSTILE(hipModuleGetFunction)
HOSTILE(hipModuleLaunchKernel)
HOSTILE(hipRuntimeGetVersion)
HOSTILE(hipSetDevice)
HOSTILE(hipGetDevice)
HOSTILE(hipGetLastError)
HOSTILE(cuInit)
HOSTILE(cuDeviceTotalMem_v2)
HOSTILE(cuDriverGetVersion)
HOSTILE(cuMemGetInfo_v2)
HOSTILE(cuMemAlloc_v2)
HOSTILE(cuMemFree_v2)
HOSTILE(cuMemcpyHtoDAsync_v2)
HOSTILE(cuMemcpyDtoHAsync_v2)
HOSTILE(cuMemsetD8Async)
HOSTILE(cuStreamSynchronize)
HOSTILE(cuStreamIsCapturing)
HOSTILE(cuEventCreate)
HOSTILE(cuEventDestroy_v2)
HOSTILE(cuEventRecord)
HOSTILE(cuEventSynchronize)
HOSTILE(cuEventElapsedTime)
HOSTILE(cuModuleLoadData)
HOSTILE(cuModuleUnload)
HOSTILE(cuModuleGetFunction)
HOSTILE(cuLaunchKernel)
HOSTILE(cuGetErrorString)
HOSTILE(cuDevicePrimaryCtxRetain)
HOSTILE(cuDevicePrimaryCtxRelease_v2)
HOSTILE(cuCtxGetCurrent)
HOSTILE(cuCtxPushCurrent_v2)
HOSTILE(cuCtxPopCurrent_v2)
HOSTILE(clGetPlatformInfo)
HOSTILE(clReleaseContext)
HOSTILE(clCreateCommandQueue)
HOSTILE(clReleaseCommandQueue)
HOSTILE(clCreateBuffer)
HOSTILE(clReleaseMemObject)
HOSTILE(clEnqueueWriteBuffer)
HOSTILE(clEnqueueReadBuffer)
HOSTILE(clEnqueueFillBuffer)
HOSTILE(clFinish)
HOSTILE(clFlush)
HOSTILE(clCreateProgramWithSource)
HOSTILE(clCreateProgramWithBinary)
HOSTILE(clBuildProgram)
HOSTILE(clGetProgramBuildInfo)
HOSTILE(clGetProgramInfo)
HOSTILE(clReleaseProgram)
HOSTILE(clCreateKernel)
HOSTILE(clReleaseKernel)
HOSTILE(clSetKernelArg)
HOSTILE(clEnqueueNDRangeKernel)
