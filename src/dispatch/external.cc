// Implementation of external.h.
#include "dispatch/external.h"

#include <algorithm>

#include "solvers/numbers.h"

#include <fmt/format.h>

namespace convoy {
namespace {

class ExternalPlan final : public Plan {
 public:
  ExternalPlan(const External& external, Problem problem) : external_(external), problem_(std::move(problem)) {}

  std::int64_t workspace_bytes() const override { return 0; }  // it has an allocator of its own
  Algorithm algorithm() const override { return Algorithm::direct; }
  std::string_view detail() const override { return external_.library; }
  Result<void> run(const Tensors& tensors, void*) const override {
    if (tensors.context == nullptr) {
      return fail(ErrorCode::unsupported, fmt::format("{} computes calls of its own caller only", external_.id));
    }
    return external_.run(tensors.context, tensors.discard ? nullptr : output_of(problem_, tensors));
  }

 private:
  const External& external_;  // of the solver, which the convolution keeps
  Problem problem_;
};

}  // namespace

Result<void> validate(const External& external) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (external.id.empty() || !std::all_of(external.id.begin(), external.id.end(), is_plain)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("id '{}' of an external is not made of a-z, 0-9 and _", external.id));
  }
  if (find_solver(external.id) != nullptr)
    return fail(ErrorCode::invalid_argument, fmt::format("id '{}' of an external is a solver's", external.id));
  if (external.library.empty()) return fail(ErrorCode::invalid_argument, "library of an external is empty");
  if (!external.stand_in.empty() && find_solver(external.stand_in) == nullptr) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("stand_in '{}' of an external is no solver", external.stand_in));
  }
  if (external.tier == Tier::reference) return fail(ErrorCode::invalid_argument, "an external cannot be the reference");
  if (!(external.allowance >= 0 && external.allowance <= 1))
    return fail(ErrorCode::invalid_argument, "allowance of an external is not between 0 and 1");
  return {};
}

std::string ExternalSolver::library() const {
  const Solver* other = stand_in();
  return other == nullptr ? external_.library : fmt::format("{} with {}", external_.library, other->library());
}

Result<std::unique_ptr<Plan>> ExternalSolver::plan(const Problem& problem, Device&, const PlanOptions&) const {
  return std::make_unique<ExternalPlan>(external_, problem);
}

}  // namespace convoy
