// A way to compute that a caller brings along with a plan: PyTorch's own path, say. To the ladder it is one more solver, with
// the same facts, intents, checks and quarantine. What it cannot have is parameters, or a child of its own: where `stand_in`
// names a solver that calls the same library, that one is tried in its place; else it is trusted, behind its intent row.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "solvers/solver.h"

namespace convoy {

struct External {
  std::string id;        // a solver's id: lower case letters, digits and underscores
  std::string library;   // whose change makes old verdicts void
  std::string stand_in;  // id of a solver; empty: no child can stand in
  Tier tier = Tier::vendor;
  double allowance =
      0;  // added to the tolerance: of arithmetic that is coarser than its type on purpose (TF32), or by its method
  // Computes the call that `context` names and brings the result into `output`; null: nobody looks at it.
  std::function<Result<void>(void* context, void* output)> run;
};

// An Error names the field that cannot be used.
Result<void> validate(const External& external);

class ExternalSolver final : public Solver {
 public:
  // `external` has passed validate().
  explicit ExternalSolver(External external) : external_(std::move(external)) {}

  const External& external() const { return external_; }
  // Null: none.
  const Solver* stand_in() const { return external_.stand_in.empty() ? nullptr : find_solver(external_.stand_in); }

  std::string_view id() const override { return external_.id; }
  Tier tier(const Device&) const override { return external_.tier; }
  std::string library() const override;
  Fit fits(const Problem&, const Device&) const override { return Fit::yes(); }
  std::vector<std::string> choices(const Problem&, const Device&, const PlanOptions&) const override { return {""}; }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device, const PlanOptions& options) const override;

 private:
  External external_;
};

}  // namespace convoy
