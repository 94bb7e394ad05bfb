// What GPU solvers share to get at a kernel: the text of element types put before their own, and an entry point that keeps
// its program alive.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "device/device.h"
#include "problem/dtype.h"
#include "solvers/solver.h"

namespace convoy {

// "ELEMENT=1": picks the types of gpu_element.cl.
std::string element_define(Dtype dtype);
// gpu_element.cl, then `text`. Call it once per solver and keep the result: ProgramSource::text must live for ever.
std::string with_elements(std::string_view text);

class GpuKernel {
 public:
  GpuKernel() = default;
  GpuKernel(std::shared_ptr<const Program> program, std::unique_ptr<Kernel> kernel)
      : program_(std::move(program)), kernel_(std::move(kernel)) {}

  const Kernel* operator->() const { return kernel_.get(); }

 private:
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Kernel> kernel_;
};

// Compiles what the device has not, side by side; an Error when `options` forbid that or it fails.
Result<void> prepare_programs(Device& device, std::span<const ProgramSource> sources, const PlanOptions& options);

// Compiles the program unless the device has it.
Result<GpuKernel> load_kernel(Device& device, const ProgramSource& source, const char* entry);

}  // namespace convoy
