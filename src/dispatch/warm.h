// Compiles ahead of time: the kernels that a list of problems may need, on all cores, so that no first call waits for a
// compiler. Nothing runs on the device and nothing is chosen.
#pragma once

#include <functional>
#include <span>

#include "dispatch/context.h"

namespace convoy {

struct WarmProgress {
  std::size_t done, total;  // plans
};

// Plans every choice of every GPU solver that selection would look at for these problems. `go_on` is called after each plan,
// from any thread, one call at a time; false stops. What cannot be planned is left to the first run to report.
void warm_kernels(DispatchContext& context, std::span<const Problem> problems,
                  const std::function<bool(WarmProgress)>& go_on);

}  // namespace convoy
