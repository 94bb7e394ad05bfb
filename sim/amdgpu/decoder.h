// From machine code to Instructions: LLVM's disassembler gives text, parse() takes it apart, the table gives it its meaning.
// What cannot be parsed or has no meaning becomes an instruction that ends the launch when it is reached, and says why.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "instruction.h"

namespace convoy::amdgpu {

struct Target {
  std::string architecture;  // "gfx1030"
  int generation = 0;        // 1030; 910 for gfx90a
  bool wave64 = true;
};

// Generation of "gfx90a" and the like.
int generation_of(std::string_view architecture);

// Decodes `text`, which stays where it is. Throws Fault where there is no disassembler.
Code decode(const Target& target, std::span<const uint8_t> text);

// One instruction's text. `code` owns its constants.
std::unique_ptr<Instruction> parse(std::string_view text, uint32_t size, Code& code);

// gfx11's names of what older generations have too, and names without the encoding's suffix.
std::string older_name(std::string name);

}  // namespace convoy::amdgpu
