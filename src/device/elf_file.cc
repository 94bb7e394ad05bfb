// Implementation of elf_file.h. pread and no mmap: a file that shrinks while it is read must not end the process.
#include "device/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/descriptor.h"
#include "device/gpu_facts.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_most_entries = 4096;  // of any table; libMIOpen has some 40 sections and 30 dynamic entries
constexpr std::uint64_t k_most_scanned = std::uint64_t{1} << 29;

class ElfFile {
 public:
  explicit ElfFile(const std::string& path)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)) {
    struct stat status {};
    if (file_.valid() && ::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode))
      size_ = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    const auto header = values<Elf64_Ehdr>(0, 1);
    if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
    const bool known = header[0].e_ident[EI_CLASS] == ELFCLASS64 && header[0].e_ident[EI_DATA] == ELFDATA2LSB;
    if (known && header[0].e_type == ET_DYN) header_ = header[0];
  }

  bool valid() const { return header_.has_value(); }
  std::uint64_t size() const { return size_; }
  const Elf64_Ehdr& header() const { return *header_; }

  // At most `count` bytes from `offset`; less at the file's end.
  std::string bytes(std::uint64_t offset, std::uint64_t count) const {
    if (offset >= size_) return {};
    std::string content(std::min(count, size_ - offset), '\0');
    std::size_t done = 0;
    while (done < content.size()) {
      const ssize_t got =
          ::pread(file_.get(), content.data() + done, content.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    content.resize(done);
    return content;
  }

  // `count` values of a table; empty where they are not all there.
  template <typename T>
  std::vector<T> values(std::uint64_t offset, std::uint64_t count) const {
    if (count == 0 || count > k_most_entries) return {};
    const std::string content = bytes(offset, count * sizeof(T));
    if (content.size() != count * sizeof(T)) return {};
    std::vector<T> table(count);
    std::memcpy(table.data(), content.data(), content.size());
    return table;
  }

  std::string text(std::uint64_t offset) const {
    const std::string content = bytes(offset, 256);
    return content.substr(0, content.find('\0'));
  }

 private:
  Descriptor file_;
  std::uint64_t size_ = 0;
  std::optional<Elf64_Ehdr> header_;
};

// Where in the file stands what is loaded at `address`.
std::optional<std::uint64_t> offset_of(std::uint64_t address, const std::vector<Elf64_Phdr>& segments) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const std::uint64_t inside = address - segment.p_vaddr;
    if (inside < segment.p_filesz) return segment.p_offset + inside;  // may wrap: reading checks the sum
  }
  return std::nullopt;
}

std::string soname_of(const ElfFile& file) {
  const auto segments = file.values<Elf64_Phdr>(file.header().e_phoff, file.header().e_phnum);
  const auto dynamic = std::ranges::find(segments, static_cast<Elf64_Word>(PT_DYNAMIC), &Elf64_Phdr::p_type);
  if (dynamic == segments.end()) return {};
  std::optional<std::uint64_t> strings, name;
  const std::uint64_t count = std::min(dynamic->p_filesz / sizeof(Elf64_Dyn), k_most_entries);
  for (const Elf64_Dyn& entry : file.values<Elf64_Dyn>(dynamic->p_offset, count)) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_STRTAB) strings = offset_of(entry.d_un.d_ptr, segments);
    if (entry.d_tag == DT_SONAME) name = entry.d_un.d_val;
  }
  return strings && name ? printable_name(file.text(*strings + *name)) : std::string();
}

bool contains(const ElfFile& file, const Elf64_Shdr& section, std::string_view text) {
  constexpr std::uint64_t k_piece = std::uint64_t{1} << 20;
  const std::uint64_t end = std::min(section.sh_size, k_most_scanned);
  std::string window;
  for (std::uint64_t at = 0; at < end; at += k_piece) {
    const std::string piece = file.bytes(section.sh_offset + at, std::min(k_piece, end - at));
    if (piece.empty()) return false;
    window += piece;
    if (::memmem(window.data(), window.size(), text.data(), text.size()) != nullptr) return true;
    window.erase(0, window.size() - std::min(window.size(), text.size() - 1));  // it may stand across two pieces
  }
  return false;
}

}  // namespace

Result<ElfFacts> read_elf(const std::string& path) {
  const ElfFile file(path);
  if (!file.valid()) {
    return fail(ErrorCode::io, fmt::format("{}: cannot be read, or is no 64-bit shared library", path));
  }
  return ElfFacts{soname_of(file), file.size()};
}

bool elf_constants_contain(const std::string& path, std::string_view text) {
  const ElfFile file(path);
  if (!file.valid() || text.empty()) return false;
  const auto sections = file.values<Elf64_Shdr>(file.header().e_shoff, file.header().e_shnum);
  if (file.header().e_shstrndx >= sections.size()) return false;
  const std::uint64_t names = sections[file.header().e_shstrndx].sh_offset;
  return std::ranges::any_of(sections, [&](const Elf64_Shdr& section) {
    return section.sh_type == SHT_PROGBITS && file.text(names + section.sh_name) == ".rodata" &&
           contains(file, section, text);
  });
}

}  // namespace convoy
