// Compiled programs in cache.db. Dispatch is the floor that sees both sides: devices compile and know no store, the store keeps
// bytes and knows no device.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "device/program.h"
#include "store/store.h"

namespace convoy {

class KernelCache final : public BinaryCache {
 public:
  // `store` outlives this object.
  explicit KernelCache(Store& store) : store_(store) {}

  std::optional<std::string> find(std::string_view key) override;
  void put(std::string_view key, const Entry& entry) override;

 private:
  Store& store_;
};

}  // namespace convoy
