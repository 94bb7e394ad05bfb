// What findings come to: their order, and the program's exit status.
#include "cli/finding.h"

#include <algorithm>

namespace convoy {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::broken: return "broken";
    case Severity::warning: return "warning";
    case Severity::note: return "note";
  }
  return "note";
}

void sort_findings(std::vector<Finding>& findings) {
  std::ranges::stable_sort(findings, {}, &Finding::severity);
}

int exit_status_of(const std::vector<Finding>& findings) {
  const auto any = [&](Severity severity) {
    return std::ranges::any_of(findings, [&](const Finding& finding) { return finding.severity == severity; });
  };
  if (any(Severity::broken)) return 3;
  return any(Severity::warning) ? 1 : 0;
}

}  // namespace convoy
