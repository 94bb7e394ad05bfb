// The functions of HIP and hiprtc that the stand-in calls, as sim/hip defines them.
#pragma once

#include "abi/miopen.h"
#include "sim/hip/abi.h"

namespace convoy::miopen {

using hip::Error;
using hip::RtcResult;
struct HipModule;
struct HipFunction;
struct RtcProgram;

extern "C" {
Error hipGetDevice(int*);
Error hipSetDevice(int);
Error hipGetDeviceProperties(hip::DeviceProperties*, int);
Error hipModuleLoadData(HipModule**, const void*);
Error hipModuleUnload(HipModule*);
Error hipModuleGetFunction(HipFunction**, HipModule*, const char*);
Error hipModuleLaunchKernel(HipFunction*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Queue,
                            void**, void**);
Error hipStreamSynchronize(Queue);
const char* hipGetErrorName(Error);
RtcResult hiprtcCreateProgram(RtcProgram**, const char*, const char*, int, const char* const*, const char* const*);
RtcResult hiprtcCompileProgram(RtcProgram*, int, const char* const*);
RtcResult hiprtcDestroyProgram(RtcProgram**);
RtcResult hiprtcGetCodeSize(RtcProgram*, std::size_t*);
RtcResult hiprtcGetCode(RtcProgram*, char*);
RtcResult hiprtcGetProgramLogSize(RtcProgram*, std::size_t*);
RtcResult hiprtcGetProgramLog(RtcProgram*, char*);
}

}  // namespace convoy::miopen
