// Untrusted text as it may stand in an error message: short, and bytes that could drive a terminal or break
// JSON replaced.
#pragma once

#include <string>
#include <string_view>

namespace convoy {

inline std::string printable(std::string_view text) {
  constexpr std::size_t k_longest = 120;
  std::string result(text.substr(0, k_longest));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.size() > k_longest) result += "...";
  return result;
}

}  // namespace convoy
