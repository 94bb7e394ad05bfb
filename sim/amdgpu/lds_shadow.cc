// The race check of lds_shadow.h. The loops are free of branches: in race mode every byte of LDS traffic comes through here.
#include "lds_shadow.h"

namespace convoy::amdgpu {

void LdsShadow::begin_group(size_t bytes) {
  constexpr uint32_t k_last_epoch = (1u << 24) - 2;
  epoch_++;
  if (writer_.size() == bytes && epoch_ < k_last_epoch / 2) return;  // as good as cleared
  writer_.assign(bytes, 0);
  reader_.assign(bytes, 0);
  epoch_ = 1;
}

std::optional<LdsShadow::Race> LdsShadow::touch(uint32_t address, uint32_t bytes, uint32_t wave, bool writes) {
  const uint32_t mark = epoch_ << 8 | (wave + 1);
  uint32_t *writer = writer_.data() + address, *reader = reader_.data() + address;
  bool race = false;
  for (uint32_t i = 0; i < bytes; i++) {
    race |= (writer[i] >> 8 == epoch_) & (writer[i] != mark);
    race |= writes & (reader[i] >> 8 == epoch_) & (reader[i] != mark);
  }
  if (race) {
    for (uint32_t i = 0; i < bytes; i++) {
      if (writer[i] >> 8 == epoch_ && writer[i] != mark) return Race{address + i, (writer[i] & 255) - 1};
      if (writes && reader[i] >> 8 == epoch_ && reader[i] != mark) return Race{address + i, (reader[i] & 255) - 1};
    }
  }
  if (writes) {
    for (uint32_t i = 0; i < bytes; i++) writer[i] = mark;
  } else {
    const uint32_t several = epoch_ << 8 | k_several;
    for (uint32_t i = 0; i < bytes; i++) reader[i] = reader[i] >> 8 == epoch_ && reader[i] != mark ? several : mark;
  }
  return std::nullopt;
}

}  // namespace convoy::amdgpu
