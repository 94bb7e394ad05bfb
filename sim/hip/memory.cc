// Allocations; see memory.h.
#include "sim/hip/memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace convoy::hip {
namespace {

constexpr std::size_t k_page = 4096;
// Beyond this a large allocation costs address space only, as long as nobody touches it.
constexpr std::size_t k_filled = std::size_t{64} << 20;

bool is_owned(MemoryKind kind) {
  return kind <= MemoryKind::managed;
}

}  // namespace

void Memory::set_devices(std::vector<DevicePointer> devices) {
  devices_ = std::move(devices);
  for (const auto& [base, allocation] : allocations_) {
    for (const DevicePointer& device : devices_) {
      if (seen_by(allocation, device)) device->visible.add(base, allocation.bytes);
    }
  }
}

bool Memory::seen_by(const Allocation& allocation, const DevicePointer& device) const {
  bool is_of_one_card = allocation.kind == MemoryKind::device || allocation.kind == MemoryKind::global;
  return !is_of_one_card || allocation.device == device;
}

void Memory::keep(const Allocation& allocation) {
  allocations_[allocation.base] = allocation;
  for (const DevicePointer& device : devices_) {
    if (seen_by(allocation, device)) device->visible.add(allocation.base, allocation.bytes);
  }
}

Error Memory::allocate(const AllocationRequest& request, void** result) {
  if (result == nullptr) return Error::invalid_value;
  *result = nullptr;
  if (request.bytes == 0) return Error::success;
  Device& device = *request.device;
  bool counts = request.kind == MemoryKind::device;
  if (counts && request.bytes > device.memory_total - device.memory_used) return Error::out_of_memory;
  if (request.bytes > SIZE_MAX / 2) return Error::out_of_memory;
  // One page more than needed: what runs past the end meets no other allocation.
  std::size_t pages = (request.bytes + k_page - 1) / k_page + 1;
  void* base = std::aligned_alloc(k_page, pages * k_page);
  if (base == nullptr) return Error::out_of_memory;
  std::memset(base, 0xff, std::min(request.bytes, k_filled));
  if (counts) device.memory_used += request.bytes;
  keep({static_cast<char*>(base), request.bytes, request.kind, request.device, request.flags, request.call});
  *result = base;
  return Error::success;
}

bool Memory::adopt(void* base, const AllocationRequest& request) {
  auto* first = static_cast<char*>(base);
  if (find(first) != nullptr || find(first + request.bytes - 1) != nullptr) return false;
  keep({first, request.bytes, request.kind, request.device, request.flags, request.call});
  return true;
}

void Memory::release(const void* base) {
  const Allocation* found = at(base);
  if (found == nullptr) return;
  Allocation allocation = *found;
  allocations_.erase(allocation.base);
  for (const DevicePointer& device : devices_) device->visible.remove(allocation.base);
  if (allocation.kind == MemoryKind::device) allocation.device->memory_used -= allocation.bytes;
  if (is_owned(allocation.kind)) std::free(allocation.base);
}

void Memory::release_all_of(const Device& device) {
  std::vector<char*> bases;
  for (const auto& [base, allocation] : allocations_) {
    if (allocation.device.get() == &device) bases.push_back(base);
  }
  for (char* base : bases) release(base);
}

const Allocation* Memory::find(const void* address) const {
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  const Allocation& below = std::prev(after)->second;
  return address < below.base + below.bytes ? &below : nullptr;
}

const Allocation* Memory::at(const void* base) const {
  const Allocation* allocation = find(base);
  return allocation != nullptr && allocation->base == base ? allocation : nullptr;
}

}  // namespace convoy::hip
