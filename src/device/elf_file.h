// What a shared library says of itself, read from its ELF file without loading it: 64-bit little-endian only, as every GPU library is.
// Files are untrusted: every offset is checked against the file, every count and read is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace convoy {

struct ElfFacts {
  std::string soname;  // DT_SONAME, printable; empty: it has none
  std::uint64_t size = 0;
};
// An Error for what is no shared library: text, directories, truncated files.
Result<ElfFacts> read_elf(const std::string& path);

// True where `text` stands in the file's .rodata (its first half GiB: one of MIOpen's has that much).
bool elf_constants_contain(const std::string& path, std::string_view text);

}  // namespace convoy
