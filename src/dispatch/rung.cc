// Workspace handling of a rung.
#include "dispatch/rung.h"

namespace convoy {

Result<void> Rung::run(DispatchContext& context, const Tensors& tensors, void* workspace,
                       std::int64_t workspace_bytes) const {
  const std::int64_t needed = plan_->workspace_bytes();
  const bool usable =
      workspace != nullptr && workspace_bytes >= needed && reinterpret_cast<std::uintptr_t>(workspace) % 64 == 0;
  if (needed == 0 || usable) return plan_->run(tensors, workspace);
  CONVOY_TRY(DeviceBuffer buffer, context.acquire_workspace(needed));
  auto result = plan_->run(tensors, buffer.data());
  context.release_workspace(std::move(buffer));
  return result;
}

}  // namespace convoy
