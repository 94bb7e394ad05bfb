// A call's tensors where the host can read and write them, and host solvers for devices whose memory the host cannot reach:
// copy, compute, copy back. On a host-accessible device nothing is copied.
#pragma once

#include <memory>
#include <vector>

#include "solvers/solver.h"

namespace convoy {

class HostTensors {
 public:
  // What of the output's content is wanted on the host.
  enum class Output { keep, gaps_only };

  // Waits for what the stream holds. `gaps_only`: the output is about to be overwritten; it is copied only where strides
  // leave gaps between its elements, which must survive the way back. out_of_memory when the host has no room.
  static Result<HostTensors> download(const Problem& problem, Device& device, const Tensors& tensors, Output output);
  // Brings the output back to the device; complete on return.
  Result<void> upload_output(const Problem& problem, Device& device, const Tensors& tensors) const;

  const Tensors& tensors() const { return tensors_; }

 private:
  std::unique_ptr<Device> host_;  // null: the device's own memory is used
  std::vector<DeviceBuffer> buffers_;
  Tensors tensors_;
};

// Plans `solver`, which computes on the host, for a device whose memory the host cannot reach. Its memory on the host is
// allocated at each run.
Result<std::unique_ptr<Plan>> plan_on_host(const Solver& solver, const Problem& problem, Device& device,
                                           const PlanOptions& options);

// Adds one number for each channel to an output on the host (Tensors::bias). `problem` is ordinary; not wrw.
void add_bias(const Problem& problem, const Tensors& tensors, int threads);
// Bytes of a bias.
std::int64_t bias_bytes(const Problem& problem);

}  // namespace convoy
