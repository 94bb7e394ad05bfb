// What redact.cc and redact_rules.cc share: kinds of characters, and the rules for what tells of anybody, whoever the user is.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace convoy {

inline bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}
inline bool is_word(char c) {
  return is_letter_or_digit(c) || c == '_';
}
inline bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}
inline bool is_name(char c) {  // of users and machines
  return is_word(c) || c == '.' || c == '-' || c == '+';
}

inline std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

template <typename Test>
std::size_t run_of(std::string_view text, Test test) {
  std::size_t length = 0;
  while (length < text.size() && test(text[length])) ++length;
  return length;
}

// The first `kept` characters of `text` stay, the rest of `length` goes, and what stands in for it.
struct RedactMatch {
  std::size_t length = 0;
  std::string_view stand_in;
  std::size_t kept = 0;
};
// The first rule that matches what `text` begins with, behind `before`.
std::optional<RedactMatch> match_anybodys(std::string_view text, char before);

}  // namespace convoy
