// Workspace handling of a rung.
#include "dispatch/rung.h"

#include <utility>

namespace convoy {

Result<void> Rung::run(Device& device, const Tensors& tensors, void* workspace, std::int64_t workspace_bytes) const {
  const std::int64_t needed = plan_->workspace_bytes();
  const bool usable =
      workspace != nullptr && workspace_bytes >= needed && reinterpret_cast<std::uintptr_t>(workspace) % 64 == 0;
  if (needed == 0 || usable) return plan_->run(tensors, workspace);
  DeviceBuffer buffer;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      buffer = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (buffer.data() == nullptr) {
    CONVOY_TRY(buffer, device.allocate(needed));
  }
  auto result = plan_->run(tensors, buffer.data());
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(buffer));
  return result;
}

}  // namespace convoy
