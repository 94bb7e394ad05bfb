// One operand of LLVM's assembly text: a register or a range of them, a constant, with the modifiers around it.
#pragma once

#include <string_view>

#include "instruction.h"

namespace convoy::amdgpu {

std::string_view trimmed(std::string_view text);

// False: this is no operand. `halves`: constants such as 1.0 are 16-bit floats.
bool parse_operand(std::string_view text, Operand& operand, bool halves, Code& code);

}  // namespace convoy::amdgpu
