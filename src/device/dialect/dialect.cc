// Puts the texts of a program together. See opencl.h for the dialect itself.
#include "device/dialect/dialect.h"

#include "dialect_texts.h"

namespace convoy {

std::string_view dialect_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::hip: return k_hip_h;
    case DeviceKind::cuda: return k_cuda_h;
    case DeviceKind::opencl: return k_opencl_h;
    case DeviceKind::cpu: break;
  }
  return "";
}

std::string program_text(DeviceKind kind, const ProgramSource& source) {
  std::string text;
  text.reserve(source.text.size() + 16384);
  for (const std::string& define : source.defines) {
    const std::size_t equals = define.find('=');
    text += "#define " + define.substr(0, equals);
    text += equals == std::string::npos ? std::string(" 1") : " " + define.substr(equals + 1);
    text += '\n';
  }
  text += dialect_of(kind);
  text += "#line 1\n";
  text += source.text;
  return text;
}

}  // namespace convoy
