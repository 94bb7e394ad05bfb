// A choice turned into what a plan needs: programs with their definitions, launch sizes, workspace. Pure: nothing is compiled here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/device.h"
#include "problem/problem.h"
#include "solvers/igemm_choice.h"

namespace convoy {

struct IgemmRecipe {
  IgemmShape shape{};
  IgemmChoice choice;
  Direction direction = Direction::forward;
  bool vectors = false;  // reads or writes tensors four elements at a time: they have to be aligned
  ProgramSource main;
  LaunchSize main_size;
  std::optional<ProgramSource> pack;
  LaunchSize pack_size;
  std::optional<ProgramSource> reduce;
  LaunchSize reduce_size;
  std::int64_t channel_stride = 1;  // of the target, for the reduction's bias
  std::int64_t workspace = 0;
};

// Fewer splits and no packing where `workspace_limit` (0: none) asks for it. `unsupported` where the tile does not serve the
// problem's memory order.
Result<IgemmRecipe> igemm_recipe(const Problem& problem, const DeviceInfo& device, IgemmChoice choice,
                                 std::int64_t workspace_limit);

// Those of igemm_choices() that serve the problem, not more than are worth their compilation.
std::vector<IgemmChoice> usable_igemm_choices(const Problem& problem, const DeviceInfo& device,
                                              std::int64_t workspace_limit);

}  // namespace convoy
