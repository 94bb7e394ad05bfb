// The convolutions that Convoy serves in this process: one entry for each request, found by one hash look-up, kept for ever.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "engine.h"
#include "request.h"

namespace convoy::miopen {

// Our solution ids begin here; MIOpen's are small.
inline constexpr std::uint64_t k_first_solution = std::uint64_t{1} << 32;

struct Served {
  convoy_handle handle = nullptr;
  convoy_plan plan = nullptr;  // null: remembered as not ours
  std::uint64_t solution = 0;
  std::atomic<bool> chosen{false};     // has run, or was prepared
  std::atomic<float> milliseconds{0};  // of one run, once measured
};

// A call's entry, and whether the roles of x and y are exchanged in it.
struct Found {
  Served* served;
  bool swapped;
};

// Nothing: the real library gets the call. Thread-safe.
std::optional<Found> find_served(const RealLibrary& real, const CallDescriptors& call);

// Addresses of the tensors by role, as the caller has them.
struct Addresses {
  const void* x;
  const void* w;
  const void* y;
};

struct RunOptions {
  Handle handle = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

// Computes on the stream of `options.handle`. The first run of an entry chooses.
Status run_served(const RealLibrary& real, const Found& found, const Addresses& addresses, const RunOptions& options);
// The same between two waits for the stream: the milliseconds that it takes.
Status time_served(const RealLibrary& real, const Found& found, const Addresses& addresses, const RunOptions& options,
                   float& milliseconds);
// Chooses on the caller's tensors, and measures a run.
Status measure_served(const RealLibrary& real, const Found& found, const Addresses& addresses,
                      const RunOptions& options);

Status status_of(convoy_status status);

}  // namespace convoy::miopen
