// Which MIOpen the stand-in says it is: CONVOY_SIM_MIOPEN_VERSION, otherwise 3.2.0. The functions are the same for all.
#pragma once

#include <cstddef>
#include <string>

namespace convoy::miopen {

struct Version {
  std::size_t major = 3, minor = 2, patch = 0;
  bool understood = true;

  std::string text() const { return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch); }
};

// Read once.
const Version& version();

}  // namespace convoy::miopen
