// Implementation of pretence.h.
#include "cli/pretence.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace convoy {

std::optional<GfxTarget> target_of_version(std::string_view version) {
  std::array<int, 3> numbers{};
  for (int& number : numbers) {
    const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
    if (error != std::errc{} || number < 0 || number > 99) return std::nullopt;
    version.remove_prefix(static_cast<std::size_t>(end - version.data()));
    if (&number == &numbers.back()) break;
    if (!version.starts_with('.')) return std::nullopt;
    version.remove_prefix(1);
  }
  if (!version.empty()) return std::nullopt;
  return GfxTarget{numbers[0], numbers[1], fmt::format("gfx{}{:x}{:x}", numbers[0], numbers[1], numbers[2])};
}

std::optional<GfxTarget> target_of_name(const std::string& name) {
  constexpr std::size_t k_prefix = 3;
  if (!name.starts_with("gfx") || name.size() < k_prefix + 3) return std::nullopt;
  GfxTarget target{0, 0, name};
  const char* end = name.data() + name.size() - 2;
  const auto [rest, error] = std::from_chars(name.data() + k_prefix, end, target.major);
  if (error != std::errc{} || rest != end || *end < '0' || *end > '9') return std::nullopt;
  target.minor = *end - '0';
  return target;
}

bool concerns_pretence(std::string_view variable, const DetectedGpu& gpu) {
  if (variable == k_override_variable) return true;
  return gpu.kfd_node >= 0 && variable == fmt::format("{}_{}", k_override_variable, gpu.kfd_node);
}

}  // namespace convoy
