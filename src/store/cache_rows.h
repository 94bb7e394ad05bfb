// The statements of cache.db (those of its kernels are kernel_rows.h), prepared over one open database: a file, a read-only layer or memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/kernel_rows.h"
#include "store/records.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace convoy {

class CacheRows {
 public:
  static Result<CacheRows> over(Database& database);

  // The last measurement wins.
  Result<void> put(const FindRecord& record);
  // The newer measurement wins. False: what is there is as new or newer.
  Result<bool> merge(const FindRecord& record);
  Result<void> find(std::string_view problem, std::string_view device, std::vector<FindRecord>& into);
  // Adds every row that makes sense; the others are counted.
  Result<void> read_all(Store::Contents& into, int& senseless);
  // Merges the find results that `other` holds.
  Result<void> absorb(CacheRows& other);
  Result<int> remove_older_than(std::int64_t time);
  Result<int> forget_all();
  KernelRows& kernels() { return kernels_; }
  const std::string& path() const { return database_->path(); }

 private:
  Database* database_ = nullptr;
  Statement put_;
  Statement merge_;
  Statement find_;
  Statement all_;
  KernelRows kernels_;
};

}  // namespace convoy
