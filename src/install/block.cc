// Implementation of block.h.
#include "install/block.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::string_view k_begin = "# >>> convoy >>>\n";
constexpr std::string_view k_end = "# <<< convoy <<<\n";

// Marks count at the beginning of a line only.
std::size_t find_line(std::string_view text, std::string_view line, std::size_t from) {
  for (std::size_t at = text.find(line, from); at != std::string_view::npos; at = text.find(line, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return at;
  }
  return std::string_view::npos;
}

}  // namespace

SplitText split_at_block(std::string_view text) {
  constexpr auto k_nowhere = std::string_view::npos;
  const std::size_t begin = find_line(text, k_begin, 0);
  const std::size_t end = find_line(text, k_end, 0);
  if (begin == k_nowhere && end == k_nowhere) return {};
  const std::size_t after = end + k_end.size();
  const bool paired = begin != k_nowhere && end != k_nowhere && begin < end;
  if (!paired || find_line(text, k_begin, begin + 1) != k_nowhere || find_line(text, k_end, after) != k_nowhere) {
    return {SplitText::Kind::broken, {}, {}, {}};
  }
  return {SplitText::Kind::one, text.substr(0, begin), text.substr(begin, after - begin), text.substr(after)};
}

std::string as_block(std::string_view body) {
  return fmt::format("{}{}{}", k_begin, body, k_end);
}

std::string with_block(std::string_view text, std::string_view block) {
  const SplitText split = split_at_block(text);
  if (split.kind == SplitText::Kind::one) return fmt::format("{}{}{}", split.before, block, split.after);
  const bool open_line = !text.empty() && text.back() != '\n';
  return fmt::format("{}{}{}", text, open_line ? "\n" : "", block);
}

}  // namespace convoy
