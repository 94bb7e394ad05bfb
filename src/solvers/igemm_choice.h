// How igemm may compute a problem: a tile and a few switches. As text (Solver::choices, databases):
//   s:128x64x16/8x8/b3/k2       specialised (g: generic, sizes as arguments); tile rows x points x depth / those of a thread /
//                               groups per multiprocessor that registers are saved for / parts of k
//   s:16x256x16/8x4/b3/k1/m/u   m: phases as rows; u: the filter is not packed
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/device.h"
#include "solvers/geometry.h"
#include "solvers/igemm_shape.h"

namespace convoy {

struct IgemmTile {
  int rows, points, depth;
  int thread_rows, thread_points;
  int resident;  // groups

  int threads() const { return rows / thread_rows * (points / thread_points); }
  bool operator==(const IgemmTile&) const = default;
};

struct IgemmChoice {
  bool specialised = false;
  IgemmTile tile{};
  int splits = 1;
  Phases phases = Phases::none;
  bool packed = true;
};

std::string to_string(const IgemmChoice& choice);
// Untrusted text; nothing when it is none of ours or its tile cannot be built on the device.
std::optional<IgemmChoice> parse_igemm_choice(std::string_view text, const Geometry& g, const DeviceInfo& device);

// Soon ready to run: a generic build of one of a few tiles.
IgemmChoice default_igemm_choice(const Geometry& g, const DeviceInfo& device);
// Specialised builds worth timing, best guess first.
std::vector<IgemmChoice> igemm_choices(const Geometry& g, const DeviceInfo& device);

}  // namespace convoy
