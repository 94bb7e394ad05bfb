// The memory that programs were given, by address. Device memory is memory of this process: the simulator's kernels and the
// copies work on it directly, and both ask here (or the simulator's own copy of the list) what is in bounds.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "sim/hip/device.h"

namespace convoy::hip {

// `global` is a variable of a loaded module, `registered` the program's own memory: both are only known here, not owned.
enum class MemoryKind { device, host, managed, registered, global };

struct Allocation {
  char* base;
  std::size_t bytes;
  MemoryKind kind;
  DevicePointer device;
  unsigned flags;
  const char* call;  // that made it, for the report
};

// By the first byte; the comparison lets any pointer be looked up.
using AllocationMap = std::map<char*, Allocation, std::less<>>;

struct AllocationRequest {
  std::size_t bytes;
  MemoryKind kind;
  DevicePointer device;
  unsigned flags;
  const char* call;
};

class Memory {
 public:
  // The cards of the machine: all of them see host and managed memory, each sees its own device memory only.
  void set_devices(std::vector<DevicePointer> devices);
  // Fills the start with 0xff, which is NaN in every floating-point format. out_of_memory when the card is full.
  Error allocate(const AllocationRequest& request, void** result);
  // Makes memory known that somebody else owns. False: part of it is known already.
  bool adopt(void* base, const AllocationRequest& request);
  // `base` as it was given out. The caller has seen to it that no queued work needs it.
  void release(const void* base);
  void release_all_of(const Device& device);

  // The allocation that holds the address, or null.
  const Allocation* find(const void* address) const;
  // The allocation that starts there, or null.
  const Allocation* at(const void* base) const;
  const AllocationMap& all() const { return allocations_; }

 private:
  void keep(const Allocation& allocation);
  bool seen_by(const Allocation& allocation, const DevicePointer& device) const;

  std::vector<DevicePointer> devices_;
  AllocationMap allocations_;
};

}  // namespace convoy::hip
