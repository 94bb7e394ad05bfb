// Workspace handling of a rung.
#include "dispatch/rung.h"

#include <fmt/format.h>

namespace convoy {

Result<void> Rung::run(DispatchContext& context, const Tensors& tensors, void* workspace,
                       std::int64_t workspace_bytes) const {
  const std::int64_t needed = plan_->workspace_bytes();
  if (needed == 0) return plan_->run(tensors, workspace);
  // A cl_mem is a name, not an address; OpenCL aligns what it names.
  const bool aligned =
      context.device().info().kind == DeviceKind::opencl || reinterpret_cast<std::uintptr_t>(workspace) % 64 == 0;
  if (workspace != nullptr && workspace_bytes >= needed && aligned) return plan_->run(tensors, workspace);
  if (context.device().is_capturing(tensors.stream)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a graph that records {} needs {} bytes of workspace, 64-byte aligned, from the caller",
                            solver_.id(), needed));
  }
  CONVOY_TRY(DeviceBuffer buffer, context.acquire_workspace(needed, tensors.stream));
  auto result = plan_->run(tensors, buffer.data());
  context.release_workspace(std::move(buffer), tensors.stream);
  return result;
}

}  // namespace convoy
