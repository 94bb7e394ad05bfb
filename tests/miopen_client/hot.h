// What one call costs once its shape is warm: the find path's run alone, or immediate mode's GetSolution and run, which is
// what PyTorch pays on every call.
#pragma once

#include "client.h"

namespace convoy::client {

struct HotCalls {
  const char* function = "";
  long calls = 0;
  double nanoseconds = 0;  // of one call: the median of batches
  double mallocs = 0;      // made by one call in the calling thread; negative: not counted in this build
};

HotCalls time_hot(const Api& api, const Client& client, const Call& call, const Outcome& warmed_up, long calls);

}  // namespace convoy::client
