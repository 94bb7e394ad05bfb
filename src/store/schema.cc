// Migration and recognition of schemas.
#include "store/schema.h"

#include <sqlite3.h>

#include <array>
#include <string>

#include <fmt/format.h>

#include "store_sql.h"

namespace convoy {
namespace {

constexpr std::array k_cache_steps{k_cache_0001_sql, k_cache_0002_sql};
constexpr std::array k_ledger_steps{k_ledger_0001_sql};

// All of the schema as one text. The statistics tables are SQLite's own and appear when somebody runs
// ANALYZE.
Result<std::string> schema_listing(Database& database) {
  CONVOY_TRY(Statement statement,
             Statement::prepare(database,
                                "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') "
                                "FROM sqlite_schema WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4') "
                                "ORDER BY type, name"));
  std::string listing;
  CONVOY_CHECK(statement.each([&](const Row& row) { listing += row.text(0).value_or("?") + '\n'; }));
  return listing;
}

}  // namespace

SchemaSteps cache_schema() {
  return k_cache_steps;
}
SchemaSteps ledger_schema() {
  return k_ledger_steps;
}

Result<void> migrate(Database& database, SchemaSteps steps) {
  const auto target = static_cast<std::int64_t>(steps.size());
  CONVOY_TRY(const std::int64_t before, database.integer("PRAGMA user_version"));
  if (before >= target) return {};
  CONVOY_TRY(Transaction transaction, Transaction::begin(database));
  // Again, now that nobody else can be migrating: another process may have done it meanwhile.
  CONVOY_TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
  if (version >= target) return {};
  if (version < 0) return database.error(SQLITE_CORRUPT, "negative schema version");
  if (version == 0) {
    CONVOY_TRY(const std::int64_t objects, database.integer("SELECT count(*) FROM sqlite_schema"));
    if (objects != 0) return database.error(SQLITE_CORRUPT, "tables without a schema version");
  }
  for (std::int64_t i = version; i < target; ++i) {
    CONVOY_CHECK(database.execute(std::string(steps[static_cast<std::size_t>(i)])));
    CONVOY_CHECK(database.execute(fmt::format("PRAGMA user_version={}", i + 1)));
  }
  return transaction.commit();
}

Result<SchemaState> schema_state(Database& database, SchemaSteps steps) {
  CONVOY_TRY(auto model, Database::open_memory());
  CONVOY_CHECK(migrate(*model, steps));
  CONVOY_TRY(const std::string expected, schema_listing(*model));
  // Version and schema in one transaction: a newer Convoy may be migrating this very file.
  CONVOY_TRY(const Transaction transaction, Transaction::begin(database, Transaction::Kind::deferred));
  CONVOY_TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
  if (version != static_cast<std::int64_t>(steps.size())) return SchemaState::other_version;
  CONVOY_TRY(const std::string found, schema_listing(database));
  return found == expected ? SchemaState::matches : SchemaState::differs;
}

}  // namespace convoy
