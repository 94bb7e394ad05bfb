// A program linked against the stand-in, started by ctest with different CONVOY_SIM_* variables. Prints what it sees.
#include <cstdio>
#include <string>

#include "sim/hip/abi.h"

using convoy::hip::DeviceProperties;
using convoy::hip::Error;
using convoy::hip::RtcResult;

extern "C" {
Error hipGetDeviceCount(int*);
Error hipGetDeviceProperties(DeviceProperties*, int);
const char* hipGetErrorName(Error);
RtcResult hiprtcCreateProgram(void**, const char*, const char*, int, const char**, const char**);
RtcResult hiprtcCompileProgram(void*, int, const char**);
RtcResult hiprtcGetProgramLogSize(void*, std::size_t*);
RtcResult hiprtcGetProgramLog(void*, char*);
}

int main() {
  int count = 0;
  std::printf("count: %s\n", hipGetErrorName(hipGetDeviceCount(&count)));
  for (int i = 0; i < count; ++i) {
    DeviceProperties properties{};
    hipGetDeviceProperties(&properties, i);
    std::printf("card %d: %s\n", i, properties.gcn_arch_name);
  }
  void* program = nullptr;
  hiprtcCreateProgram(&program, "extern \"C\" __global__ void k() {}", "k.hip", 0, nullptr, nullptr);
  const char* options[] = {"--offload-arch=gfx906"};
  RtcResult result = hiprtcCompileProgram(program, 1, options);
  std::size_t bytes = 1;
  hiprtcGetProgramLogSize(program, &bytes);
  std::string log(bytes, '\0');
  hiprtcGetProgramLog(program, log.data());
  std::printf("compile: %d %s\n", static_cast<int>(result), log.c_str());
}
