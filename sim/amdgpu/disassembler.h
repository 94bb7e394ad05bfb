// libLLVM's disassembler, opened at run time: nothing of LLVM is needed to build.
#pragma once

#include <span>
#include <string>

#include "amdgpu.h"

namespace convoy::amdgpu {

class Disassembler {
 public:
  // Empty, or why there is none on this machine.
  static const std::string& missing();

  // Throws Fault where LLVM does not know the target.
  Disassembler(const std::string& architecture, const std::string& features);
  ~Disassembler();
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  // The first instruction's text; its size in bytes, 0: not an instruction.
  size_t next(std::span<const uint8_t> words, std::string& text) const;

 private:
  void* context_ = nullptr;
};

}  // namespace convoy::amdgpu
