// check_with_reference() of numbers.h: the one check that needs another solver.
#include "device/device.h"
#include "solvers/numbers.h"

namespace convoy {

Result<NumbersCheck> check_with_reference(const Problem& problem, const Tensors& tensors, const Leniency& leniency) {
  const auto host = make_cpu_device();
  CONVOY_TRY(const DeviceBuffer expected, host->allocate(problem.bytes(problem.output_role())));
  Tensors reference = tensors;
  switch (problem.output_role()) {
    case TensorRole::x: reference.x = expected.data(); break;
    case TensorRole::w: reference.w = expected.data(); break;
    case TensorRole::y: reference.y = expected.data(); break;
  }
  CONVOY_TRY(const auto plan, find_solver("reference")->plan(problem, *host, {}));
  CONVOY_CHECK(plan->run(reference, nullptr));
  return check_full(problem, tensors, expected.data(), leniency);
}

}  // namespace convoy
