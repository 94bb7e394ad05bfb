// Recovery of abandoned intents.
#include "store/recovery.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace convoy {
namespace {

struct Abandoned {
  IntentRow row;
  std::string_view why;
};

Result<std::vector<Abandoned>> find_abandoned(LedgerRows& rows, const ProcessIdentity& self, std::int64_t now) {
  CONVOY_TRY(auto intents, rows.intents());
  std::vector<Abandoned> abandoned;
  for (IntentRow& row : intents) {
    if (const auto why = why_abandoned(row, self, now)) abandoned.push_back({std::move(row), *why});
  }
  return abandoned;
}

}  // namespace

Result<int> recover_intents(Database& database, LedgerRows& rows, const ProcessIdentity& self, std::int64_t now) {
  // First without the write lock: nearly always there is nothing to do.
  CONVOY_TRY(const auto suspected, find_abandoned(rows, self, now));
  if (suspected.empty()) return 0;
  CONVOY_TRY(Transaction transaction, Transaction::begin(database));
  // Again: another process may have recovered them while we waited for the lock.
  CONVOY_TRY(const auto abandoned, find_abandoned(rows, self, now));
  for (const auto& [row, why] : abandoned) {
    const OpenIntent& intent = row.intent;
    const std::int64_t at = std::min(intent.at, now);
    CONVOY_CHECK(rows.add_incident({0, intent.key, Verdict::crashed, 1, 0, std::string(why), intent.host, at}));
    CONVOY_CHECK(rows.remove_intent(intent.id, intent.pid));
  }
  CONVOY_CHECK(transaction.commit());
  return static_cast<int>(abandoned.size());
}

}  // namespace convoy
