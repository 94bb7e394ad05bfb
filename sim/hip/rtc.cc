// hiprtc: a real one compiles (rtc_library.h). Programs get handles of ours, whose log tells when no compiler is here, when
// it does not know the architecture, or when a failure was planned.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/hip/rtc_library.h"
#include "sim/hip/runtime.h"

namespace convoy::hip {
namespace {

struct Program {
  RealProgram real = nullptr;
  std::string own_log;  // instead of the compiler's
};

std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

// Without the runtime's lock: compiling is slow and concerns no card. One call at a time all the same: hiprtc 5.2.3 crashes,
// some times in ten, when its first calls come from several threads, and its compiler runs one compilation at a time anyway.
// `body` gets the real functions.
template <typename Body>
RtcResult forward(const char* name, Body&& body) {
  {
    std::lock_guard lock(Runtime::instance().mutex);
    if (int planned = Runtime::instance().count_call(name); planned != 0) return RtcResult{planned};
  }
  std::lock_guard lock(one_at_a_time());
  const RealHiprtc& real = real_hiprtc();
  return real.absent.empty() ? body(real) : RtcResult::internal_error;
}

// What follows the = of an option that names an architecture; nothing for other options.
std::optional<std::string_view> architecture_in(std::string_view option) {
  for (std::string_view name : {"--offload-arch", "--gpu-architecture", "--cuda-gpu-arch"}) {
    if (option.starts_with(name)) return option.substr(std::min(name.size() + 1, option.size()));
  }
  return std::nullopt;
}

// The program's options. Without an architecture the real hiprtc would ask its device for one, and has none.
std::vector<std::string> complete_options(int count, const char* const* options) {
  std::vector<std::string> all(options, options + count);
  for (const std::string& option : all) {
    if (architecture_in(option)) return all;
  }
  std::lock_guard lock(Runtime::instance().mutex);
  DevicePointer device = Runtime::instance().current_device();
  if (device != nullptr) all.push_back("--offload-arch=" + std::string(device->card->full_name));
  return all;
}

// The first architecture among the options that the compiler does not know, or empty.
std::string unknown_architecture(const RealHiprtc& real, const std::vector<std::string>& options) {
  for (const std::string& option : options) {
    std::string_view wanted = architecture_in(option).value_or("");
    wanted = wanted.substr(0, wanted.find(':'));
    bool known = real.architectures.empty() || wanted.empty();
    for (const std::string& name : real.architectures) known = known || name == wanted;
    if (!known) return std::string(wanted);
  }
  return {};
}

// After a compilation that failed before it began.
RtcResult failed(Program& program, RtcResult result, std::string log) {
  program.own_log = std::move(log);
  return result;
}

}  // namespace

CONVOY_HIP_EXPORT RtcResult hiprtcCreateProgram(Program** result, const char* source, const char* name, int headers,
                                                const char* const* header_texts, const char* const* header_names) {
  if (result == nullptr || source == nullptr) return RtcResult::invalid_input;
  auto program = std::make_unique<Program>();
  RtcResult made = forward(__func__, [&](const RealHiprtc& real) {
    return real.create(&program->real, source, name, headers, header_texts, header_names);
  });
  // Where no compiler is, the program can be made, and its log says why it cannot be compiled.
  bool has_log_only = made == RtcResult::internal_error && !real_hiprtc().absent.empty();
  if (made == RtcResult::success || has_log_only) *result = program.release();
  return has_log_only ? RtcResult::success : made;
}

CONVOY_HIP_EXPORT RtcResult hiprtcCompileProgram(Program* program, int count, const char* const* options) {
  if (program == nullptr || count < 0 || (count > 0 && options == nullptr)) return RtcResult::invalid_input;
  bool reached = false;
  RtcResult result = forward(__func__, [&](const RealHiprtc& real) {
    reached = true;
    std::vector<std::string> all = complete_options(count, options);
    if (std::string unknown = unknown_architecture(real, all); !unknown.empty()) {
      return failed(*program, RtcResult::compilation, "this hiprtc cannot compile for " + unknown);
    }
    std::vector<const char*> pointers;
    for (const std::string& option : all) pointers.push_back(option.c_str());
    return real.compile(program->real, static_cast<int>(pointers.size()), pointers.data());
  });
  if (reached) return result;
  if (!real_hiprtc().absent.empty()) return failed(*program, RtcResult::compilation, real_hiprtc().absent);
  return failed(*program, result, "a planned failure of hiprtcCompileProgram");
}

CONVOY_HIP_EXPORT RtcResult hiprtcDestroyProgram(Program** program) {
  if (program == nullptr || *program == nullptr) return RtcResult::invalid_input;
  std::unique_ptr<Program> gone(std::exchange(*program, nullptr));
  if (gone->real == nullptr) return RtcResult::success;
  return forward(__func__, [&](const RealHiprtc& real) { return real.destroy(&gone->real); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcGetCode(Program* program, char* code) {
  if (program == nullptr || code == nullptr) return RtcResult::invalid_input;
  return forward(__func__, [&](const RealHiprtc& real) { return real.code(program->real, code); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcGetCodeSize(Program* program, std::size_t* bytes) {
  if (program == nullptr || bytes == nullptr) return RtcResult::invalid_input;
  return forward(__func__, [&](const RealHiprtc& real) { return real.code_size(program->real, bytes); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcGetProgramLog(Program* program, char* log) {
  if (program == nullptr || log == nullptr) return RtcResult::invalid_input;
  if (!program->own_log.empty()) {
    std::memcpy(log, program->own_log.c_str(), program->own_log.size() + 1);
    return RtcResult::success;
  }
  return forward(__func__, [&](const RealHiprtc& real) { return real.log(program->real, log); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcGetProgramLogSize(Program* program, std::size_t* bytes) {
  if (program == nullptr || bytes == nullptr) return RtcResult::invalid_input;
  if (!program->own_log.empty()) {
    *bytes = program->own_log.size() + 1;
    return RtcResult::success;
  }
  return forward(__func__, [&](const RealHiprtc& real) { return real.log_size(program->real, bytes); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcAddNameExpression(Program* program, const char* expression) {
  if (program == nullptr || expression == nullptr) return RtcResult::invalid_input;
  return forward(__func__, [&](const RealHiprtc& real) { return real.add_name(program->real, expression); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcGetLoweredName(Program* program, const char* expression, const char** lowered) {
  if (program == nullptr || expression == nullptr || lowered == nullptr) return RtcResult::invalid_input;
  return forward(__func__,
                 [&](const RealHiprtc& real) { return real.lowered_name(program->real, expression, lowered); });
}

CONVOY_HIP_EXPORT RtcResult hiprtcVersion(int* major, int* minor) {
  return forward(__func__, [&](const RealHiprtc& real) { return real.version(major, minor); });
}

CONVOY_HIP_EXPORT const char* hiprtcGetErrorString(RtcResult result) {
  switch (result) {
    case RtcResult::success: return "HIPRTC_SUCCESS";
    case RtcResult::out_of_memory: return "HIPRTC_ERROR_OUT_OF_MEMORY";
    case RtcResult::program_creation_failure: return "HIPRTC_ERROR_PROGRAM_CREATION_FAILURE";
    case RtcResult::invalid_input: return "HIPRTC_ERROR_INVALID_INPUT";
    case RtcResult::invalid_program: return "HIPRTC_ERROR_INVALID_PROGRAM";
    case RtcResult::invalid_option: return "HIPRTC_ERROR_INVALID_OPTION";
    case RtcResult::compilation: return "HIPRTC_ERROR_COMPILATION";
    case RtcResult::builtin_operation_failure: return "HIPRTC_ERROR_BUILTIN_OPERATION_FAILURE";
    case RtcResult::no_name_expressions_after_compilation: return "HIPRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION";
    case RtcResult::no_lowered_names_before_compilation: return "HIPRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION";
    case RtcResult::name_expression_not_valid: return "HIPRTC_ERROR_NAME_EXPRESSION_NOT_VALID";
    case RtcResult::internal_error: break;
  }
  return "HIPRTC_ERROR_INTERNAL_ERROR";
}

CONVOY_HIP_EXPORT void __hipGetPCH(const char** header, unsigned* bytes) {
  *header = nullptr;
  *bytes = 0;
  const RealHiprtc& real = real_hiprtc();
  if (real.absent.empty() && real.precompiled_header != nullptr) real.precompiled_header(header, bytes);
}

}  // namespace convoy::hip
