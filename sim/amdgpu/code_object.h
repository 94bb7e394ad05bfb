// A code object, loaded: its segments in memory, relocated; its symbols; its kernels.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "amdgpu.h"
#include "wave.h"

namespace convoy::amdgpu {

struct Symbol {
  uint64_t address = 0, size = 0;  // in the image
  uint8_t type = 0;
};

struct CodeObject {
  std::string architecture;
  std::unique_ptr<uint8_t[], FreeMemory> image;  // page-aligned
  size_t image_size = 0;
  uint64_t text_begin = 0, text_end = 0;
  std::map<std::string, Symbol, std::less<>> symbols;
  std::map<std::string, Kernel, std::less<>> kernels;

  std::span<const uint8_t> text() const { return {image.get() + text_begin, text_end - text_begin}; }
};

// Both throw Fault.
std::span<const uint8_t> choose_from_bundle(std::span<const uint8_t> data, std::string_view architecture);
CodeObject load_code_object(std::span<const uint8_t> elf, std::string_view architecture);

bool is_bundle(std::span<const uint8_t> data);

}  // namespace convoy::amdgpu
