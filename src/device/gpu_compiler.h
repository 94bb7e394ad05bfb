// Compilers for HIP and CUDA devices, each opened or found at run time: HIPRTC, comgr (AMD's code object manager), an offline
// clang; NVRTC.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/dynlib.h"
#include "base/result.h"

namespace convoy {

class GpuCompiler {
 public:
  virtual ~GpuCompiler() = default;
  // "hiprtc 5.2"
  virtual std::string version() const = 0;
  // Machine code for `architecture` ("gfx906:sramecc+:xnack-", "sm_90"). An Error carries the beginning of the compiler's log.
  virtual Result<std::string> compile(std::string_view name, const std::string& text,
                                      const std::string& architecture) const = 0;
};

// `runtime` may hold hiprtc itself, as ROCm up to 6 does. An Error says why it cannot be used for `architecture`: older than
// the architecture, HIPRTC crashes rather than refuses (5.2.3 does for gfx1100). `runtime_version` is hipRuntimeGetVersion's.
Result<std::unique_ptr<GpuCompiler>> open_hiprtc(const DynamicLibrary& runtime, int runtime_version,
                                                 std::string_view architecture);
// An Error when it does not know `architecture`.
Result<std::unique_ptr<GpuCompiler>> open_comgr(std::string_view architecture);
// From /opt/rocm/llvm/bin, /usr/lib/llvm-*/bin (the newest) or /usr/bin.
Result<std::unique_ptr<GpuCompiler>> find_clang();
Result<std::unique_ptr<GpuCompiler>> open_nvrtc();

// The first lines of a compiler's log, for an Error.
std::string shortened_log(std::string log);

}  // namespace convoy
