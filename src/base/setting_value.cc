// Implementation of setting_value.h.
#include "base/setting_value.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace convoy {
namespace {

using enum SettingKind;
constexpr std::size_t k_value_limit = 4096;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

bool is_printable(char letter) {
  return static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F;
}

// "512M", "4GiB": binary multiples. "4GB" is refused: it means 1000s to some people and 1024s to others.
std::optional<std::int64_t> parse_bytes(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_integer(text.substr(0, digits));
  const std::string suffix = lower(trimmed(text.substr(digits)));
  if (!count) return std::nullopt;
  if (suffix.empty()) return count;
  const auto power = std::string_view("kmgt").find(suffix[0]);
  if (power == std::string_view::npos || (suffix.size() > 1 && suffix.substr(1) != "ib")) return std::nullopt;
  constexpr std::int64_t k_most = std::numeric_limits<std::int64_t>::max();
  const std::int64_t unit = std::int64_t{1} << (10 * (power + 1));
  if (*count > k_most / unit) return std::nullopt;
  return *count * unit;
}

std::optional<bool> parse_boolean(std::string_view text) {
  constexpr std::string_view k_true[] = {"1", "yes", "on", "true", "enable", "enabled"};
  constexpr std::string_view k_false[] = {"0", "no", "off", "false", "disable", "disabled"};
  const std::string word = lower(text);
  if (std::ranges::find(k_true, word) != std::end(k_true)) return true;
  if (std::ranges::find(k_false, word) != std::end(k_false)) return false;
  return std::nullopt;
}

// Calls visit(name, number) for each choice; number is -1 where there is none. Stops when visit returns true.
template <typename Visit>
void each_choice(std::string_view choices, Visit visit) {
  while (!choices.empty()) {
    const auto bar = std::min(choices.find('|'), choices.size());
    const std::string_view choice_text = choices.substr(0, bar);
    const auto equals = std::min(choice_text.find('='), choice_text.size());
    const bool numbered = equals < choice_text.size();
    const std::int64_t number = numbered ? parse_integer(choice_text.substr(equals + 1)).value_or(-1) : -1;
    if (visit(choice_text.substr(0, equals), number)) return;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
}

std::optional<std::string> parse_choice(const SettingRow& row, std::string_view text) {
  if (text.empty() && row.fallback.empty()) return "";
  const std::string word = lower(text);
  const auto given_number = parse_integer(text);
  std::optional<std::string> result;
  each_choice(row.choices, [&](std::string_view name, std::int64_t number) {
    if (word == name || (number >= 0 && given_number == number)) result = name;
    return result.has_value();
  });
  return result;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view k_blank = " \t\r";
  const auto begin = text.find_first_not_of(k_blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(k_blank) - begin + 1);
}

std::string shown(std::string_view value) {
  constexpr std::size_t k_longest = 80;
  std::string result;
  for (const char letter : value.substr(0, k_longest)) {
    const auto code = static_cast<unsigned char>(letter);
    result += code >= 0x20 && code < 0x7F ? std::string(1, letter) : fmt::format("\\x{:02x}", code);
  }
  return value.size() > k_longest ? result + "..." : result;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> accepted_value(const SettingRow& row, std::string_view value) {
  if (value.size() > k_value_limit || !std::ranges::all_of(value, is_printable)) return std::nullopt;
  switch (row.kind) {
    case text: return std::string(value);
    case choice: return parse_choice(row, value);
    case path: return value.empty() || value[0] == '/' ? std::optional(std::string(value)) : std::nullopt;
    case boolean: {
      const auto parsed = parse_boolean(value);
      return parsed ? std::optional<std::string>(*parsed ? "true" : "false") : std::nullopt;
    }
    case integer:
    case bytes: {
      const auto parsed = row.kind == integer ? parse_integer(value) : parse_bytes(value);
      if (!parsed || *parsed < row.minimum || *parsed > row.maximum) return std::nullopt;
      return std::to_string(*parsed);
    }
  }
  return std::nullopt;
}

std::string accepted_values(const SettingRow& row) {
  switch (row.kind) {
    case text: return fmt::format("printable text of at most {} characters", k_value_limit);
    case path: return "an absolute path, or nothing";
    case boolean: return "1/0, yes/no, on/off, true/false, enable/disable";
    case integer: return fmt::format("a whole number from {} to {}", row.minimum, row.maximum);
    case bytes: return "a number of bytes, also like 512M or 4GiB";
    case choice: break;
  }
  std::string names;
  each_choice(row.choices, [&](std::string_view name, std::int64_t number) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    if (number >= 0) names += fmt::format(" ({})", number);
    return false;
  });
  return names;
}

}  // namespace convoy
