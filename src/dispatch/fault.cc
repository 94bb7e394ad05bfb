// Implementation of fault.h: a parser, and a plan that misbehaves.
#include "dispatch/fault.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "solvers/element.h"
#include "solvers/geometry.h"
#include "solvers/host_tensors.h"
#include "solvers/numbers.h"
#include "solvers/reference_point.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::array<std::pair<std::string_view, FaultKind>, 8> k_kinds{{
    {"error", FaultKind::error},
    {"hang", FaultKind::hang},
    {"crash", FaultKind::crash},
    {"wrong", FaultKind::wrong},
    {"nan", FaultKind::nan},
    {"oom", FaultKind::oom},
    {"compile", FaultKind::compile},
    {"silent", FaultKind::silent},
}};
constexpr std::array<std::string_view, 8> k_variables{"hw", "n", "c", "d", "h", "w", "k", "g"};
constexpr std::array<std::string_view, 5> k_comparisons{">=", "<=", ">", "<", "="};

std::int64_t variable_of(const Problem& p, std::string_view name) {
  const auto spatial = [&p](int from_end) {
    return p.rank > from_end ? p.in[static_cast<std::size_t>(p.rank - 1 - from_end)] : 1;
  };
  if (name == "n") return p.n;
  if (name == "c") return p.c;
  if (name == "k") return p.k;
  if (name == "g") return p.groups;
  if (name == "w") return spatial(0);
  if (name == "h") return spatial(1);
  if (name == "d") return spatial(2);
  return std::max(spatial(0), spatial(1));
}

bool compare(std::int64_t left, std::string_view comparison, std::int64_t right) {
  if (comparison == ">") return left > right;
  if (comparison == "<") return left < right;
  if (comparison == ">=") return left >= right;
  if (comparison == "<=") return left <= right;
  return left == right;
}

template <typename List>
std::optional<std::string_view> take_prefix(std::string_view& text, const List& list) {
  for (const std::string_view word : list) {
    if (!text.starts_with(word)) continue;
    text.remove_prefix(word.size());
    return word;
  }
  return std::nullopt;
}

Result<void> parse_condition(std::string_view condition, Fault& fault) {
  std::string_view rest = condition;
  const auto variable = take_prefix(rest, k_variables);
  const auto comparison = variable ? take_prefix(rest, k_comparisons) : std::nullopt;
  const auto result = std::from_chars(rest.data(), rest.data() + rest.size(), fault.number);
  if (!comparison || rest.empty() || result.ec != std::errc{} || result.ptr != rest.data() + rest.size()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("fault condition '@{}' is not understood; write one like @hw>42 (n c d h w k g hw, > < = >= <=)",
                    condition));
  }
  fault.variable = *variable;
  fault.comparison = *comparison;
  return {};
}

constexpr std::string_view k_torch = "torch";  // the one external that there is: no solver of ours

Result<Fault> parse_fault(std::string_view text) {
  Fault fault;
  fault.text = text;
  const auto colon = text.find(':');
  const auto at = text.find('@');
  const std::string_view solver = text.substr(0, colon);
  const std::string_view kind = colon == std::string_view::npos ? "" : text.substr(colon + 1, at - colon - 1);
  const auto* known =
      std::find_if(k_kinds.begin(), k_kinds.end(), [kind](const auto& entry) { return entry.first == kind; });
  if (known == k_kinds.end()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("fault '{}' is not understood; write solver:kind[@hw>42], kind one of error, hang, crash, wrong, "
                    "nan, oom, compile, silent",
                    text));
  }
  const bool external = solver == k_torch;
  if (solver != "*" && !external && (find_solver(solver) == nullptr || solver == "reference")) {
    std::string ids;
    for (const Solver* one : solvers()) {
      if (one->id() != "reference") ids += fmt::format("{}, ", one->id());
    }
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("fault '{}' names no solver that can be made to fail; use {}{} or * for all", text, ids, k_torch));
  }
  fault.solver = solver;
  fault.kind = known->second;
  if (at != std::string_view::npos) CONVOY_CHECK(parse_condition(text.substr(at + 1), fault));
  return fault;
}

// Does what the fault says in place of, or after, the real run.
class FaultyPlan final : public Plan {
 public:
  FaultyPlan(std::unique_ptr<Plan> plan, const Problem& problem, Device& device, FaultKind kind)
      : plan_(std::move(plan)), problem_(problem), device_(device), kind_(kind) {}

  std::int64_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  Algorithm algorithm() const override { return plan_->algorithm(); }
  std::string_view detail() const override { return plan_->detail(); }

  Result<void> run(const Tensors& tensors, void* workspace) const override {
    switch (kind_) {
      case FaultKind::error: return fail(ErrorCode::device, "injected error");
      case FaultKind::oom: return fail(ErrorCode::out_of_memory, "injected: out of memory");
      case FaultKind::hang:
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
      case FaultKind::crash: raise(SIGSEGV); return fail(ErrorCode::internal, "the injected crash was survived");
      case FaultKind::silent: return {};
      case FaultKind::wrong:
      case FaultKind::nan: break;
      case FaultKind::compile: return fail(ErrorCode::internal, "a compile fault strikes when planning");
    }
    CONVOY_CHECK(plan_->run(tensors, workspace));
    CONVOY_TRY(const HostTensors staged, HostTensors::download(problem_, device_, tensors, HostTensors::Output::keep));
    spoil(staged.tensors());
    return staged.upload_output(problem_, device_, tensors);
  }

 private:
  // nan: one element, which no sample is sure to meet. wrong: every seventh, as a kernel with a wrong tile edge would do.
  void spoil(const Tensors& tensors) const {
    const Geometry geometry = geometry_of(problem_);
    const TensorRole role = problem_.output_role();
    void* output = output_of(problem_, tensors);
    const std::int64_t elements = problem_.elements(role);
    if (kind_ == FaultKind::nan) {
      const std::int64_t offset = output_offset(geometry, elements / 3);
      store_element(output, geometry.output_dtype, offset, std::numeric_limits<double>::quiet_NaN());
      return;
    }
    for (std::int64_t i = 0; i < elements; i += 7) {
      const std::int64_t offset = output_offset(geometry, i);
      store_element(output, geometry.output_dtype, offset, load_element(output, geometry.output_dtype, offset) + 3);
    }
  }

  std::unique_ptr<Plan> plan_;
  Problem problem_;
  Device& device_;
  FaultKind kind_;
};

}  // namespace

bool Fault::matches(std::string_view solver_id, const Problem& problem) const {
  if (solver == "*" ? solver_id == "reference" : solver_id != solver) return false;
  return variable.empty() || compare(variable_of(problem, variable), comparison, number);
}

bool FaultPlan::armed(std::string_view solver_id) const {
  return !label(solver_id).empty();
}

bool FaultPlan::deadly(std::string_view solver_id) const {
  return std::any_of(faults_.begin(), faults_.end(), [solver_id](const Fault& fault) {
    const bool named = fault.solver == "*" ? solver_id != "reference" : fault.solver == solver_id;
    return named && (fault.kind == FaultKind::hang || fault.kind == FaultKind::crash);
  });
}

const Fault* FaultPlan::find(std::string_view solver_id, const Problem& problem) const {
  for (const Fault& fault : faults_) {
    if (fault.matches(solver_id, problem)) return &fault;
  }
  return nullptr;
}

std::string FaultPlan::label(std::string_view solver_id) const {
  std::string label;
  for (const Fault& fault : faults_) {
    const bool named = fault.solver == "*" ? solver_id != "reference" : fault.solver == solver_id;
    if (named) label += (label.empty() ? "" : ",") + fault.text;
  }
  return label;
}

Result<FaultPlan> parse_faults(std::string_view text) {
  FaultPlan plan;
  plan.text_ = text;
  if (text.empty()) return plan;
  for (;;) {
    const auto comma = text.find(',');
    CONVOY_TRY(Fault fault, parse_fault(text.substr(0, comma)));
    plan.faults_.push_back(std::move(fault));
    if (comma == std::string_view::npos) return plan;
    text.remove_prefix(comma + 1);
  }
}

Result<std::unique_ptr<Plan>> plan_with_faults(const Solver& solver, const Problem& problem, Device& device,
                                               const PlanOptions& options, const FaultPlan& faults,
                                               std::string_view name) {
  const Fault* fault = faults.find(name.empty() ? solver.id() : name, problem);
  if (fault != nullptr && fault->kind == FaultKind::compile) {
    return fail(ErrorCode::device, "injected: the kernel does not compile");
  }
  CONVOY_TRY(auto plan, solver.plan(problem, device, options));
  if (fault == nullptr) return plan;
  return std::make_unique<FaultyPlan>(std::move(plan), problem, device, fault->kind);
}

}  // namespace convoy
