// Durations as people read them, in tables of every command.
#pragma once

#include <string>

#include <fmt/format.h>

namespace convoy {

inline std::string time_text(double ms) {
  if (ms < 1) return fmt::format("{:.1f} us", ms * 1000);
  if (ms < 1000) return fmt::format("{:.2f} ms", ms);
  return fmt::format("{:.2f} s", ms / 1000);
}

}  // namespace convoy
