// Implementation of warm.h.
#include "dispatch/warm.h"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "dispatch/find.h"
#include "dispatch/select.h"

namespace convoy {
namespace {

struct Job {
  Problem problem;  // ordinary
  const Solver* solver;
  PlanOptions options;
};

void add_jobs(DispatchContext& context, const Problem& problem, std::vector<Job>& jobs) {
  const Policy& policy = context.policy();
  const Problem ordinary = problem.lowered();
  for (const Solver* solver : solvers()) {
    const Tier tier = solver->tier(context.device());
    if ((tier != Tier::own && tier != Tier::generic) || !solver->fits(ordinary, context.device())) continue;
    if (strategy_refusal(tier, problem, policy) || !context.rules().refusal_of(solver->id(), tier, problem).empty())
      continue;
    PlanOptions options;
    options.allowed = allowed_for(tier, policy);
    options.workspace_limit = context.workspace_limit(problem.bytes(TensorRole::x) + problem.bytes(TensorRole::w) +
                                                      problem.bytes(TensorRole::y));
    std::vector<std::string> choices{""};
    if (auto recorded = recorded_choice(context, problem, *solver)) {
      choices = {std::move(*recorded)};
    } else if (policy.find == FindMode::find) {
      choices = solver->choices(ordinary, context.device(), options);
    }
    for (std::string& choice : choices) {
      options.params = std::move(choice);
      jobs.push_back({ordinary, solver, options});
    }
  }
}

}  // namespace

void warm_kernels(DispatchContext& context, std::span<const Problem> problems,
                  const std::function<bool(WarmProgress)>& go_on) {
  std::vector<Job> jobs;
  for (const Problem& problem : problems) add_jobs(context, problem, jobs);
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::size_t done = 0;
  parallel_for(static_cast<std::int64_t>(jobs.size()), 1, context.policy().threads, [&](auto begin, auto end) {
    for (auto i = begin; i < end && !stop; ++i) {
      const Job& job = jobs[static_cast<std::size_t>(i)];
      (void)job.solver->plan(job.problem, context.device(), job.options);
      const std::lock_guard lock(mutex);
      if (!go_on({++done, jobs.size()})) stop = true;
    }
  });
}

}  // namespace convoy
