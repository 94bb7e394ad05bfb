// See algorithms.h.
#include "sim/miopen/algorithms.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "sim/miopen/run.h"

namespace convoy::miopen {
namespace {

constexpr float k_least_time = 0.001f;  // of a problem that computes nothing

Buffers in_terms_of(const Problem& problem, Buffers buffers) {
  if (problem.exchanged) std::swap(buffers.x, buffers.y);
  return buffers;
}

Numbers numbers_of(const Call& call) {
  if (call.fault_is(FaultKind::wrong)) return Numbers::wrong;
  return call.fault_is(FaultKind::nan) ? Numbers::some_nan : Numbers::right;
}

Status check_factors(const void* alpha, const void* beta) {
  if (alpha == nullptr || beta == nullptr) return refuse(k_bad_parm, "null alpha or beta");
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0) {
    return refuse(k_not_implemented, "only alpha = 1 and beta = 0 are supported");
  }
  return k_success;
}

std::string bytes_text(const Solver& solver, const Workspace& workspace) {
  return "solver " + std::to_string(solver.id) + " needs a workspace of " + std::to_string(solver.workspace) +
         " bytes, got " + std::to_string(workspace.memory == nullptr ? 0 : workspace.bytes);
}

}  // namespace

bool ProblemCall::ends(Status& status) const {
  status = call_.status;
  if (call_.ended) return true;
  status = handle_ == nullptr ? refuse(k_bad_parm, "a null handle") : problem_.check();
  return status != k_success;
}

// An empty tensor has no memory, and needs none.
bool ProblemCall::lacks_memory(const Buffers& buffers) const {
  auto lacks = [](const void* memory, const TensorTag& tensor) { return memory == nullptr && tensor.elements() != 0; };
  return lacks(buffers.x, *problem_.x) || lacks(buffers.w, *problem_.w) || lacks(buffers.y, *problem_.y);
}

void ProblemCall::make_ready(const Solver& solver) const {
  handle_->ready.insert_or_assign({problem_.key(), solver.algorithm}, solver);
}

Status ProblemCall::workspace_size(std::size_t* bytes) const {
  Status status;
  if (ends(status)) return status;
  if (bytes == nullptr) return refuse(k_bad_parm, "nowhere to put the workspace's size");
  *bytes = 0;
  if (call_.fault_is(FaultKind::workspace)) return k_success;
  for (const Solver& solver : solvers_for(problem_, call_)) *bytes = std::max(*bytes, solver.workspace);
  return k_success;
}

// The result's memory holds garbage afterwards, as after the real library's measurements.
Status ProblemCall::measure(const Buffers& buffers) const {
  auto begin = std::chrono::steady_clock::now();
  if (Status status = miopen::run(*handle_, problem_, buffers, Numbers::garbage); status != k_success) return status;
  if (Status status = handle_->synchronize(); status != k_success) return status;
  std::chrono::duration<float, std::milli> time = std::chrono::steady_clock::now() - begin;
  handle_->kernel_time = std::max(time.count(), k_least_time);
  return k_success;
}

Status ProblemCall::find(Buffers buffers, const FindResults& results, const Workspace& workspace) const {
  Status status;
  if (ends(status)) return status;
  buffers = in_terms_of(problem_, buffers);
  if (lacks_memory(buffers)) return refuse(k_bad_parm, "a null tensor");
  if (results.room < 1 || results.found == nullptr || results.algorithms == nullptr) {
    return refuse(k_bad_parm, "no room for results");
  }
  *results.found = 0;
  std::vector<Solver> solvers = solvers_for(problem_, call_);
  std::erase_if(solvers, [&](const Solver& each) { return !each.serves_with(workspace.memory, workspace.bytes); });
  if (solvers.empty()) {
    return refuse(k_unknown_error, "No suitable algorithm was found to execute the required convolution");
  }
  status = handle_->load();  // not part of the time
  if (status == k_success) status = measure(buffers);
  if (status != k_success) return status;
  for (const Solver& solver : solvers) {
    make_ready(solver);
    if (*results.found == results.room) continue;
    float time = handle_->kernel_time * solver.cost / solvers.front().cost;
    results.algorithms[(*results.found)++] = {solver.algorithm, time, solver.workspace};
  }
  return k_success;
}

Status ProblemCall::launch(Buffers buffers, const Solver& solver, const Workspace& workspace) const {
  if (!solver.serves_with(workspace.memory, workspace.bytes)) {
    return refuse(k_unknown_error, bytes_text(solver, workspace));
  }
  return miopen::run(*handle_, problem_, buffers, numbers_of(call_));
}

Status ProblemCall::run(AlgorithmCode algorithm, const void* alpha, const void* beta, Buffers buffers,
                        const Workspace& workspace) const {
  Status status;
  if (ends(status)) return status;
  if (status = check_factors(alpha, beta); status != k_success) return status;
  buffers = in_terms_of(problem_, buffers);
  if (lacks_memory(buffers)) return refuse(k_bad_parm, "a null tensor");
  auto solver = handle_->ready.find({problem_.key(), algorithm});
  if (solver == handle_->ready.end()) {
    return refuse(k_unknown_error, "No invoker was registered for this convolution. Was find executed?");
  }
  // A fault of this call alone may want a workspace that Find did not.
  Solver wanted = solver->second;
  for (const Solver& now : solvers_for(problem_, call_)) {
    if (now.algorithm == algorithm) wanted = now;
  }
  return launch(buffers, wanted, workspace);
}

Status ProblemCall::solution_count(std::size_t* count) const {
  Status status;
  if (ends(status)) return status;
  if (count == nullptr) return refuse(k_bad_parm, "nowhere to put the count");
  *count = solvers_for(problem_, call_).size();
  return k_success;
}

Status ProblemCall::solutions(const Solutions& wanted) const {
  Status status;
  if (ends(status)) return status;
  if (wanted.count == nullptr || wanted.found == nullptr) return refuse(k_bad_parm, "no room for solutions");
  std::vector<Solver> solvers = solvers_for(problem_, call_);
  *wanted.count = 0;
  if (solvers.empty()) return refuse(k_unknown_error, "No suitable algorithm: no solution for the convolution");
  for (const Solver& solver : solvers) {
    if (*wanted.count == wanted.room) break;
    wanted.found[(*wanted.count)++] = {10 * solver.cost, solver.workspace, solver.id, solver.algorithm};
  }
  return k_success;
}

Status ProblemCall::solver_of(std::uint64_t id, Solver& solver) const {
  if (!is_solver(id)) return refuse(k_bad_parm, "invalid solution id " + std::to_string(id));
  for (const Solver& candidate : solvers_for(problem_, call_)) {
    if (candidate.id != id) continue;
    solver = candidate;
    return k_success;
  }
  return refuse(k_unsupported_op, "solution " + std::to_string(id) + " is not applicable to the problem");
}

Status ProblemCall::solution_workspace_size(std::uint64_t id, std::size_t* bytes) const {
  Status status;
  if (ends(status)) return status;
  if (bytes == nullptr) return refuse(k_bad_parm, "nowhere to put the workspace's size");
  Solver solver{};
  if (status = solver_of(id, solver); status == k_success) *bytes = solver.workspace;
  return status;
}

Status ProblemCall::compile_solution(std::uint64_t id) const {
  Status status;
  if (ends(status)) return status;
  Solver solver{};
  if (status = solver_of(id, solver); status != k_success) return status;
  if (status = handle_->load(); status == k_success) make_ready(solver);
  return status;
}

Status ProblemCall::run_solution(std::uint64_t id, Buffers buffers, const Workspace& workspace) const {
  Status status;
  if (ends(status)) return status;
  buffers = in_terms_of(problem_, buffers);
  if (lacks_memory(buffers)) return refuse(k_bad_parm, "a null tensor");
  Solver solver{};
  if (status = solver_of(id, solver); status != k_success) return status;
  status = launch(buffers, solver, workspace);
  if (status == k_success) make_ready(solver);
  return status;
}

}  // namespace convoy::miopen
