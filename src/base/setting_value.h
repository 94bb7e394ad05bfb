// What the value of a setting may look like: the syntax of each SettingKind, apart from where values come
// from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/settings.h"

namespace convoy {

// The value in its one spelling ("FAST" and "2" become "fast", "4k" becomes "4096"), or nothing when it is
// not acceptable.
std::optional<std::string> accepted_value(const SettingRow& row, std::string_view value);
// What is acceptable, for a person.
std::string accepted_values(const SettingRow& row);

// The whole of `text` as a decimal number.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::string_view trimmed(std::string_view text);
// For messages: they end up on terminals, in logs and in JSON, so nothing but short ASCII goes in.
std::string shown(std::string_view value);

}  // namespace convoy
