// One thing that `convoy doctor` has to say.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// The worst first. The exit status follows: 3, 1, 0.
enum class Severity { broken, warning, note };

struct Finding {
  std::string id;  // fixed: scripts look for it. "environment.find_enforce_search"
  Severity severity = Severity::note;
  std::string sentence;
  std::string place;   // file and line, device or folder
  std::string cure;    // empty: nothing needs to be done
  std::string source;  // where it is shown; empty for what this machine alone shows
};

std::string_view name_of(Severity severity);
// The worst first, in the order of adding within a severity.
void sort_findings(std::vector<Finding>& findings);
// 3: something is broken; 1: warnings; 0: nothing is wrong.
int exit_status_of(const std::vector<Finding>& findings);

}  // namespace convoy
