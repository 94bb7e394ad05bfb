// Both ends of a trial.
#include "dispatch/trial.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/own_folder.h"
#include "solvers/host_tensors.h"
#include "solvers/numbers.h"

#include <fmt/format.h>

namespace convoy {
namespace {

using Json = nlohmann::json;

std::string dump_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string verdict_line(Verdict verdict, const TrialDetail& detail) {
  return fmt::format("{} {}", to_string(verdict), to_line(detail));
}

// Cuts the batch until the child's tensors take no more than half of what is free.
void fit_batch(Problem& problem, const Device& device) {
  const std::int64_t room = device.memory_available() / 2;
  const auto bytes = [&problem] {
    return problem.bytes(TensorRole::x) + problem.bytes(TensorRole::w) + problem.bytes(TensorRole::y);
  };
  while (problem.n > 1 && bytes() > room) problem.n = (problem.n + 1) / 2;
}

// Want of memory speaks of the machine, not of the solver.
Verdict verdict_of(const Error& error) {
  const bool refusal = error.code == ErrorCode::unsupported || error.code == ErrorCode::out_of_memory;
  return refusal ? Verdict::refused : Verdict::failed;
}

std::string try_request(const TrialRequest& request, void (*phase)(std::string_view)) {
  const Solver* solver = find_solver(request.solver);
  if (solver == nullptr) return verdict_line(Verdict::refused, {0, 0, "no solver named " + request.solver});
  auto problem = parse_problem(request.problem);
  if (!problem) return verdict_line(Verdict::refused, {0, 0, problem.error().message});
  for (const auto& [name, file] : request.libraries) {
    if (!file.empty()) DynamicLibrary::prefer(name, file);
  }
  auto device = open_device(request.device);
  if (!device) return verdict_line(Verdict::refused, {0, 0, device.error().message});
  auto faults = parse_faults(request.faults);
  if (!faults) return verdict_line(Verdict::refused, {0, 0, faults.error().message});

  Problem ordinary = problem->lowered();
  fit_batch(ordinary, **device);
  auto tensors = make_random_tensors(ordinary, **device, request.seed, request.threads);
  if (!tensors) return verdict_line(Verdict::refused, {0, 0, tensors.error().message});
  phase("plan");
  PlanOptions options{request.allowed, request.params, request.workspace_limit, request.threads};
  options.naive = request.naive;
  options.deterministic = request.deterministic;
  auto plan = plan_with_faults(*solver, ordinary, **device, options, *faults, request.name);
  if (!plan) {
    const bool lasting = plan.error().code == ErrorCode::unsupported;
    return verdict_line(verdict_of(plan.error()), {0, 0, plan.error().message, lasting});
  }
  auto workspace = (*device)->allocate((*plan)->workspace_bytes());
  if (!workspace) return verdict_line(Verdict::refused, {0, 0, workspace.error().message});
  phase("run");
  auto ran = (*plan)->run(tensors->tensors, workspace->data());
  if (ran) ran = (*device)->synchronize(nullptr);
  if (!ran) return verdict_line(verdict_of(ran.error()), {0, 0, ran.error().message});
  phase("check");
  const auto staged = HostTensors::download(ordinary, **device, tensors->tensors, HostTensors::Output::keep);
  if (!staged) return verdict_line(Verdict::refused, {0, 0, staged.error().message});
  const NumbersCheck check = check_sampled(ordinary, staged->tensors(), 256, request.seed);
  return verdict_line(check.passed ? Verdict::passed : Verdict::wrong_result,
                      {check.error, check.tolerance, check.reason});
}

std::string handle_request(std::string_view line, void (*phase)(std::string_view)) {
  const auto request = parse_trial_request(line);
  if (!request) return verdict_line(Verdict::refused, {0, 0, request.error().message});
  return try_request(*request, phase);
}

}  // namespace

std::string TrialRequest::to_line() const {
  return dump_line({{"device", device},
                    {"problem", problem},
                    {"solver", solver},
                    {"name", name},
                    {"allowed", allowed},
                    {"params", params},
                    {"workspace_limit", workspace_limit},
                    {"naive", naive},
                    {"deterministic", deterministic},
                    {"threads", threads},
                    {"libraries", libraries},
                    {"faults", faults},
                    {"seed", seed}});
}

Result<TrialRequest> parse_trial_request(std::string_view line) {
  try {
    const Json json = Json::parse(line);
    TrialRequest request;
    json.at("device").get_to(request.device);
    json.at("problem").get_to(request.problem);
    json.at("solver").get_to(request.solver);
    json.at("name").get_to(request.name);
    json.at("allowed").get_to(request.allowed);
    json.at("params").get_to(request.params);
    json.at("workspace_limit").get_to(request.workspace_limit);
    json.at("naive").get_to(request.naive);
    json.at("deterministic").get_to(request.deterministic);
    json.at("threads").get_to(request.threads);
    json.at("libraries").get_to(request.libraries);
    json.at("faults").get_to(request.faults);
    json.at("seed").get_to(request.seed);
    return request;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::invalid_argument, fmt::format("trial request: {}", error.what()));
  }
}

std::string to_line(const TrialDetail& detail) {
  // JSON has no infinity: an error without bound travels as null.
  return dump_line({{"error", detail.error},
                    {"tolerance", detail.tolerance},
                    {"reason", detail.reason},
                    {"lasting", detail.lasting}});
}

TrialDetail parse_trial_detail(std::string_view line) {
  TrialDetail detail;
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return detail;
  const auto number = [&json](const char* key) {
    return json.contains(key) && json[key].is_number() ? json[key].get<double>()
                                                       : std::numeric_limits<double>::infinity();
  };
  detail.error = number("error");
  detail.tolerance = number("tolerance");
  if (json.contains("lasting") && json["lasting"].is_boolean()) detail.lasting = json["lasting"].get<bool>();
  if (json.contains("reason") && json["reason"].is_string()) detail.reason = json["reason"].get<std::string>();
  return detail;
}

std::chrono::milliseconds trial_deadline(const Problem& problem, const Policy& policy) {
  if (policy.deadline.count() > 0) return policy.deadline;
  constexpr double k_start = 2000, k_slow_flops_per_ms = 2e6, k_slow_bytes_per_ms = 2e5;
  const double work = problem.flops() / k_slow_flops_per_ms + problem.tensor_bytes() / k_slow_bytes_per_ms;
  constexpr double k_day = 24.0 * 3600 * 1000;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(k_start + work, k_day)));
}

Patience trial_patience(const Problem& problem, const Policy& policy, Tier tier) {
  constexpr std::chrono::seconds k_vendors_plan{60};
  const std::chrono::milliseconds each = trial_deadline(problem, policy);
  if (tier != Tier::vendor || policy.deadline.count() > 0) return each;
  return {each, "plan", each + k_vendors_plan};
}

Result<std::string> probe_program(const Policy& policy) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!policy.probe.empty()) {
    if (fs::is_regular_file(policy.probe, error) && access(policy.probe.c_str(), X_OK) == 0) return policy.probe;
    return fail(ErrorCode::io, fmt::format("{} cannot be run; set CONVOY_PROBE to the convoy program", policy.probe));
  }
  const std::string folder = own_folder();
  for (const char* place : {"convoy", "../bin/convoy", "../../bin/convoy"}) {
    const fs::path candidate = fs::path(folder) / place;
    if (folder.empty() || !fs::is_regular_file(candidate, error) || access(candidate.c_str(), X_OK) != 0) continue;
    return fs::canonical(candidate, error).string();
  }
  return fail(ErrorCode::io,
              fmt::format("no convoy program beside {} or in ../bin; set CONVOY_PROBE to its full path", folder));
}

int run_probe() {
  return serve_probe(handle_request, "convoy probe 1");
}

}  // namespace convoy
