// A range of versions or sizes, as rules write it: ">=6.0 <6.2", ">42", "3".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// Up to four numbers; what is missing counts as 0: 6.2 is 6.2.0.
using Version = std::array<std::int64_t, 4>;

// The numbers at the first digit of `text`: "miopen 3.2.0-a1b2" is 3.2.0. nullopt: there is no digit.
std::optional<Version> version_in(std::string_view text);

class Range {
 public:
  // One or two bounds with blanks between; a bound without an operator stands for equality. nullopt: not such a text.
  static std::optional<Range> parse(std::string_view text);

  bool contains(const Version& version) const;
  bool contains(std::int64_t size) const { return contains(Version{size, 0, 0, 0}); }

 private:
  enum class Comparison { less, at_most, equal, at_least, more };
  struct Bound {
    Comparison comparison;
    Version value;
  };
  static std::optional<Bound> parse_bound(std::string_view text);
  std::vector<Bound> bounds_;
};

}  // namespace convoy
