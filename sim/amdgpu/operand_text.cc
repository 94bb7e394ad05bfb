// What operand_text.h declares.
#include "operand_text.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>

#include "number.h"
#include "wave.h"

namespace convoy::amdgpu {
namespace {

struct Registers {
  uint16_t index;
  uint8_t count;
};

const Registers* named_register(std::string_view name) {
  static const std::unordered_map<std::string_view, Registers> names{
      {"vcc", {scalar::vcc, 2}},
      {"vcc_lo", {scalar::vcc, 1}},
      {"vcc_hi", {scalar::vcc + 1, 1}},
      {"exec", {scalar::exec, 2}},
      {"exec_lo", {scalar::exec, 1}},
      {"exec_hi", {scalar::exec + 1, 1}},
      {"m0", {scalar::m0, 1}},
      {"null", {scalar::null, 2}},
      {"scc", {scalar::scc, 1}},
      {"src_scc", {scalar::scc, 1}},
      {"flat_scratch", {scalar::flat_scratch, 2}},
      {"flat_scratch_lo", {scalar::flat_scratch, 1}},
      {"flat_scratch_hi", {scalar::flat_scratch + 1, 1}},
      {"xnack_mask", {scalar::xnack_mask, 2}},
      {"xnack_mask_lo", {scalar::xnack_mask, 1}},
      {"xnack_mask_hi", {scalar::xnack_mask + 1, 1}},
      {"src_shared_base", {scalar::shared_base, 2}},
      {"src_shared_limit", {scalar::shared_limit, 2}},
      {"src_private_base", {scalar::private_base, 2}},
      {"src_private_limit", {scalar::private_limit, 2}},
      {"src_lds_direct", {scalar::lds_direct, 1}},
      {"lds_direct", {scalar::lds_direct, 1}},
      {"src_vccz", {scalar::vccz, 1}},
      {"vccz", {scalar::vccz, 1}},
      {"src_execz", {scalar::execz, 1}},
      {"execz", {scalar::execz, 1}},
  };
  const auto found = names.find(name);
  return found == names.end() ? nullptr : &found->second;
}

// sext(v1), neg(v1), -v1, abs(v1), |v1|: one after another, from the outside.
std::string_view take_modifiers(std::string_view text, Operand& o) {
  const auto inside = [&](size_t before) { return text.substr(before, text.size() - before - 1); };
  for (;;) {
    if (text.starts_with("sext(")) {
      o.sign_extend = true;
      text = inside(5);
    } else if (text.starts_with("neg(")) {
      o.negate = !o.negate;
      text = inside(4);
    } else if (text.starts_with("abs(")) {
      o.absolute = true;
      text = inside(4);
    } else if (text.size() > 2 && text.front() == '|' && text.back() == '|') {
      o.absolute = true;
      text = inside(1);
    } else if (text.size() > 1 && text[0] == '-' && !std::isdigit(static_cast<unsigned char>(text[1])) &&
               text[1] != '.') {
      o.negate = true;
      text.remove_prefix(1);
    } else {
      return text;
    }
  }
}

// v5, s[2:3], a7, ttmp4.
bool parse_register(const std::string& text, Operand& o) {
  const size_t prefix = text.starts_with("ttmp") ? 4 : 1;
  const char file = text[0];
  if (prefix == 1 && file != 'v' && file != 's' && file != 'a') return false;
  if (text.size() <= prefix || (!std::isdigit(static_cast<unsigned char>(text[prefix])) && text[prefix] != '['))
    return false;
  int first = 0, last = 0;
  if (text[prefix] == '[') {
    const int found = std::sscanf(text.c_str() + prefix, "[%d:%d]", &first, &last);
    if (found < 1) return false;
    if (found == 1) last = first;
  } else {
    first = last = std::atoi(text.c_str() + prefix);
  }
  const int offset = file == 'a' ? k_first_accumulator : prefix == 4 ? scalar::ttmp : 0;
  o.kind = file == 's' || prefix == 4 ? Kind::scalar : Kind::vector;
  o.index = static_cast<uint16_t>(first + offset);
  o.count = static_cast<uint8_t>(last - first + 1);
  return true;
}

void set_constant(Operand& o, int64_t value, Code& code) {
  o.kind = Kind::constant;
  o.integer = value;
  o.word = static_cast<uint32_t>(value);
  auto& lanes = code.constants[o.word];
  if (!lanes) {
    lanes = std::make_unique<std::array<uint32_t, 64>>();
    lanes->fill(o.word);
  }
  o.lanes = lanes->data();
}

void parse_constant(const std::string& text, Operand& o, bool halves, Code& code) {
  o.is_literal = text.find("0x") != std::string::npos;
  o.is_float = !o.is_literal && text.find_first_of(".e") != std::string::npos;
  if (o.is_float) {
    o.real = std::strtod(text.c_str(), nullptr);
    const auto value = static_cast<float>(o.real);
    return set_constant(o, halves ? float_to_half(value) : to_word(value), code);
  }
  const bool negative = text[0] == '-';
  const auto magnitude = static_cast<int64_t>(std::strtoull(text.c_str() + (negative ? 1 : 0), nullptr, 0));
  set_constant(o, negative ? -magnitude : magnitude, code);
}

// hwreg(NAME, offset, width): only the bases of LDS and private memory have a value; the rest reads as 0.
uint32_t hardware_register(const std::string& text) {
  const size_t name = text.find("SH_MEM_BASES");
  if (name == std::string::npos) return 0;
  int offset = 0, width = 32;
  std::sscanf(text.c_str() + name, "SH_MEM_BASES, %d, %d", &offset, &width);
  const uint32_t bases = (k_shared_aperture & 0xffff0000) | k_private_aperture >> 16;
  return bases >> (offset & 31) & (width < 32 ? (1u << width) - 1 : ~0u);
}

// gpr_idx(SRC0,DST): which operands s_set_gpr_idx_on moves, as M0[15:12] has it.
uint32_t index_mode_bits(std::string_view text) {
  uint32_t result = 0, bit = 1;
  for (const std::string_view name : {"SRC0", "SRC1", "SRC2", "DST"}) {
    if (text.find(name) != std::string_view::npos) result |= bit;
    bit <<= 1;
  }
  return result;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

bool parse_operand(std::string_view whole, Operand& o, bool halves, Code& code) {
  const std::string text(take_modifiers(trimmed(whole), o));
  if (text.empty()) return false;
  if (text == "off") {
    o.kind = Kind::off;
    return true;
  }
  if (text.starts_with("hwreg(")) {
    set_constant(o, hardware_register(text), code);
    return true;
  }
  if (text.starts_with("gpr_idx(")) {
    set_constant(o, index_mode_bits(text), code);
    return true;
  }
  if (const Registers* named = named_register(text)) {
    o.kind = Kind::scalar;
    o.index = named->index;
    o.count = named->count;
    return true;
  }
  if (parse_register(text, o)) return true;
  if (!std::isdigit(static_cast<unsigned char>(text[0])) && text[0] != '-' && text[0] != '.') return false;
  parse_constant(text, o, halves, code);
  return true;
}

}  // namespace convoy::amdgpu
