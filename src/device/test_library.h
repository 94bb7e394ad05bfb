// For tests: the bytes of a small shared library with a name of its own and some constants, as elf(5) has them. It cannot be run.
#pragma once

#include <elf.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace convoy {

inline std::string test_library(std::string_view soname, std::string_view constants = "") {
  constexpr std::string_view k_section_names("\0.rodata\0.shstrtab\0", 19);
  const std::string strings = '\0' + std::string(soname) + '\0';
  const auto offset_after = [](std::size_t offset, std::size_t size) { return (offset + size + 7) / 8 * 8; };
  const std::size_t segments_at = sizeof(Elf64_Ehdr);
  const std::size_t dynamic_at = segments_at + 2 * sizeof(Elf64_Phdr);
  const std::size_t strings_at = dynamic_at + 3 * sizeof(Elf64_Dyn);
  const std::size_t constants_at = offset_after(strings_at, strings.size());
  const std::size_t names_at = offset_after(constants_at, constants.size());
  const std::size_t sections_at = offset_after(names_at, k_section_names.size());
  const std::size_t size = sections_at + 3 * sizeof(Elf64_Shdr);
  constexpr std::size_t k_address = 0x10000;  // where it would be loaded: addresses are no offsets

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_phoff = segments_at;
  header.e_phnum = 2;
  header.e_shoff = sections_at;
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  std::array<Elf64_Phdr, 2> segments{};
  segments[0].p_type = PT_LOAD;
  segments[0].p_vaddr = k_address;
  segments[0].p_filesz = size;
  segments[1].p_type = PT_DYNAMIC;
  segments[1].p_offset = dynamic_at;
  segments[1].p_filesz = 3 * sizeof(Elf64_Dyn);
  std::array<Elf64_Dyn, 3> dynamic{};
  dynamic[0].d_tag = DT_STRTAB;
  dynamic[0].d_un.d_ptr = k_address + strings_at;
  dynamic[1].d_tag = DT_SONAME;
  dynamic[1].d_un.d_val = 1;
  std::array<Elf64_Shdr, 3> sections{};
  sections[1].sh_name = 1;
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_offset = constants_at;
  sections[1].sh_size = constants.size();
  sections[2].sh_name = 9;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = names_at;
  sections[2].sh_size = k_section_names.size();

  std::string file(size, '\0');
  const auto put = [&file](std::size_t offset, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(file.data() + offset, from, bytes);
  };
  put(0, &header, sizeof header);
  put(segments_at, segments.data(), sizeof segments);
  put(dynamic_at, dynamic.data(), sizeof dynamic);
  put(strings_at, strings.data(), strings.size());
  put(constants_at, constants.data(), constants.size());
  put(names_at, k_section_names.data(), k_section_names.size());
  put(sections_at, sections.data(), sizeof sections);
  return file;
}

}  // namespace convoy
