// All of a module's text, from its first word to its last. Data between functions is decoded too, to instructions nobody reaches.
#include "decoder.h"

#include <cstdio>
#include <cstring>

#include "disassembler.h"
#include "wave.h"

namespace convoy::amdgpu {
namespace {

uint32_t word_at(std::span<const uint8_t> text, size_t at) {
  uint32_t word = 0;
  std::memcpy(&word, text.data() + at, sizeof word);
  return word;
}

// v_pk_fmac_f16 with DPP: gfx10 has it (AMD's kernels use it), LLVM 15 cannot print it.
size_t packed_fmac_dpp(std::span<const uint8_t> text, std::string& line) {
  if (text.size() < 8) return 0;
  const uint32_t x = word_at(text, 0), y = word_at(text, 4);
  const bool quad_perm = (y >> 8 & 511) < 256;
  if (x >> 25 != 60 || (x & 511) != 250 || !quad_perm) return 0;
  char buffer[160];
  std::snprintf(buffer, sizeof buffer,
                "v_pk_fmac_f16_dpp v%u, v%u, v%u quad_perm:[%u,%u,%u,%u] row_mask:0x%x bank_mask:0x%x%s", x >> 17 & 255,
                y & 255, x >> 9 & 255, y >> 8 & 3, y >> 10 & 3, y >> 12 & 3, y >> 14 & 3, y >> 28, y >> 24 & 15,
                y >> 19 & 1 ? " bound_ctrl:1" : "");
  line = buffer;
  return 8;
}

std::unique_ptr<Instruction> undecodable(uint32_t word) {
  auto i = std::make_unique<Instruction>();
  char text[40];
  std::snprintf(text, sizeof text, "<undecodable word %08x>", word);
  i->text = text;
  i->unknown = true;
  i->run = [](Wave& w, const Instruction&) { w.fault("the disassembler does not know this instruction"); };
  return i;
}

std::string features_of(const Target& target) {
  if (target.generation < 1000) return "";
  return target.wave64 ? "+wavefrontsize64,-wavefrontsize32" : "+wavefrontsize32,-wavefrontsize64";
}

}  // namespace

int generation_of(std::string_view architecture) {
  if (architecture == "gfx90a") return 910;
  return std::atoi(std::string(architecture.substr(3)).c_str());
}

Code decode(const Target& target, std::span<const uint8_t> text) {
  const Disassembler disassembler(target.architecture, features_of(target));
  Code code;
  code.base = reinterpret_cast<uint64_t>(text.data());
  code.size = text.size();
  code.at.resize((text.size() + 3) / 4);
  std::string line;
  for (size_t at = 0; at + 4 <= text.size();) {
    const auto rest = text.subspan(at);
    size_t size = disassembler.next(rest, line);
    if (size == 0 && target.generation >= 1000) size = packed_fmac_dpp(rest, line);
    if (size == 0) {
      code.at[at / 4] = undecodable(word_at(text, at));
      at += 4;
      continue;
    }
    code.at[at / 4] = parse(line, static_cast<uint32_t>(size), code);
    at += size;
  }
  return code;
}

}  // namespace convoy::amdgpu
