// Loading ELF code objects of AMD GPUs, and choosing one from a clang offload bundle. Formats: System V ABI (ELF64); LLVM, "User Guide for
// AMDGPU Backend" (e_flags, relocations, kernel descriptors); clang, "ClangOffloadBundler". Everything is bounds-checked.
#include "code_object.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "bytes.h"
#include "metadata.h"

namespace convoy::amdgpu {
namespace {

constexpr std::string_view k_bundle_magic = "__CLANG_OFFLOAD_BUNDLE__";
constexpr std::string_view k_elf_magic = "\177ELF\2\1";
constexpr uint16_t k_machine_amdgpu = 224;
constexpr uint64_t k_page = 4096, k_largest_image = 1ull << 28;

enum SegmentType : uint32_t { segment_load = 1, segment_dynamic = 2, segment_note = 4 };
enum DynamicTag : uint64_t {
  dynamic_hash = 4,
  dynamic_strings = 5,
  dynamic_symbols = 6,
  dynamic_rela = 7,
  dynamic_rela_size = 8
};
enum Relocation : uint32_t { relocation_abs64 = 3, relocation_relative64 = 13 };
constexpr uint32_t k_note_metadata = 32;

struct Segment {
  uint32_t type, flags;
  uint64_t offset, address, file_size, memory_size;
};

// The low byte of e_flags (EF_AMDGPU_MACH).
const char* architecture_name(uint32_t flags) {
  static constexpr std::pair<uint8_t, const char*> k_names[] = {
      {0x28, "gfx801"},  {0x29, "gfx802"},  {0x2a, "gfx803"},  {0x2b, "gfx810"},  {0x2c, "gfx900"},  {0x2d, "gfx902"},
      {0x2e, "gfx904"},  {0x2f, "gfx906"},  {0x30, "gfx908"},  {0x31, "gfx909"},  {0x32, "gfx90c"},  {0x33, "gfx1010"},
      {0x34, "gfx1011"}, {0x35, "gfx1012"}, {0x36, "gfx1030"}, {0x37, "gfx1031"}, {0x38, "gfx1032"}, {0x39, "gfx1033"},
      {0x3d, "gfx1035"}, {0x3e, "gfx1034"}, {0x3f, "gfx90a"},  {0x41, "gfx1100"}, {0x42, "gfx1013"}, {0x44, "gfx1103"},
      {0x45, "gfx1036"}, {0x46, "gfx1101"}, {0x47, "gfx1102"},
  };
  const auto* found = std::find_if(std::begin(k_names), std::end(k_names),
                                   [&](const auto& one) { return one.first == (flags & 0xff); });
  return found == std::end(k_names) ? nullptr : found->second;
}

std::vector<Segment> segments_of(const Bytes& elf) {
  const auto table = elf.read<uint64_t>(32);
  const auto count = elf.read<uint16_t>(56);
  std::vector<Segment> segments;
  for (uint64_t n = 0; n < count; n++) {
    const uint64_t at = table + 56 * n;
    segments.push_back({elf.read<uint32_t>(at), elf.read<uint32_t>(at + 4), elf.read<uint64_t>(at + 8),
                        elf.read<uint64_t>(at + 16), elf.read<uint64_t>(at + 32), elf.read<uint64_t>(at + 40)});
  }
  return segments;
}

void load_segments(const Bytes& elf, const std::vector<Segment>& segments, CodeObject& object) {
  uint64_t end = 0;
  for (const Segment& s : segments) {
    if (s.type != segment_load) continue;
    if (s.address > k_largest_image || s.memory_size > k_largest_image || s.file_size > s.memory_size) {
      throw Fault("the code object has a segment of impossible size");
    }
    end = std::max(end, s.address + s.memory_size);
  }
  // A page more than the segments: instruction prefetch and constant loads of kernels may look a little further.
  object.image_size = (end + 2 * k_page - 1) & ~(k_page - 1);
  object.image.reset(static_cast<uint8_t*>(std::aligned_alloc(k_page, object.image_size)));
  if (!object.image) throw Fault("no memory for the code object");
  std::fill_n(object.image.get(), object.image_size, uint8_t{0});
  for (const Segment& s : segments) {
    if (s.type != segment_load) continue;
    const auto bytes = elf.part(s.offset, s.file_size);
    std::copy(bytes.begin(), bytes.end(), object.image.get() + s.address);
    if (s.flags & 1) {
      object.text_begin = s.address;
      object.text_end = s.address + s.file_size;
    }
  }
}

struct Dynamic {
  uint64_t symbols = 0, strings = 0, rela = 0, rela_size = 0, hash = 0;
};

Dynamic dynamic_section(const Bytes& image, uint64_t at) {
  Dynamic d;
  for (;; at += 16) {
    const auto tag = image.read<uint64_t>(at), value = image.read<uint64_t>(at + 8);
    switch (tag) {
      case 0: return d;
      case dynamic_hash: d.hash = value; break;
      case dynamic_strings: d.strings = value; break;
      case dynamic_symbols: d.symbols = value; break;
      case dynamic_rela: d.rela = value; break;
      case dynamic_rela_size: d.rela_size = value; break;
      default: break;
    }
  }
}

void relocate(CodeObject& object, const Bytes& image, const Dynamic& d, const std::vector<Symbol>& symbols) {
  const auto base = reinterpret_cast<uint64_t>(object.image.get());
  for (uint64_t n = 0; n + 24 <= d.rela_size; n += 24) {
    const auto offset = image.read<uint64_t>(d.rela + n), info = image.read<uint64_t>(d.rela + n + 8);
    const auto addend = image.read<uint64_t>(d.rela + n + 16);
    const auto type = static_cast<uint32_t>(info), symbol = static_cast<uint32_t>(info >> 32);
    uint64_t value = base + addend;
    if (type == relocation_abs64) {
      if (symbol >= symbols.size()) throw Fault("the code object relocates by a symbol that it does not have");
      value += symbols[symbol].address;
    } else if (type != relocation_relative64) {
      throw Fault("the code object has a relocation of type " + std::to_string(type) + ", which is not modelled");
    }
    std::memcpy(object.image.get() + offset, &value, image.part(offset, sizeof value).size());
  }
}

void link(CodeObject& object, uint64_t dynamic_address) {
  const Bytes image({object.image.get(), object.image_size}, "the code object's dynamic section");
  const Dynamic d = dynamic_section(image, dynamic_address);
  std::vector<Symbol> symbols;
  const uint32_t count = d.hash ? image.read<uint32_t>(d.hash + 4) : 0;
  for (uint64_t n = 0; n < count; n++) {
    const uint64_t at = d.symbols + 24 * n;
    const Symbol symbol{image.read<uint64_t>(at + 8), image.read<uint64_t>(at + 16),
                        static_cast<uint8_t>(image.read<uint8_t>(at + 4) & 15)};
    symbols.push_back(symbol);
    object.symbols[image.c_string(d.strings + image.read<uint32_t>(at))] = symbol;
  }
  relocate(object, image, d, symbols);
}

// What the 64-byte descriptor says of the kernel.
void read_descriptor(const CodeObject& object, const std::string& name, Kernel& kernel) {
  const auto symbol = object.symbols.find(name);
  if (symbol == object.symbols.end()) throw Fault("kernel " + kernel.name + " has no descriptor in the code object");
  const Bytes image({object.image.get(), object.image_size}, "a kernel descriptor");
  const uint64_t at = symbol->second.address;
  kernel.lds_bytes = image.read<uint32_t>(at);
  kernel.scratch_bytes = image.read<uint32_t>(at + 4);
  kernel.entry = at + image.read<uint64_t>(at + 16);
  kernel.rsrc2 = image.read<uint32_t>(at + 52);
  kernel.properties = image.read<uint16_t>(at + 56);
  constexpr uint32_t k_property_wave32 = 1 << 10;
  kernel.wave32 = object.architecture.starts_with("gfx1") && (kernel.properties & k_property_wave32);
}

void read_notes(const Bytes& elf, const Segment& segment, CodeObject& object) {
  const auto padded = [](uint32_t size) { return (static_cast<uint64_t>(size) + 3) & ~3ull; };
  const Bytes notes(elf.part(segment.offset, segment.file_size), "the code object's notes");
  for (uint64_t at = 0; at + 12 <= notes.size();) {
    const auto name_size = notes.read<uint32_t>(at), size = notes.read<uint32_t>(at + 4),
               type = notes.read<uint32_t>(at + 8);
    const uint64_t content = at + 12 + padded(name_size);
    if (type == k_note_metadata) {
      for (auto& [kernel, descriptor] : read_metadata(notes.part(content, size))) {
        read_descriptor(object, descriptor, kernel);
        object.kernels[kernel.name] = kernel;
      }
    }
    at = content + padded(size);
  }
}

}  // namespace

bool is_bundle(std::span<const uint8_t> data) {
  return data.size() >= k_bundle_magic.size() && std::equal(k_bundle_magic.begin(), k_bundle_magic.end(), data.begin());
}

std::span<const uint8_t> choose_from_bundle(std::span<const uint8_t> data, std::string_view architecture) {
  const Bytes bundle(data, "the offload bundle");
  const auto count = bundle.read<uint64_t>(24);
  std::string have;
  uint64_t at = 32;
  for (uint64_t n = 0; n < count; n++) {
    const auto offset = bundle.read<uint64_t>(at), size = bundle.read<uint64_t>(at + 8),
               name_size = bundle.read<uint64_t>(at + 16);
    const std::string_view name = bundle.text(at + 24, name_size);  // "hip-amdgcn-amd-amdhsa--gfx90a:xnack-"
    at += 24 + name_size;
    have.append(" ").append(name);
    const size_t gpu = name.rfind("gfx");
    if (!size || name.find("amdgcn") == std::string_view::npos || gpu == std::string_view::npos) continue;
    const std::string_view entry = name.substr(gpu, name.find(':', gpu) - gpu);
    if (architecture.empty() || entry == architecture) return bundle.part(offset, size);
  }
  throw Fault("the bundle has no code object for " + std::string(architecture) + ", it has:" + have);
}

CodeObject load_code_object(std::span<const uint8_t> data, std::string_view architecture) {
  const Bytes elf(data, "the code object");
  if (data.size() < 64 || elf.text(0, k_elf_magic.size()) != k_elf_magic ||
      elf.read<uint16_t>(18) != k_machine_amdgpu) {
    throw Fault("not a code object of an AMD GPU (a 64-bit ELF file of machine 224) and no offload bundle");
  }
  CodeObject object;
  const auto flags = elf.read<uint32_t>(48);
  const char* name = architecture_name(flags);
  if (!name)
    throw Fault("the code object is for a GPU that is not modelled (machine number " + std::to_string(flags & 0xff) +
                ")");
  object.architecture = name;
  if (!architecture.empty() && object.architecture != architecture) {
    throw Fault("the code object is for " + object.architecture + ", the device is " + std::string(architecture));
  }
  const auto segments = segments_of(elf);
  load_segments(elf, segments, object);
  for (const Segment& s : segments) {
    if (s.type == segment_dynamic) link(object, s.address);
  }
  for (const Segment& s : segments) {
    if (s.type == segment_note) read_notes(elf, s, object);
  }
  if (object.kernels.empty()) throw Fault("the code object's metadata names no kernels");
  return object;
}

// The end of what the headers speak of: the container says how long it is, the caller does not know.
std::size_t code_object_size(const void* data) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  const auto read = [&](uint64_t offset) {
    uint64_t value = 0;
    std::memcpy(&value, bytes + offset, sizeof value);
    return value;
  };
  uint64_t end = 0;
  if (std::memcmp(bytes, k_bundle_magic.data(), k_bundle_magic.size()) == 0) {
    uint64_t at = 32;
    for (uint64_t n = 0; n < read(24); n++) {
      end = std::max(end, read(at) + read(at + 8));
      at += 24 + read(at + 16);
    }
    return std::max(end, at);
  }
  if (std::memcmp(bytes, k_elf_magic.data(), k_elf_magic.size()) != 0) return 0;
  const auto count = [&](uint64_t offset) { return read(offset) & 0xffff; };
  const uint64_t segments = read(32), sections = read(40);
  end = std::max(sections + 64 * count(60), segments + 56 * count(56));
  for (uint64_t n = 0; n < count(56); n++)
    end = std::max(end, read(segments + 56 * n + 8) + read(segments + 56 * n + 32));
  return end;
}

}  // namespace convoy::amdgpu
