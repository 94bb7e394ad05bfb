// SQL over the table `find`; all that is read or forgotten includes the kernels.
#include "store/cache_rows.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// No problem has that many algorithms: a limit for files from elsewhere.
constexpr int k_max_rows = 1000;

Result<void> write(Statement& statement, const FindRecord& r) {
  return statement.execute(r.problem, r.device, r.library, r.solver, r.params, r.time_ms,
                           static_cast<std::int64_t>(r.workspace_bytes), r.measured_at);
}

}  // namespace

Result<CacheRows> CacheRows::over(Database& database) {
  const std::string upsert = fmt::format(
      "INSERT INTO find ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET time_ms = excluded.time_ms, "
      "workspace_bytes = excluded.workspace_bytes, measured_at = excluded.measured_at",
      k_find_columns);
  CacheRows rows;
  rows.database_ = &database;
  CONVOY_TRY(rows.put_, Statement::prepare(database, upsert));
  CONVOY_TRY(rows.merge_, Statement::prepare(database, upsert + " WHERE excluded.measured_at > measured_at"));
  CONVOY_TRY(rows.find_,
             Statement::prepare(database, fmt::format("SELECT {} FROM find WHERE problem = ? AND device = ? LIMIT {}",
                                                      k_find_columns, k_max_rows)));
  CONVOY_TRY(rows.all_, Statement::prepare(database, fmt::format("SELECT {} FROM find", k_find_columns)));
  CONVOY_TRY(rows.kernels_, KernelRows::over(database));
  return rows;
}

Result<void> CacheRows::put(const FindRecord& record) {
  return write(put_, record);
}

Result<bool> CacheRows::merge(const FindRecord& record) {
  CONVOY_CHECK(write(merge_, record));
  return database_->changes() > 0;
}

Result<void> CacheRows::find(std::string_view problem, std::string_view device, std::vector<FindRecord>& into) {
  return find_.each(
      [&](const Row& row) {
        if (auto record = read_find(row)) into.push_back(*std::move(record));
      },
      problem, device);
}

Result<void> CacheRows::read_all(Store::Contents& into, int& senseless) {
  CONVOY_CHECK(all_.each([&](const Row& row) {
    if (auto record = read_find(row)) {
      into.finds.push_back(*std::move(record));
    } else {
      ++senseless;
    }
  }));
  return kernels_.read_all(into.kernels, senseless);
}

Result<void> CacheRows::absorb(CacheRows& other) {
  Store::Contents contents;
  int senseless = 0;
  CONVOY_CHECK(other.read_all(contents, senseless));
  for (const FindRecord& record : contents.finds) CONVOY_CHECK(merge(record));
  return {};
}

Result<int> CacheRows::remove_older_than(std::int64_t time) {
  CONVOY_CHECK(database_->execute(fmt::format("DELETE FROM find WHERE measured_at < {}", time)));
  return database_->changes();
}

Result<int> CacheRows::forget_all() {
  CONVOY_CHECK(database_->execute("DELETE FROM find"));
  const int finds = database_->changes();
  CONVOY_TRY(const int kernels, kernels_.forget_all());
  return finds + kernels;
}

}  // namespace convoy
