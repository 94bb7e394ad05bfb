// One thread of a client: its device, stream and handle, and the convolutions it does, a line of JSON each.
#pragma once

#include <functional>

#include "options.h"

namespace convoy::client {

// Exit statuses; the larger is the one to tell.
inline constexpr int k_all_right = 0, k_wrong_numbers = 1, k_bad_usage = 2, k_framework_threw = 3, k_hip_failed = 4;

struct Seat {
  int device = 0;
  int thread = 0;
  std::function<void()> after_first_use;  // may be empty
};

int run_worker(const Options& options, const Api& api, const Seat& seat);

}  // namespace convoy::client
