// See solvers.h. Ids are those of MIOpen's list.
#include "sim/miopen/solvers.h"

#include <algorithm>

namespace convoy::miopen {
namespace {

constexpr std::uint64_t k_winograd_id = 84;            // RxSf2x3g1
constexpr std::uint64_t k_gemm_ids[] = {91, 97, 102};  // FwdRest, BwdRest, WrwUniversal
constexpr std::uint64_t k_naive_ids[] = {85, 86, 87};  // NaiveConvFwd, Bwd, Wrw
constexpr std::size_t k_least_workspace = 256;         // where a planned fault wants one from all

bool all_are(const std::vector<int>& values, int value) {
  return std::all_of(values.begin(), values.end(), [&](int each) { return each == value; });
}

bool is_packed(const Problem& problem) {
  return problem.x->packed() && problem.w->packed() && problem.y->packed();
}

bool winograd_serves(const Problem& problem) {
  const ConvolutionTag& convolution = *problem.convolution;
  return convolution.rank() == 2 && convolution.groups == 1 && problem.x->type == k_float && problem.w->sizes[2] == 3 &&
         problem.w->sizes[3] == 3 && all_are(convolution.strides, 1) && all_are(convolution.dilations, 1);
}

}  // namespace

std::vector<Solver> solvers_for(const Problem& problem, const Call& call) {
  std::vector<Solver> solvers;
  if (call.fault_is(FaultKind::absent)) return solvers;
  auto direction = static_cast<std::size_t>(problem.direction);
  if (is_packed(problem) && !call.fault_is(FaultKind::naive)) {
    if (winograd_serves(problem)) solvers.push_back({k_winograd_id, k_winograd, 0, 1});
    solvers.push_back({k_gemm_ids[direction], k_gemm, problem.im2col_bytes(), 2});
  }
  solvers.push_back({k_naive_ids[direction], k_direct, 0, 100});
  if (call.fault_is(FaultKind::workspace)) {
    for (Solver& solver : solvers) solver.workspace = std::max(solver.workspace, k_least_workspace);
  }
  return solvers;
}

bool is_solver(std::uint64_t id) {
  auto among = [&](const auto& ids) { return std::find(std::begin(ids), std::end(ids), id) != std::end(ids); };
  return id == k_winograd_id || among(k_gemm_ids) || among(k_naive_ids);
}

}  // namespace convoy::miopen
