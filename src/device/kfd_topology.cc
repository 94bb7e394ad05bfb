// Implementation of kfd_topology.h.
#include "device/kfd_topology.h"

#include <charconv>

#include <fmt/format.h>

namespace convoy {

std::int64_t kfd_property(std::string_view properties, std::string_view label) {
  // What no newline ends has been cut off: its number is another one.
  for (std::size_t end = 0; (end = properties.find('\n')) != std::string_view::npos;
       properties.remove_prefix(end + 1)) {
    const std::string_view line = properties.substr(0, end);
    if (!line.starts_with(label) || line.size() <= label.size() || line[label.size()] != ' ') continue;
    const std::string_view digits = line.substr(label.size() + 1);
    std::int64_t value = -1;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && stop == digits.data() + digits.size() && value >= 0 ? value : -1;
  }
  return -1;
}

std::string gfx_name(std::int64_t target_version) {
  const std::int64_t major = target_version / 10000, minor = target_version / 100 % 100,
                     stepping = target_version % 100;
  // The name has one hexadecimal digit for each of the last two.
  if (major < 6 || major > 99 || minor > 15 || stepping > 15) return {};
  return fmt::format("gfx{}{:x}{:x}", major, minor, stepping);
}

}  // namespace convoy
