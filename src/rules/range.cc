// Implementation of range.h.
#include "rules/range.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace convoy {
namespace {

// Numbers with dots between, from the start of `text`; what follows is cut off it. nullopt: no number, or too large a one.
std::optional<Version> take_version(std::string_view& text) {
  Version version{};
  for (std::size_t i = 0; i < version.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[i]);
    if (error != std::errc{} || version[i] < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const bool more = text.size() > 1 && text[0] == '.' && text[1] >= '0' && text[1] <= '9';
    if (!more) break;
    if (i + 1 < version.size()) text.remove_prefix(1);
  }
  return version;
}

}  // namespace

std::optional<Version> version_in(std::string_view text) {
  const std::size_t begin = text.find_first_of("0123456789");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  return take_version(text);
}

std::optional<Range::Bound> Range::parse_bound(std::string_view text) {
  constexpr std::pair<std::string_view, Comparison> k_operators[] = {{"<=", Comparison::at_most},
                                                                     {">=", Comparison::at_least},
                                                                     {"<", Comparison::less},
                                                                     {">", Comparison::more},
                                                                     {"=", Comparison::equal}};
  Bound bound{Comparison::equal, {}};
  for (const auto& [sign, comparison] : k_operators) {
    if (!text.starts_with(sign)) continue;
    bound.comparison = comparison;
    text.remove_prefix(sign.size());
    break;
  }
  const auto value = take_version(text);
  if (!value || !text.empty()) return std::nullopt;
  bound.value = *value;
  return bound;
}

std::optional<Range> Range::parse(std::string_view text) {
  constexpr std::size_t k_most = 2;
  Range range;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const auto bound = parse_bound(text.substr(0, end));
    if (!bound || range.bounds_.size() == k_most) return std::nullopt;
    range.bounds_.push_back(*bound);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return range.bounds_.empty() ? std::nullopt : std::optional(std::move(range));
}

bool Range::contains(const Version& version) const {
  return std::ranges::all_of(bounds_, [&version](const Bound& bound) {
    switch (bound.comparison) {
      case Comparison::less: return version < bound.value;
      case Comparison::at_most: return version <= bound.value;
      case Comparison::equal: return version == bound.value;
      case Comparison::at_least: return version >= bound.value;
      case Comparison::more: return version > bound.value;
    }
    return false;
  });
}

}  // namespace convoy
