// Which files of a machine set variables, and to what: those that login shells, sessions and services read. Nothing is
// executed: an assignment below an `if` counts as made, one whose value the shell would compute is known by name alone.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "device/detect.h"

namespace convoy {

struct EnvironmentAssignment {
  std::string name;
  std::string value;      // without the quotation marks that its reader takes off
  bool computed = false;  // `value` is what stands there, not what it comes to: "$HOME/db"
  std::string file;       // as it is called inside the root
  int line = 0;
  std::string reader;  // who reads the file: "login shells"

  std::string place() const;  // "/etc/profile.d/rocm.sh:3 (login shells)"
};

struct EnvironmentFiles {
  std::vector<EnvironmentAssignment> assignments;  // in the order of reading
  std::vector<DetectNote> unread;                  // files that are there and were not read, and why
};

// Assignments to names that `wanted` accepts, in the files below `root` ("": this machine) and below `home` in it.
EnvironmentFiles read_environment_files(const std::string& root, const std::string& home,
                                        const std::function<bool(std::string_view name)>& wanted);

}  // namespace convoy
