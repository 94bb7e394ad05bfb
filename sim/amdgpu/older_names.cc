// gfx11 renamed loads, stores, atomics and a few scalar instructions. The table knows the older names.
#include <string>
#include <unordered_map>

#include "decoder.h"

namespace convoy::amdgpu {
namespace {

using Names = std::unordered_map<std::string_view, std::string_view>;

const Names& cell_names() {
  static const Names names{
      {"b32", "dword"},
      {"b64", "dwordx2"},
      {"b96", "dwordx3"},
      {"b128", "dwordx4"},
      {"b256", "dwordx8"},
      {"b512", "dwordx16"},
      {"u8", "ubyte"},
      {"i8", "sbyte"},
      {"u16", "ushort"},
      {"i16", "sshort"},
      {"b8", "byte"},
      {"b16", "short"},
      {"d16_u8", "ubyte_d16"},
      {"d16_i8", "sbyte_d16"},
      {"d16_b16", "short_d16"},
      {"d16_hi_u8", "ubyte_d16_hi"},
      {"d16_hi_i8", "sbyte_d16_hi"},
      {"d16_hi_b16", "short_d16_hi"},
      {"d16_hi_b8", "byte_d16_hi"},
  };
  return names;
}

const Names& atomic_names() {
  static const Names names{
      {"swap_b32", "swap"}, {"swap_b64", "swap_x2"}, {"cmpswap_b32", "cmpswap"}, {"cmpswap_b64", "cmpswap_x2"},
      {"add_u32", "add"},   {"add_u64", "add_x2"},   {"sub_u32", "sub"},         {"sub_u64", "sub_x2"},
      {"min_i32", "smin"},  {"min_i64", "smin_x2"},  {"min_u32", "umin"},        {"min_u64", "umin_x2"},
      {"max_i32", "smax"},  {"max_i64", "smax_x2"},  {"max_u32", "umax"},        {"max_u64", "umax_x2"},
      {"and_b32", "and"},   {"and_b64", "and_x2"},   {"or_b32", "or"},           {"or_b64", "or_x2"},
      {"xor_b32", "xor"},   {"xor_b64", "xor_x2"},   {"inc_u32", "inc"},         {"inc_u64", "inc_x2"},
      {"dec_u32", "dec"},   {"dec_u64", "dec_x2"},   {"min_f32", "fmin"},        {"max_f32", "fmax"},
  };
  return names;
}

// Replaces the beginning.
bool begin_anew(std::string& name, std::string_view old, std::string_view fresh) {
  if (!name.starts_with(old)) return false;
  name.replace(0, old.size(), fresh);
  return true;
}

bool replace_rest(std::string& name, size_t from, const Names& names) {
  const auto found = names.find(std::string_view(name).substr(from));
  if (found == names.end()) return false;
  name.replace(from, std::string::npos, found->second);
  return true;
}

}  // namespace

std::string older_name(std::string name) {
  for (const auto& [fresh, old] :
       {std::pair{"ds_load_2addr_stride64_", "ds_read2st64_"}, std::pair{"ds_load_2addr_", "ds_read2_"},
        std::pair{"ds_store_2addr_stride64_", "ds_write2st64_"}, std::pair{"ds_store_2addr_", "ds_write2_"},
        std::pair{"ds_load_", "ds_read_"}, std::pair{"ds_store_", "ds_write_"},
        std::pair{"s_and_not0_wrexec", "s_andn1_wrexec"}, std::pair{"s_and_not1_wrexec", "s_andn2_wrexec"},
        std::pair{"s_and_not1_b", "s_andn2_b"}, std::pair{"s_or_not1_b", "s_orn2_b"}}) {
    if (begin_anew(name, fresh, old)) break;
  }
  if (name.starts_with("ds_")) return name;
  for (const std::string_view prefix :
       {"global_load_", "flat_load_", "scratch_load_", "buffer_load_", "global_store_", "flat_store_", "scratch_store_",
        "buffer_store_", "s_load_", "s_buffer_load_"}) {
    if (name.starts_with(prefix) && replace_rest(name, prefix.size(), cell_names())) return name;
  }
  if (const size_t at = name.find("_atomic_"); at != std::string::npos) replace_rest(name, at + 8, atomic_names());
  return name;
}

}  // namespace convoy::amdgpu
