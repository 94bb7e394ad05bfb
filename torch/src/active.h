// Which session serves this thread, if any.
#pragma once

#include "session.h"

namespace convoy::pytorch {

// For a forward run: null where nothing is enabled and it is not `asked_for`, by a scope or by its weight.
Session* session_for_forward(bool asked_for);
// For gradients: `only_known` where they are served only if their convolution was computed in a scope.
struct GradientSession {
  Session* session = nullptr;
  bool only_known = false;
};
GradientSession session_for_gradients();

struct Scope {
  int depth = 0;
  std::int64_t layer = -1;
};
// Of this thread.
const Scope& current_scope();

// Puts our kernels in front of PyTorch's, once (kernels.cc).
void register_kernels();

}  // namespace convoy::pytorch
