// Which files of a machine set variables, and to what: those that shells, sessions, services and containers read. How each is
// written is environment_text.h. Nothing is executed and no link leads out of the root.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/environment_text.h"
#include "device/detect.h"

namespace convoy {

// Where to look. Paths are those inside the root.
struct EnvironmentSearch {
  std::string root = {};                         // "": this machine
  std::string home = {};                         // empty: nobody's
  std::string project = {};                      // a folder whose compose files and Dockerfile are read; empty: none
  std::vector<std::string> conda_prefixes = {};  // besides those that ~/.conda/environments.txt lists
  std::vector<std::string> also = {};            // more files, each read as its name and its first section tell
};

struct EnvironmentFiles {
  std::vector<EnvironmentAssignment> assignments;  // within a scope in the order of reading
  std::vector<DetectNote> unread;                  // files, and lines, that are there and were not read, and why
};

// Assignments to names that `wanted` accepts.
EnvironmentFiles read_environment_files(const EnvironmentSearch& search,
                                        const std::function<bool(std::string_view name)>& wanted);

}  // namespace convoy
