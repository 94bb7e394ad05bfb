// HSA_OVERRIDE_GFX_VERSION, which makes the whole of ROCm take a card for another.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "device/detect.h"

namespace convoy {

inline constexpr std::string_view k_override_variable = "HSA_OVERRIDE_GFX_VERSION";

struct GfxTarget {
  int major = 0, minor = 0;
  std::string name;  // "gfx1030"
};
// "10.3.0" as the variable has it; nullopt: no three numbers.
std::optional<GfxTarget> target_of_version(std::string_view version);
// "gfx90a": the last two letters are minor and stepping.
std::optional<GfxTarget> target_of_name(const std::string& name);

// Whether `variable` is the one for all cards or that for `gpu` alone, HSA_OVERRIDE_GFX_VERSION_<node>.
bool concerns_pretence(std::string_view variable, const DetectedGpu& gpu);

}  // namespace convoy
