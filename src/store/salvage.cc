// Salvage: a scan that meets a damaged page ends there, so each table is also scanned from its other end.
#include "store/salvage.h"

#include <string_view>

#include <fmt/format.h>

#include "store/ledger_rows.h"

namespace convoy {
namespace {

struct Table {
  std::string_view name;
  std::string_view columns;
  // Orders that follow the table's own tree, so that rows come before the damage is met; a sort would read
  // all first.
  std::string_view forward;
  std::string_view backward;
};
constexpr Table k_verdicts{"verdict", k_verdict_columns, "solver, problem, problem_class, device, library",
                           "solver DESC, problem DESC, problem_class DESC, device DESC, library DESC"};
constexpr Table k_incidents{"incident", k_incident_columns, "id", "id DESC"};
constexpr Table k_intents{"intent", k_intent_columns, "id", "id DESC"};

// `keep` returns whether the row was new, or that it could not be written.
template <typename Read, typename Keep>
Result<int> salvage_table(Database& damaged, const Table& table, Read read, Keep keep) {
  int saved = 0;
  Result<void> written;
  for (const std::string_view order : {table.forward, table.backward}) {
    auto scan =
        Statement::prepare(damaged, fmt::format("SELECT {} FROM {} ORDER BY {}", table.columns, table.name, order));
    if (!scan) continue;
    const auto ended = scan->each([&](const Row& row) {
      const auto record = read(row);
      if (!record || !written) return;
      const Result<bool> added = keep(*record);
      if (!added) written = tl::unexpected<Error>(added.error());
      if (added && *added) ++saved;
    });
    if (ended) break;  // all of it was readable
  }
  CONVOY_CHECK(written);
  return saved;
}

}  // namespace

Result<int> salvage_ledger(Database& damaged, Database& fresh) {
  CONVOY_TRY(LedgerRows rows, LedgerRows::over(fresh));
  CONVOY_TRY(Transaction transaction, Transaction::begin(fresh));
  CONVOY_TRY(const int verdicts, salvage_table(damaged, k_verdicts, read_verdict, [&](const VerdictRecord& record) {
               return rows.merge_verdict(record);
             }));
  CONVOY_TRY(const int incidents, salvage_table(damaged, k_incidents, read_incident, [&](const Incident& incident) {
               return rows.merge_incident(incident);
             }));
  // Numbers of intents are kept: their processes may still be running.
  CONVOY_TRY(const int intents,
             salvage_table(damaged, k_intents, read_intent,
                           [&](const IntentRow& row) -> Result<bool> { return rows.add_intent(row).has_value(); }));
  CONVOY_CHECK(transaction.commit());
  return verdicts + incidents + intents;
}

}  // namespace convoy
