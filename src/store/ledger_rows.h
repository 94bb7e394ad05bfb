// The statements of ledger.db, prepared over one open database: a file, a read-only layer or memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "store/records.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace convoy {

// Which incidents count: after `from`, up to `to`. A time ahead of our clock would otherwise never be
// forgiven.
struct Window {
  std::int64_t from = 0;
  std::int64_t to = 0;
};

class LedgerRows {
 public:
  static Result<LedgerRows> over(Database& database);

  // Verdicts: one per trial. put: the last one wins; merge: the newer one wins, false when it was there
  // already.
  Result<void> put_verdict(const VerdictRecord& record);
  Result<bool> merge_verdict(const VerdictRecord& record);
  Result<std::optional<VerdictRecord>> verdict(const TrialKey& key);

  // Incidents. merge: false when one that says the same is there already.
  Result<void> add_incident(const Incident& incident);
  Result<bool> merge_incident(const Incident& incident);
  // The incidents of exactly this key no longer count; they stay on record.
  Result<void> clear_strikes(const TrialKey& key);
  Result<void> incidents(const TrialKey& key, Window window, std::vector<Incident>& into);
  struct SolverOnDevice {
    std::string_view solver;
    std::string_view device;
    std::string_view library;
  };
  Result<void> incidents_of_solver(const SolverOnDevice& which, Window window, std::vector<Incident>& into);

  // Intents. add_intent keeps a number other than 0 (a ledger being copied) and returns the number.
  Result<std::int64_t> add_intent(const IntentRow& row);
  // `pid` too, so that a number from a lost ledger cannot close somebody else's.
  Result<void> remove_intent(std::int64_t id, std::int64_t pid);
  // The first rows only: a limit for files from elsewhere.
  Result<std::vector<IntentRow>> intents();

  // Adds every row that makes sense; the others are counted.
  Result<void> read_all(Store::Contents& into, int& senseless);
  // Merges the verdicts and incidents of `other`.
  Result<void> absorb(LedgerRows& other);
  Result<int> remove_verdicts_older_than(std::int64_t time);
  Result<int> remove_incidents_older_than(std::int64_t time);
  // Verdicts and incidents whose solver, problem or problem class is `what`, and the incident of that number.
  Result<int> forget(std::string_view what);
  Result<int> forget_all();

 private:
  Result<int> remove(std::string_view sql, std::string_view what);
  Database* database_ = nullptr;
  Statement put_verdict_;
  Statement merge_verdict_;
  Statement verdict_;
  Statement add_incident_;
  Statement merge_incident_;
  Statement clear_strikes_;
  Statement incidents_;
  Statement incidents_of_solver_;
  Statement add_intent_;
  Statement remove_intent_;
};

}  // namespace convoy
