// The statements of cache.db's table of compiled programs. Rows are handed out as they stand: unpack() judges them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "store/kernel_pack.h"
#include "store/sqlite.h"

namespace convoy {

class KernelRows {
 public:
  static Result<KernelRows> over(Database& database);

  // Takes the place of the one with the same key.
  Result<void> put(const PackedKernel& kernel);
  // False: there is one with this key.
  Result<bool> merge(const PackedKernel& kernel);
  Result<std::optional<PackedKernel>> find(std::string_view key);
  // All of them, with their code: one at a time in memory.
  Result<void> each(const std::function<void(const PackedKernel&)>& visit);
  // All that make sense, without their code; the others are counted.
  Result<void> read_all(std::vector<KernelInfo>& into, int& senseless);

  Result<void> touch(std::string_view key, std::int64_t time);
  Result<void> remove(std::string_view key);
  // When all together take more than `limit` bytes: the least recently used go, until a tenth of the limit is free.
  Result<void> evict_over(std::uint64_t limit);
  Result<int> remove_unused_since(std::int64_t time);
  Result<int> forget_all();

 private:
  Database* database_ = nullptr;
  Statement put_;
  Statement merge_;
  Statement find_;
  Statement each_;
  Statement list_;
  Statement touch_;
  Statement remove_;
  Statement total_;
  Statement evict_;
};

}  // namespace convoy
