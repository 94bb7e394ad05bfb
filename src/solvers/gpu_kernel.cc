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

Result<GpuKernel> load_kernel(Device& device, const ProgramSource& source, const char* entry) {
  CONVOY_TRY(std::shared_ptr<const Program> program, device.programs().get(source));
  CONVOY_TRY(std::unique_ptr<Kernel> kernel, program->kernel(entry));
  return GpuKernel(std::move(program), std::move(kernel));
}

}  // namespace convoy
