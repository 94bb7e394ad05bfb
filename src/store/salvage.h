// Saves what can be read of a damaged ledger.
#pragma once

#include "store/sqlite.h"

namespace convoy {

// Row by row, from both ends of each table, past whatever cannot be read. An Error only when `fresh` cannot
// be written.
Result<int> salvage_ledger(Database& damaged, Database& fresh);

}  // namespace convoy
