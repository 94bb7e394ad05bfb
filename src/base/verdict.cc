// Names of the verdicts, both ways.
#include "base/verdict.h"

#include <array>
#include <utility>

namespace convoy {
namespace {
constexpr std::array<std::pair<Verdict, std::string_view>, 6> k_names{{
    {Verdict::passed, "passed"},
    {Verdict::wrong_result, "wrong_result"},
    {Verdict::crashed, "crashed"},
    {Verdict::timed_out, "timed_out"},
    {Verdict::failed, "failed"},
    {Verdict::refused, "refused"},
}};
}  // namespace

std::string_view to_string(Verdict verdict) {
  for (const auto& [value, name] : k_names) {
    if (value == verdict) return name;
  }
  return "failed";
}

std::optional<Verdict> verdict_from_string(std::string_view text) {
  for (const auto& [value, name] : k_names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace convoy
