// The functions of the OpenCL loader that are used here, bound at run time.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace convoy {

#define CONVOY_OPENCL_FUNCTIONS(X)                                                                                  \
  X(clGetPlatformIDs)                                                                                               \
  X(clGetPlatformInfo)                                                                                              \
  X(clGetDeviceIDs)                                                                                                 \
  X(clGetDeviceInfo)                                                                                                \
  X(clCreateContext) X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue) X(clCreateBuffer)         \
      X(clReleaseMemObject) X(clEnqueueWriteBuffer) X(clEnqueueReadBuffer) X(clEnqueueFillBuffer) X(clFinish)       \
          X(clFlush) X(clCreateProgramWithSource) X(clCreateProgramWithBinary) X(clBuildProgram)                    \
              X(clGetProgramBuildInfo) X(clGetProgramInfo) X(clReleaseProgram) X(clCreateKernel) X(clReleaseKernel) \
                  X(clSetKernelArg) X(clEnqueueNDRangeKernel)

struct OpenclApi {
#define X(name) decltype(&::name) name = nullptr;
  CONVOY_OPENCL_FUNCTIONS(X)
#undef X

  // Opened once for the process; an Error says what is missing.
  static Result<const OpenclApi*> get();
};

// "clFinish: CL_OUT_OF_RESOURCES (-5)"; the code says whether memory was wanting.
Error opencl_error(std::string_view call, cl_int status);

}  // namespace convoy
