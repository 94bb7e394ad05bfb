// Implementation of rule.h.
#include "rules/rule.h"

#include <algorithm>

namespace convoy {
namespace {

bool one_matches(const std::vector<std::string>& patterns, std::string_view text) {
  if (patterns.empty()) return true;
  if (text.empty()) return false;
  return std::ranges::any_of(patterns, [text](const std::string& one) { return matches_pattern(one, text); });
}

bool in_range(const std::optional<Range>& range, std::string_view text) {
  if (!range) return true;
  const auto version = version_in(text);
  return version && range->contains(*version);
}

bool in_range(const std::optional<Range>& range, std::int64_t size) {
  return !range || range->contains(size);
}

bool largest_in_range(const std::optional<Range>& range, const Spatial& sizes, int rank) {
  return in_range(range, *std::max_element(sizes.begin(), sizes.begin() + rank));
}

bool is_as_asked(const std::optional<bool>& asked, bool fact) {
  return !asked || *asked == fact;
}

}  // namespace

std::string_view name_of(Layout layout) {
  return layout == Layout::channels_last ? "channels_last" : "channels_first";
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // The last * takes one letter more whenever what follows it fails: enough, since each earlier * has taken the least.
  std::size_t at = 0, star = std::string_view::npos, resume = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool ProblemPredicates::any() const {
  const bool lists = !directions.empty() || !dtypes.empty() || !layouts.empty() || !strings.empty();
  const bool ranges = rank || groups || batch || channels || outputs || image || filter || stride || dilation;
  return lists || ranges || depthwise || transposed;
}

bool applies(const MachinePredicates& predicates, const RuleMachine& machine) {
  if (predicates.no_pretence && !machine.pretends.empty()) return false;
  return one_matches(predicates.backends, machine.backend) && one_matches(predicates.pci, machine.pci) &&
         one_matches(predicates.architectures, machine.architecture) &&
         one_matches(predicates.pretends, machine.pretends) && one_matches(predicates.rocblas, machine.rocblas) &&
         in_range(predicates.driver, machine.driver) && in_range(predicates.miopen, machine.miopen) &&
         in_range(predicates.hip, machine.hip);
}

bool applies(const ProblemPredicates& predicates, const Problem& problem) {
  const int rank = problem.rank;
  return one_matches(predicates.directions, to_string(problem.direction)) &&
         one_matches(predicates.dtypes, to_string(problem.dtype)) &&
         one_matches(predicates.layouts, name_of(problem.layout)) &&
         (predicates.strings.empty() || one_matches(predicates.strings, problem.to_string())) &&
         is_as_asked(predicates.depthwise, problem.depthwise()) &&
         is_as_asked(predicates.transposed, problem.transposed) && in_range(predicates.rank, rank) &&
         in_range(predicates.groups, problem.groups) && in_range(predicates.batch, problem.n) &&
         in_range(predicates.channels, problem.c) && in_range(predicates.outputs, problem.k) &&
         largest_in_range(predicates.image, problem.in, rank) &&
         largest_in_range(predicates.filter, problem.filter, rank) &&
         largest_in_range(predicates.stride, problem.stride, rank) &&
         largest_in_range(predicates.dilation, problem.dilation, rank);
}

}  // namespace convoy
