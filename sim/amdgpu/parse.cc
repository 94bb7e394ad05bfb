// One line of LLVM's assembly text into an Instruction: mnemonic, operands with their modifiers, then the words behind them.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <vector>

#include "decoder.h"
#include "operand_text.h"
#include "table.h"

namespace convoy::amdgpu {
namespace {

// At a character that is not inside brackets or quotes.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t n = 0; n < text.size(); n++) {
    if (text[n] == '[' || text[n] == '(') depth++;
    if (text[n] == ']' || text[n] == ')') depth--;
    if (text[n] != separator || depth) continue;
    parts.push_back(text.substr(begin, n - begin));
    begin = n + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// Numbers between brackets: "[0,1,2]".
std::vector<int> numbers(std::string_view text) {
  std::vector<int> result;
  text.remove_prefix(std::min(text.size(), text.find('[') + 1));
  for (const auto part : split(text.substr(0, text.find(']')), ','))
    result.push_back(std::atoi(std::string(part).c_str()));
  return result;
}

uint8_t bits(std::string_view list) {
  unsigned result = 0, n = 0;
  for (const int bit : numbers(list)) result |= static_cast<unsigned>(bit & 1) << n++;
  return static_cast<uint8_t>(result);
}

int number(std::string_view text) {
  return static_cast<int>(std::strtol(std::string(text).c_str(), nullptr, 0));
}

uint8_t selection(std::string_view name) {
  static constexpr std::string_view k_names[] = {"BYTE_0", "BYTE_1", "BYTE_2", "BYTE_3", "WORD_0", "WORD_1"};
  return static_cast<uint8_t>(std::find(std::begin(k_names), std::end(k_names), name) - std::begin(k_names));
}

// DS_SWIZZLE's offset: "swizzle(QUAD_PERM,a,b,c,d)", SWAP,n, REVERSE,n, BROADCAST,n,i or BITMASK_PERM,"01pi." with a letter a bit.
std::optional<int> swizzle_offset(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find('(') + 1));
  const auto parts = split(text.substr(0, text.find(')')), ',');
  const auto at = [&](size_t n) { return n < parts.size() ? number(trimmed(parts[n])) : 0; };
  if (parts[0] == "QUAD_PERM") return 0x8000 | at(1) | at(2) << 2 | at(3) << 4 | at(4) << 6;
  if (parts[0] == "SWAP") return at(1) << 10 | 0x1f;
  if (parts[0] == "REVERSE") return (at(1) - 1) << 10 | 0x1f;
  if (parts[0] == "BROADCAST") return at(2) << 5 | (32 - at(1));
  if (parts[0] != "BITMASK_PERM" || parts.size() < 2) return std::nullopt;
  int keep = 0, set = 0, flip = 0, bit = 16;
  for (const char c : parts[1]) {
    if (c != '0' && c != '1' && c != 'p' && c != 'i') continue;
    if (c == '1') set |= bit;
    if (c == 'p' || c == 'i') keep |= bit;
    if (c == 'i') flip |= bit;
    bit >>= 1;
  }
  return flip << 10 | set << 5 | keep;
}

struct DppName {
  std::string_view name;
  Dpp control;
};
constexpr DppName k_dpp[] = {
    {"row_shl", Dpp::row_shl},     {"row_shr", Dpp::row_shr},       {"row_ror", Dpp::row_ror},
    {"wave_shl", Dpp::wave_shl},   {"wave_rol", Dpp::wave_rol},     {"wave_shr", Dpp::wave_shr},
    {"wave_ror", Dpp::wave_ror},   {"row_mirror", Dpp::row_mirror}, {"row_half_mirror", Dpp::row_half_mirror},
    {"row_share", Dpp::row_share}, {"row_xmask", Dpp::row_xmask},   {"quad_perm", Dpp::quad_perm},
    {"dpp8", Dpp::dpp8},
};

bool set_dpp(Instruction& i, std::string_view key, std::string_view value) {
  if (key == "row_bcast") {
    i.dpp = number(value) == 15 ? Dpp::row_bcast15 : Dpp::row_bcast31;
    return true;
  }
  const auto* found =
      std::find_if(std::begin(k_dpp), std::end(k_dpp), [&](const DppName& one) { return one.name == key; });
  if (found == std::end(k_dpp)) return false;
  i.dpp = found->control;
  if (i.dpp != Dpp::quad_perm && i.dpp != Dpp::dpp8) {
    i.dpp_argument = static_cast<uint32_t>(number(value));
    return true;
  }
  const int width = i.dpp == Dpp::quad_perm ? 2 : 3;
  int shift = 0;
  for (const int lane : numbers(value)) {
    i.dpp_argument |= static_cast<uint32_t>(lane) << shift;
    shift += width;
  }
  return true;
}

// Words of which only the presence matters; true also for those that mean nothing here (cache policies).
bool set_flag(Instruction& i, std::string_view key) {
  if (key == "glc" || key == "sc0")
    i.glc = true;
  else if (key == "offen")
    i.offen = true;
  else if (key == "idxen")
    i.idxen = true;
  else if (key == "lds")
    i.to_lds = true;
  else if (key == "clamp")
    i.clamp = true;
  else
    return key == "slc" || key == "dlc" || key == "nv" || key == "sc1" || key == "nt";
  return true;
}

// "key:value" behind the operands.
bool set_value(Instruction& i, std::string_view key, std::string_view value) {
  const auto byte = [&] { return static_cast<uint8_t>(number(value)); };
  if (key == "offset" && value.starts_with("swizzle")) {
    const auto offset = swizzle_offset(value);
    i.offset = offset.value_or(0);
    return offset.has_value();
  }
  if (key == "offset")
    i.offset = number(value);
  else if (key == "offset0")
    i.offset0 = number(value);
  else if (key == "offset1")
    i.offset1 = number(value);
  else if (key == "mul")
    i.output_scale = value == "2" ? 1 : 2;
  else if (key == "div")
    i.output_scale = 3;
  else if (key == "op_sel")
    i.op_sel = bits(value);
  else if (key == "neg_lo")
    i.neg_lo = bits(value);
  else if (key == "neg_hi")
    i.neg_hi = bits(value);
  else if (key == "dst_sel")
    i.dst_sel = selection(value);
  else if (key == "src0_sel")
    i.src0_sel = selection(value);
  else if (key == "src1_sel")
    i.src1_sel = selection(value);
  else if (key == "cbsz")
    i.cbsz = byte();
  else if (key == "abid")
    i.abid = byte();
  else if (key == "blgp")
    i.blgp = byte();
  else if (key == "row_mask")
    i.row_mask = byte();
  else if (key == "bank_mask")
    i.bank_mask = byte();
  else if (key == "bound_ctrl")
    i.bound_ctrl = true;
  else if (key == "fi")
    i.fetch_inactive = byte();
  else if (key == "op_sel_hi")
    i.op_sel_hi = bits(value), i.op_sel_hi_given = true;
  else if (key == "dst_unused")
    i.dst_unused = value == "UNUSED_SEXT"       ? Unused::sign_extend
                   : value == "UNUSED_PRESERVE" ? Unused::preserve
                                                : Unused::zero;
  else
    return set_dpp(i, key, value);
  return true;
}

bool set_modifier(Instruction& i, std::string_view word) {
  const size_t colon = word.find(':');
  if (colon == std::string_view::npos) return set_flag(i, word) || set_dpp(i, word, "");
  return set_value(i, word.substr(0, colon), word.substr(colon + 1));
}

// Encodings that LLVM names behind the mnemonic.
std::string without_encoding(std::string name, bool& sdwa) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view suffix : {"_e32", "_e64", "_dpp8", "_dpp", "_sdwa", "_vi", "_gfx9", "_gfx10"}) {
      if (name.size() <= suffix.size() || !name.ends_with(suffix)) continue;
      sdwa |= suffix == "_sdwa";
      name.resize(name.size() - suffix.size());
      again = true;
    }
  }
  return name;
}

// Is an inline constant such as 1.0 a half here.
bool has_half_constants(std::string_view name) {
  return name.ends_with("_f16") && name.find("mix") == std::string_view::npos &&
         name.find("dot") == std::string_view::npos;
}

// The table's entry, by the mnemonic and what else tells its variants apart.
const Entry* entry_of(const Instruction& i, int operands) {
  const std::string& name = i.mnemonic;
  const bool old_carry = name == "v_add_u32" || name == "v_sub_u32" || name == "v_subrev_u32";
  if (old_carry && operands >= 4) return table().find(name + " carry");  // gfx8
  if (i.clamp) {
    if (const Entry* saturating = table().find(name + " clamp")) return saturating;
  }
  return table().find(name);
}

// op_sel outside of 16-bit and packed instructions would be ignored: say so instead. For dot products it would pick halves.
bool ignores_op_sel(std::string_view name) {
  if (name.starts_with("v_dot")) return true;
  for (const std::string_view known : {"16", "pk_", "mix", "permlane"}) {
    if (name.find(known) != std::string_view::npos) return false;
  }
  return true;
}

// Operands are separated by commas; behind the last one, and behind its blanks, stand the modifiers. Returns what is wrong.
std::string parse_operands(std::string_view text, Instruction& i, int& count, Code& code) {
  const bool halves = has_half_constants(i.mnemonic);
  for (const auto part : split(text, ',')) {
    bool first = true;
    for (const auto word : split(trimmed(part), ' ')) {
      if (word.empty()) continue;
      if (first && count == static_cast<int>(std::size(i.operands))) return "too many operands";
      if (first && parse_operand(word, i.operands[count], halves, code))
        count++;
      else if (!set_modifier(i, word))
        return "unknown modifier or operand '" + std::string(word) + "'";
      first = false;
    }
  }
  return "";
}

std::string parse_one(std::string_view text, Instruction& i, Code& code) {
  i.text = trimmed(text.substr(0, text.find("//")));
  const std::string_view line = i.text;
  const size_t blank = line.find_first_of(" \t");
  std::string name(line.substr(0, blank));
  if (name.starts_with("v_dual_")) name.erase(2, 5);
  i.mnemonic = older_name(without_encoding(std::move(name), i.sdwa));
  const Entry* plain = table().find(i.mnemonic);
  if (plain && plain->run == do_nothing) {
    i.run = do_nothing;
    return "";
  }
  int count = 0;
  if (blank != std::string_view::npos) {
    if (auto wrong = parse_operands(trimmed(line.substr(blank)), i, count, code); !wrong.empty()) return wrong;
  }
  const Entry* entry = entry_of(i, count);
  if (!entry) return "no meaning for " + i.mnemonic;
  if (i.op_sel && ignores_op_sel(i.mnemonic)) return "op_sel of " + i.mnemonic;
  i.run = entry->run;
  i.kind = entry->kind;
  i.flops = entry->flops;
  i.arg = entry->arg;
  i.arg2 = entry->arg2;
  i.first_source = entry->first_source;
  // v_cmpx of gfx10 and newer has no destination.
  if (i.mnemonic.starts_with("v_cmp") && count < 3) i.first_source = 0;
  i.modified = i.dpp != Dpp::none || i.sdwa || i.clamp || i.output_scale;
  for (const Operand& o : i.operands) i.modified |= o.negate || o.absolute || o.sign_extend;
  return "";
}

// Both instructions of a pair: "v_dual_x ... :: v_dual_y ...".
std::string parse_pair(std::string_view text, size_t separator, Instruction& i, Code& code) {
  auto second = std::make_unique<Instruction>();
  std::string wrong =
      parse_one(text.substr(0, separator), i, code) + parse_one(text.substr(separator + 4), *second, code);
  i.text = trimmed(text);
  if (!wrong.empty()) return wrong;
  for (const Operand& o : second->operands) {
    if (&o != second->operands) i.second_reads_first |= o.kind == Kind::vector && o.index == i.operands[0].index;
  }
  i.first_run = i.run;
  i.run = run_dual;
  i.flops = static_cast<uint8_t>(i.flops + second->flops);
  if (second->kind == Class::fma) i.kind = Class::fma;
  i.second = std::move(second);
  return "";
}

}  // namespace

std::unique_ptr<Instruction> parse(std::string_view text, uint32_t size, Code& code) {
  auto i = std::make_unique<Instruction>();
  i->size = static_cast<uint8_t>(size);
  const size_t separator = text.find(" :: ");
  const std::string wrong =
      separator == std::string_view::npos ? parse_one(text, *i, code) : parse_pair(text, separator, *i, code);
  if (wrong.empty()) return i;
  i->unknown = true;
  i->text += "  <" + wrong + ">";
  i->run = [](Wave& w, const Instruction&) { w.fault("this instruction is not modelled"); };
  return i;
}

}  // namespace convoy::amdgpu
