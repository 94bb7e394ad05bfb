// The real hiprtc that compiles for the stand-in, found in the system at first use. It needs no GPU.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sim/hip/abi.h"

namespace convoy::hip {

using RealProgram = void*;

// The functions of a real hiprtc, typed as hip/hiprtc.h declares them.
struct RealHiprtc {
  RtcResult (*create)(RealProgram*, const char*, const char*, int, const char* const*, const char* const*);
  RtcResult (*compile)(RealProgram, int, const char* const*);
  RtcResult (*destroy)(RealProgram*);
  RtcResult (*code)(RealProgram, char*);
  RtcResult (*code_size)(RealProgram, std::size_t*);
  RtcResult (*log)(RealProgram, char*);
  RtcResult (*log_size)(RealProgram, std::size_t*);
  RtcResult (*add_name)(RealProgram, const char*);
  RtcResult (*lowered_name)(RealProgram, const char*, const char**);
  RtcResult (*version)(int*, int*);
  void (*precompiled_header)(const char**, unsigned*);  // null in libhiprtc
  std::string absent;                                   // why there is none
  // What its compiler can compile for: "gfx906"; empty: unknown, so everything is tried. hiprtc 5.2 ends the process when
  // asked for another one.
  std::vector<std::string> architectures;
};

const RealHiprtc& real_hiprtc();

}  // namespace convoy::hip
