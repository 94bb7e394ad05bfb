// Debian's libamd_comgr holds a clang of its own and shares libLLVM with libclang-cpp, which PoCL and Mesa's OpenCL drivers
// load. Both clangs register their options there, and LLVM ends the process at the second ("registered more than once"). So
// whichever a process has first stays the only one, and whoever wants the other is told why not.
#pragma once

#include "base/result.h"

namespace convoy {

// Before HIPRTC or comgr, which hold AMD's clang.
Result<void> may_load_comgr();
// Before the OpenCL loader loads all drivers there are.
Result<void> may_load_opencl_drivers();

}  // namespace convoy
