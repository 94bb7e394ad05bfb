// zstd and XXH3 around a compiled program.
#include "store/kernel_pack.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

// Code objects shrink to a third or less; higher levels take ten times as long for a few per cent.
constexpr int k_level = 3;

std::string checksum_of(std::string_view binary) {
  return fmt::format("{:016x}", XXH3_64bits(binary.data(), binary.size()));
}

tl::unexpected<Error> flawed(const Flaw& flaw) {
  return fail(ErrorCode::invalid_argument, fmt::format("{} {}", flaw.field, flaw.what));
}

}  // namespace

std::optional<Flaw> flaw_of(const PackedKernel& kernel) {
  return flaw_of(kernel.info);
}

Result<PackedKernel> pack(KernelInfo info, std::string_view binary) {
  info.bytes = binary.size();
  info.stored_bytes = 0;
  if (const auto flaw = flaw_of(info)) return flawed(*flaw);
  PackedKernel kernel{std::move(info), checksum_of(binary), {}};
  std::string& frame = kernel.code.frame;
  frame.resize(ZSTD_compressBound(binary.size()));
  const std::size_t size = ZSTD_compress(frame.data(), frame.size(), binary.data(), binary.size(), k_level);
  if (ZSTD_isError(size) != 0) return fail(ErrorCode::internal, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  frame.resize(size);
  frame.shrink_to_fit();
  kernel.info.stored_bytes = size;
  if (const auto flaw = flaw_of(kernel.info)) return flawed(*flaw);
  return kernel;
}

Result<std::string> unpack(const PackedKernel& kernel) {
  const KernelInfo& info = kernel.info;
  const std::string& frame = kernel.code.frame;
  if (const auto flaw = flaw_of(info)) return flawed(*flaw);
  if (frame.size() != info.stored_bytes) return fail(ErrorCode::io, "the code is missing, cut short or too long");
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != info.bytes) {
    return fail(ErrorCode::io, fmt::format("the code is no zstd frame of {} bytes", info.bytes));
  }
  // No more than flaw_of() allows, and zstd writes no further.
  std::string binary(info.bytes, '\0');
  const std::size_t size = ZSTD_decompress(binary.data(), binary.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) return fail(ErrorCode::io, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  if (size != binary.size()) return fail(ErrorCode::io, "the code is shorter than its row says");
  if (checksum_of(binary) != kernel.checksum) return fail(ErrorCode::io, "the checksum of the code differs");
  return binary;
}

}  // namespace convoy
