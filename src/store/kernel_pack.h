// A compiled program as it lies in cache.db or in an export: one zstd frame with the size and the checksum of what is in it.
// Nothing that stands there is believed before unpack() said so: sizes are bounded before memory is taken, the checksum is
// that of the machine code itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/records.h"

namespace convoy {

struct PackedKernel {
  // A type of its own: JSON writes it as base64.
  struct Code {
    std::string frame;
  };
  KernelInfo info;
  std::string checksum;
  Code code;
};
// Of the description alone; the code is unpack()'s to judge.
std::optional<Flaw> flaw_of(const PackedKernel& kernel);

// Sets the sizes and the checksum. An Error for what no row may hold.
Result<PackedKernel> pack(KernelInfo info, std::string_view binary);
// The machine code, exactly as it was packed, or what is wrong with it.
Result<std::string> unpack(const PackedKernel& kernel);

}  // namespace convoy
