// SQL over the tables `verdict`, `incident` and `intent`. Statements of every convolution are prepared once;
// those of maintenance when they are needed.
#include "store/ledger_rows.h"

#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

// Far more than anything needs: limits for files from elsewhere.
constexpr int k_max_incidents = 1000;
constexpr int k_max_intents = 10000;

constexpr std::string_view k_put_verdict =
    "INSERT INTO verdict ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "verdict = excluded.verdict, error = excluded.error, tolerance = excluded.tolerance, at = excluded.at";

constexpr std::string_view k_verdict =
    "SELECT {} FROM verdict "
    "WHERE solver = ? AND problem = ? AND problem_class = ? AND device = ? AND library = ?";

// Two incidents that say the same are one: an import or a copy that is run twice.
constexpr std::string_view k_merge_incident =
    "INSERT INTO incident (solver, problem, problem_class, device, library, verdict, strikes, signal, "
    "reason, "
    "host, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE NOT EXISTS (SELECT 1 FROM incident "
    "WHERE solver = ?1 AND problem = ?2 AND problem_class = ?3 AND device = ?4 AND library = ?5 "
    "AND verdict = ?6 AND strikes = ?7 AND signal = ?8 AND reason = ?9 AND host = ?10 AND at = ?11)";

constexpr std::string_view k_incidents =
    "SELECT {} FROM incident WHERE solver = ? AND device = ? AND library = ? AND problem_class = ? "
    "AND at > ? AND at <= ? ORDER BY at DESC, id DESC LIMIT {}";
constexpr std::string_view k_incidents_of_solver =
    "SELECT {} FROM incident WHERE solver = ? AND device = ? AND library = ? "
    "AND at > ? AND at <= ? ORDER BY at DESC, id DESC LIMIT {}";

Result<void> write(Statement& statement, const VerdictRecord& r) {
  return statement.execute(r.key.solver, r.key.problem, r.key.problem_class, r.key.device, r.key.library,
                           to_string(r.verdict), r.error, r.tolerance, r.at);
}

Result<void> write(Statement& statement, const Incident& i) {
  return statement.execute(i.key.solver, i.key.problem, i.key.problem_class, i.key.device, i.key.library,
                           to_string(i.verdict), std::int64_t{i.strikes}, std::int64_t{i.signal}, i.reason, i.host,
                           i.at);
}

auto collect(std::vector<Incident>& into) {
  return [&into](const Row& row) {
    if (auto incident = read_incident(row)) into.push_back(*std::move(incident));
  };
}

// Every row of a table: the believable ones through `keep`, the others counted.
template <typename Read, typename Keep>
Result<void> read_table(Database& database, const std::string& sql, Read read, Keep keep, int& senseless) {
  CONVOY_TRY(Statement statement, Statement::prepare(database, sql));
  return statement.each([&](const Row& row) {
    if (auto record = read(row)) {
      keep(*std::move(record));
    } else {
      ++senseless;
    }
  });
}

}  // namespace

Result<LedgerRows> LedgerRows::over(Database& database) {
  LedgerRows rows;
  rows.database_ = &database;
  const std::string put_verdict = fmt::format(k_put_verdict, k_verdict_columns);
  const std::pair<Statement*, std::string> statements[] = {
      {&rows.put_verdict_, put_verdict},
      {&rows.merge_verdict_, put_verdict + " WHERE excluded.at > at"},
      {&rows.verdict_, fmt::format(k_verdict, k_verdict_columns)},
      {&rows.add_incident_,
       "INSERT INTO incident (solver, problem, problem_class, device, library, verdict, strikes, signal, "
       "reason, "
       "host, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&rows.merge_incident_, std::string(k_merge_incident)},
      {&rows.incidents_, fmt::format(k_incidents, k_incident_columns, k_max_incidents)},
      {&rows.clear_strikes_,
       "UPDATE incident SET strikes = 0 WHERE solver = ? AND problem = ? AND problem_class = ? AND device = ? "
       "AND library = ? AND strikes > 0"},
      {&rows.incidents_of_solver_, fmt::format(k_incidents_of_solver, k_incident_columns, k_max_incidents)},
      {&rows.add_intent_, fmt::format("INSERT INTO intent ({}) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                      "?, ?)",
                                      k_intent_columns)},
      {&rows.remove_intent_, "DELETE FROM intent WHERE id = ? AND pid = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    CONVOY_TRY(*statement, Statement::prepare(database, sql));
  }
  return rows;
}

Result<void> LedgerRows::put_verdict(const VerdictRecord& record) {
  return write(put_verdict_, record);
}

Result<bool> LedgerRows::merge_verdict(const VerdictRecord& record) {
  CONVOY_CHECK(write(merge_verdict_, record));
  return database_->changes() > 0;
}

Result<std::optional<VerdictRecord>> LedgerRows::verdict(const TrialKey& key) {
  std::optional<VerdictRecord> found;
  CONVOY_CHECK(verdict_.each([&](const Row& row) { found = read_verdict(row); }, key.solver, key.problem,
                             key.problem_class, key.device, key.library));
  return found;
}

Result<void> LedgerRows::add_incident(const Incident& incident) {
  return write(add_incident_, incident);
}

Result<bool> LedgerRows::merge_incident(const Incident& incident) {
  CONVOY_CHECK(write(merge_incident_, incident));
  return database_->changes() > 0;
}

Result<void> LedgerRows::clear_strikes(const TrialKey& key) {
  return clear_strikes_.execute(key.solver, key.problem, key.problem_class, key.device, key.library);
}

Result<void> LedgerRows::incidents(const TrialKey& key, Window window, std::vector<Incident>& into) {
  return incidents_.each(collect(into), key.solver, key.device, key.library, key.problem_class, window.from, window.to);
}

Result<void> LedgerRows::incidents_of_solver(const SolverOnDevice& which, Window window, std::vector<Incident>& into) {
  return incidents_of_solver_.each(collect(into), which.solver, which.device, which.library, window.from, window.to);
}

Result<std::int64_t> LedgerRows::add_intent(const IntentRow& row) {
  const TrialKey& key = row.intent.key;
  CONVOY_CHECK(add_intent_.execute(row.intent.id, key.solver, key.problem, key.problem_class, key.device, key.library,
                                   row.intent.pid, row.process_started, row.pid_namespace, row.boot, row.intent.host,
                                   row.intent.at));
  return database_->last_insert_id();
}

Result<void> LedgerRows::remove_intent(std::int64_t id, std::int64_t pid) {
  return remove_intent_.execute(id, pid);
}

Result<std::vector<IntentRow>> LedgerRows::intents() {
  std::vector<IntentRow> rows;
  int senseless = 0;
  CONVOY_CHECK(read_table(
      *database_, fmt::format("SELECT {} FROM intent ORDER BY id LIMIT {}", k_intent_columns, k_max_intents),
      read_intent, [&](IntentRow row) { rows.push_back(std::move(row)); }, senseless));
  return rows;
}

Result<void> LedgerRows::read_all(Store::Contents& into, int& senseless) {
  CONVOY_CHECK(read_table(
      *database_, fmt::format("SELECT {} FROM verdict", k_verdict_columns), read_verdict,
      [&](VerdictRecord record) { into.verdicts.push_back(std::move(record)); }, senseless));
  CONVOY_CHECK(read_table(
      *database_, fmt::format("SELECT {} FROM incident ORDER BY id", k_incident_columns), read_incident,
      [&](Incident incident) { into.incidents.push_back(std::move(incident)); }, senseless));
  return read_table(
      *database_, fmt::format("SELECT {} FROM intent ORDER BY id", k_intent_columns), read_intent,
      [&](IntentRow row) { into.intents.push_back(std::move(row.intent)); }, senseless);
}

Result<void> LedgerRows::absorb(LedgerRows& other) {
  Store::Contents contents;
  int senseless = 0;
  CONVOY_CHECK(other.read_all(contents, senseless));
  for (const VerdictRecord& record : contents.verdicts) {
    // Unlike merge_verdict(), of two in the same second that of `other` wins: it was written later.
    CONVOY_TRY(const auto known, verdict(record.key));
    if (!known || known->at <= record.at) CONVOY_CHECK(put_verdict(record));
  }
  for (const Incident& incident : contents.incidents) CONVOY_CHECK(merge_incident(incident));
  return {};
}

Result<int> LedgerRows::remove_verdicts_older_than(std::int64_t time) {
  CONVOY_CHECK(database_->execute(fmt::format("DELETE FROM verdict WHERE at < {}", time)));
  return database_->changes();
}

Result<int> LedgerRows::remove_incidents_older_than(std::int64_t time) {
  CONVOY_CHECK(database_->execute(fmt::format("DELETE FROM incident WHERE at < {}", time)));
  return database_->changes();
}

Result<int> LedgerRows::remove(std::string_view sql, std::string_view what) {
  CONVOY_TRY(Statement statement, Statement::prepare(*database_, sql));
  CONVOY_CHECK(statement.execute(what));
  return database_->changes();
}

Result<int> LedgerRows::forget(std::string_view what) {
  constexpr std::string_view k_where = "WHERE solver = ?1 OR problem = ?1 OR problem_class = ?1";
  // A number typed with a sign, blanks or leading zeros is no incident number: compared as text.
  CONVOY_TRY(const int incidents,
             remove(fmt::format("DELETE FROM incident {} OR CAST(id AS TEXT) = ?1", k_where), what));
  CONVOY_TRY(const int verdicts, remove(fmt::format("DELETE FROM verdict {}", k_where), what));
  return incidents + verdicts;
}

Result<int> LedgerRows::forget_all() {
  CONVOY_CHECK(database_->execute("DELETE FROM incident"));
  const int incidents = database_->changes();
  CONVOY_CHECK(database_->execute("DELETE FROM verdict"));
  return incidents + database_->changes();
}

}  // namespace convoy
