// Implementation of llvm_conflict.h.
#include "device/llvm_conflict.h"

#include "base/dynlib.h"

namespace convoy {
namespace {

constexpr const char* k_clang = "libclang-cpp.so";
constexpr const char* k_comgr = "libamd_comgr.so";

}  // namespace

Result<void> may_load_comgr() {
  if (DynamicLibrary::is_loaded(k_comgr) || !DynamicLibrary::is_loaded(k_clang)) return {};
  return fail(
      ErrorCode::unsupported,
      "AMD's compiler (HIPRTC, comgr) is not loaded beside the libclang-cpp of an OpenCL driver in this process, "
      "because LLVM might end the process");
}

// AMD's own packages carry comgr with LLVM inside, which harms nobody.
Result<void> may_load_opencl_drivers() {
  if (!DynamicLibrary::is_loaded(k_comgr) || !DynamicLibrary::is_loaded("libLLVM") ||
      DynamicLibrary::is_loaded(k_clang))
    return {};
  return fail(
      ErrorCode::unsupported,
      "OpenCL's drivers are not loaded beside AMD's compiler (libamd_comgr) in this process, because LLVM might end "
      "the process; use OpenCL devices in a process of their own");
}

}  // namespace convoy
