// Executes groups, one after another, on one host thread. Waves of a group take turns: each runs until it ends, waits at a barrier,
// or has used up its slice (a wave that polls must not starve the one it waits for).
#pragma once

#include <memory>
#include <vector>

#include "launch_setup.h"

namespace convoy::amdgpu {

class GroupRunner {
 public:
  explicit GroupRunner(const Job& job);

  void run(uint64_t group);  // throws Fault
  const Statistics& statistics() const { return statistics_; }

 private:
  void run_slice(Wave& w);
  void trace(const Wave& w) const;

  const Job& job_;
  Group group_;
  std::vector<std::unique_ptr<Wave>> waves_;
  Statistics statistics_;
};

}  // namespace convoy::amdgpu
