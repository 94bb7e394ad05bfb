// Turns the intents that nobody will close any more into incidents.
#pragma once

#include <cstdint>

#include "store/ledger_rows.h"
#include "store/process_identity.h"

namespace convoy {

// Each abandoned intent becomes one incident `crashed` with one strike: that the process ended does not prove
// that this trial ended it. Any number of processes may do this at once. Returns how many there were.
Result<int> recover_intents(Database& database, LedgerRows& rows, const ProcessIdentity& self, std::int64_t now);

}  // namespace convoy
