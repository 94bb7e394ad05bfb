// Schemas as numbered SQL texts: text n brings a file from version n-1 to n; PRAGMA user_version says where a
// file stands. A file is believed only when its schema is, letter by letter, what the texts make: a view or
// trigger that somebody slipped in could otherwise run whenever we read.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "store/sqlite.h"

namespace convoy {

using SchemaSteps = std::span<const std::string_view>;
SchemaSteps cache_schema();
SchemaSteps ledger_schema();

// Brings a file of this or an older version to the version of `steps`. A newer one is left as it is.
Result<void> migrate(Database& database, SchemaSteps steps);

enum class SchemaState { matches, other_version, differs };
Result<SchemaState> schema_state(Database& database, SchemaSteps steps);

}  // namespace convoy
