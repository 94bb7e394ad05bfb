// SQL over the table `kernel`.
#include "store/kernel_rows.h"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr int k_checksum_column = 8;
constexpr int k_code_column = 9;

// A row whose columns make no sense comes out empty, which unpack() refuses.
PackedKernel read_packed(const Row& row) {
  return {read_kernel(row).value_or(KernelInfo{}),
          row.text(k_checksum_column).value_or(""),
          {row.blob(k_code_column).value_or("")}};
}

Result<void> write(Statement& statement, const PackedKernel& kernel) {
  const KernelInfo& k = kernel.info;
  return statement.execute(k.key, k.name, k.architecture, static_cast<std::int64_t>(k.bytes),
                           static_cast<std::int64_t>(k.stored_bytes), k.compile_ms, k.created, k.last_used,
                           kernel.checksum, Blob{kernel.code.frame});
}

}  // namespace

Result<KernelRows> KernelRows::over(Database& database) {
  const std::string insert =
      fmt::format("INTO kernel ({}, checksum, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", k_kernel_columns);
  // A longer code is not even loaded: SQLite would end the whole query.
  const std::string select = fmt::format("SELECT {}, checksum, CASE WHEN length(code) <= {} THEN code END FROM kernel",
                                         k_kernel_columns, k_max_stored_kernel_bytes);
  KernelRows rows;
  rows.database_ = &database;
  CONVOY_TRY(rows.put_, Statement::prepare(database, "INSERT OR REPLACE " + insert));
  CONVOY_TRY(rows.merge_, Statement::prepare(database, "INSERT OR IGNORE " + insert));
  CONVOY_TRY(rows.find_, Statement::prepare(database, select + " WHERE key = ?"));
  CONVOY_TRY(rows.each_, Statement::prepare(database, select));
  CONVOY_TRY(rows.list_,
             Statement::prepare(
                 database, fmt::format("SELECT {} FROM kernel ORDER BY name, architecture, key", k_kernel_columns)));
  CONVOY_TRY(rows.touch_, Statement::prepare(database, "UPDATE kernel SET last_used = ? WHERE key = ?"));
  CONVOY_TRY(rows.remove_, Statement::prepare(database, "DELETE FROM kernel WHERE key = ?"));
  // total(), not sum(): numbers that somebody wrote must not make it overflow.
  CONVOY_TRY(rows.total_, Statement::prepare(database, "SELECT total(stored_bytes) FROM kernel"));
  CONVOY_TRY(rows.evict_,
             Statement::prepare(database,
                                "DELETE FROM kernel WHERE rowid IN (SELECT rowid FROM (SELECT rowid, "
                                "total(stored_bytes) OVER (ORDER BY last_used DESC, rowid DESC) AS kept FROM kernel) "
                                "WHERE kept > ?)"));
  return rows;
}

Result<void> KernelRows::put(const PackedKernel& kernel) {
  return write(put_, kernel);
}

Result<bool> KernelRows::merge(const PackedKernel& kernel) {
  CONVOY_CHECK(write(merge_, kernel));
  return database_->changes() > 0;
}

Result<std::optional<PackedKernel>> KernelRows::find(std::string_view key) {
  std::optional<PackedKernel> found;
  CONVOY_CHECK(find_.each([&](const Row& row) { found = read_packed(row); }, key));
  return found;
}

Result<void> KernelRows::each(const std::function<void(const PackedKernel&)>& visit) {
  return each_.each([&](const Row& row) { visit(read_packed(row)); });
}

Result<void> KernelRows::read_all(std::vector<KernelInfo>& into, int& senseless) {
  return list_.each([&](const Row& row) {
    if (auto kernel = read_kernel(row)) {
      into.push_back(*std::move(kernel));
    } else {
      ++senseless;
    }
  });
}

Result<void> KernelRows::touch(std::string_view key, std::int64_t time) {
  return touch_.execute(time, key);
}

Result<void> KernelRows::remove(std::string_view key) {
  return remove_.execute(key);
}

Result<void> KernelRows::evict_over(std::uint64_t limit) {
  const auto most = static_cast<double>(limit);
  double total = 0;
  CONVOY_CHECK(total_.each([&](const Row& row) { total = row.real(0).value_or(0); }));
  if (total <= most) return {};
  return evict_.execute(most / 10 * 9);
}

Result<int> KernelRows::remove_unused_since(std::int64_t time) {
  CONVOY_CHECK(database_->execute(fmt::format("DELETE FROM kernel WHERE last_used < {}", time)));
  return database_->changes();
}

Result<int> KernelRows::forget_all() {
  CONVOY_CHECK(database_->execute("DELETE FROM kernel"));
  return database_->changes();
}

}  // namespace convoy
