// Implementation of gpu_kernel.h.
#include "solvers/gpu_kernel.h"

#include "solvers_cl.h"

#include <fmt/format.h>

namespace convoy {

std::string element_define(Dtype dtype) {
  return fmt::format("ELEMENT={}", static_cast<int>(dtype));
}

std::string with_elements(std::string_view text) {
  return fmt::format("{}{}", k_gpu_element_cl, text);
}

Result<void> prepare_programs(Device& device, std::span<const ProgramSource> sources, const PlanOptions& options) {
  if (options.not_compiled == nullptr) return device.programs().prepare(sources, options.threads);
  for (const ProgramSource& source : sources) {
    if (device.programs().is_ready(source)) continue;
    *options.not_compiled = true;
    return fail(ErrorCode::unsupported, fmt::format("{}: not compiled yet", source.name));
  }
  return {};
}

Result<GpuKernel> load_kernel(Device& device, const ProgramSource& source, const char* entry) {
  CONVOY_TRY(std::shared_ptr<const Program> program, device.programs().get(source));
  CONVOY_TRY(std::unique_ptr<Kernel> kernel, program->kernel(entry));
  return GpuKernel(std::move(program), std::move(kernel));
}

}  // namespace convoy
