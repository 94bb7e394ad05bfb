// Finds LDS races: for each byte, which wave wrote it and which read it since the group's last barrier. Two waves that touch a byte
// between the same two barriers, one of them writing, race. Bytes, not words: kernels store halves and bytes next to each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace convoy::amdgpu {

class LdsShadow {
 public:
  void begin_group(size_t bytes);
  void pass_barrier() { epoch_++; }

  struct Race {
    uint32_t address, wave;  // the other wave
  };
  std::optional<Race> touch(uint32_t address, uint32_t bytes, uint32_t wave, bool writes);

 private:
  // Marks are epoch << 8 | wave + 1, so that a barrier forgets them all. Several readers are one more "wave".
  static constexpr uint32_t k_several = 255;
  std::vector<uint32_t> writer_, reader_;
  uint32_t epoch_ = 0;
};

}  // namespace convoy::amdgpu
