// Implementation of find.h.
#include "dispatch/find.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/parallel.h"
#include "base/timing.h"
#include "solvers/numbers.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr double k_budget_ms = 2000;     // for all alternatives of one problem
constexpr double k_sampling_ms = 50;     // for repeated runs of one alternative
constexpr double k_pairing_ms = 200;     // for runs of two alternatives in turn, at most
constexpr double k_row_ms = 0.3;         // of runs timed together, where one is short
constexpr int k_samples = 7;             // enough where nothing disturbs
constexpr double k_agreement = 1.02;     // between undisturbed runs
constexpr double k_hopeless = 2.0;       // times the best so far
constexpr int k_chances = 3;             // to be less than hopeless
constexpr double k_disturbance_ms = 20;  // what an interruption or the page faults of new memory add to a run, at most
constexpr double k_worth_switching = 0.97;  // a smaller gain is noise

// One trial run at a time; failures count as infinitely slow.
class Contest {
 public:
  Contest(DispatchContext& context, const Tensors& tensors, const Rung& first) : context_(context), tensors_(tensors) {
    // Launches of some microseconds are timed in a row: alone, what surrounds them would be most of what is measured.
    if (!context.on_host()) repeats_ = static_cast<int>(std::clamp(k_row_ms / time_once(first), 1.0, 20.0));
  }

  double time_once(const Rung& rung) {
    Tensors tensors = tensors_;
    tensors.discard = true;
    const auto milliseconds = context_.device().measure(tensors.stream, [&]() -> Result<void> {
      for (int i = 0; i < repeats_; ++i) CONVOY_CHECK(rung.run(context_, tensors));
      return {};
    });
    return milliseconds ? *milliseconds / repeats_ : 1e300;
  }

  // Time of a rung that has run before.
  double time(const Rung& rung) {
    const Stopwatch total;
    std::vector<double> samples;
    do {
      samples.push_back(time_once(rung));
    } while (static_cast<int>(samples.size()) < k_samples && total.milliseconds() < k_sampling_ms);
    return second_fastest(std::move(samples));
  }

  // What else the machine does only ever adds, often to most of so few samples; the very fastest may be a lucky shot.
  static double second_fastest(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    return samples[std::min<std::size_t>(1, samples.size() - 1)];
  }

  // Enough runs, the fastest three of which agree: on a quiet machine at once, on a busy one after some tries.
  static bool settled(std::vector<double> samples) {
    if (static_cast<int>(samples.size()) < k_samples) return false;
    std::partial_sort(samples.begin(), samples.begin() + 3, samples.end());
    return samples[2] <= k_agreement * samples[0];
  }

  // One slow run proves little: the first meets a workspace that has no pages yet, any may be interrupted.
  bool hopeless(const Rung& rung, double best_ms) {
    for (int i = 0; i < k_chances; ++i) {
      const double milliseconds = time_once(rung);
      if (milliseconds <= k_hopeless * best_ms) return false;
      if (milliseconds > k_hopeless * best_ms + k_disturbance_ms) return true;
    }
    return true;
  }

  // Times of two rungs in alternating runs, so that whatever else the machine does meets both. The output is the
  // challenger's.
  std::pair<double, double> time_pairs(const Rung& holder, const Rung& challenger) {
    const Stopwatch total;
    std::vector<double> holder_ms, challenger_ms;
    do {
      holder_ms.push_back(time_once(holder));
      challenger_ms.push_back(time_once(challenger));
    } while (total.milliseconds() < k_pairing_ms && !(settled(holder_ms) && settled(challenger_ms)));
    return {second_fastest(std::move(holder_ms)), second_fastest(std::move(challenger_ms))};
  }

 private:
  DispatchContext& context_;
  const Tensors& tensors_;
  int repeats_ = 1;
};

// The solver's choices but `taken`, planned. On a GPU they compile side by side; on the host each waits for its turn.
class Alternatives {
 public:
  Alternatives(DispatchContext& context, const Problem& ordinary, const Rung& taken, const PlanOptions& options)
      : context_(context), ordinary_(ordinary), solver_(taken.solver()), options_(options) {
    if (context.policy().find == FindMode::dynamic_hybrid) options_.not_compiled = &not_compiled_;
    for (std::string& choice : solver_.choices(ordinary, context.device(), options)) {
      if (!choice.empty() && choice != taken.params()) choices_.push_back(std::move(choice));
    }
    plans_.resize(choices_.size());
    if (context.on_host()) return;
    log(LogLevel::info, "{}: {} prepares {} alternatives", ordinary.to_string(), solver_.id(), choices_.size());
    parallel_for(static_cast<std::int64_t>(choices_.size()), 1, options.threads, [this](auto begin, auto end) {
      for (auto i = begin; i < end; ++i) plans_[static_cast<std::size_t>(i)] = make(static_cast<std::size_t>(i));
    });
  }

  std::size_t size() const { return choices_.size(); }
  const std::string& choice(std::size_t i) const { return choices_[i]; }
  // False: some were passed over, because they are not compiled.
  bool all_compiled() const { return !not_compiled_; }
  // Null when it cannot be planned.
  std::unique_ptr<Plan> take(std::size_t i) { return context_.on_host() ? make(i) : std::move(plans_[i]); }

 private:
  std::unique_ptr<Plan> make(std::size_t i) const {
    PlanOptions options = options_;
    options.params = choices_[i];
    auto plan = plan_with_faults(solver_, ordinary_, context_.device(), options, context_.policy().faults);
    return plan ? std::move(*plan) : nullptr;
  }

  DispatchContext& context_;
  const Problem& ordinary_;
  const Solver& solver_;
  PlanOptions options_;
  std::atomic<bool> not_compiled_{false};
  std::vector<std::string> choices_;
  std::vector<std::unique_ptr<Plan>> plans_;
};

void record(DispatchContext& context, const Problem& problem, const Rung& rung, double milliseconds) {
  if (!context.policy().keep_find_records) return;
  FindRecord found;
  found.problem = problem.to_string();
  found.device = context.device_key();
  found.library = context.library_of(rung.solver());
  found.solver = rung.solver().id();
  found.params = rung.params();
  found.time_ms = milliseconds;
  found.workspace_bytes = static_cast<std::uint64_t>(rung.plan().workspace_bytes());
  found.measured_at = std::time(nullptr);
  context.store().put_find(found);
}

}  // namespace

std::optional<FindRecord> newest_record(DispatchContext& context, const Problem& problem, const Solver& solver) {
  if (!context.policy().use_find_records) return std::nullopt;
  const std::string library = context.library_of(solver);
  std::optional<FindRecord> newest;
  for (FindRecord& found : context.store().find_records(problem.to_string(), context.device_key())) {
    if (found.solver != solver.id() || found.library != library) continue;
    if (!newest || found.measured_at > newest->measured_at) newest = std::move(found);
  }
  return newest;
}

std::optional<std::string> recorded_choice(DispatchContext& context, const Problem& problem, const Solver& solver) {
  auto newest = newest_record(context, problem, solver);
  if (!newest) return std::nullopt;
  return std::move(newest->params);
}

bool is_faster(DispatchContext& context, const Problem& problem, const Tensors& tensors, const Rung& holder,
               const Rung& challenger) {
  const Tensors local = lowered_tensors(problem, tensors);
  Contest contest(context, local, holder);
  const auto [holder_ms, challenger_ms] = contest.time_pairs(holder, challenger);
  record(context, problem, holder, holder_ms);
  record(context, problem, challenger, challenger_ms);
  return challenger_ms < k_worth_switching * holder_ms;
}

Result<FindResult> find_fastest(DispatchContext& context, const Problem& problem, const Tensors& tensors,
                                FindResult first, const FindOptions& find) {
  if (find.first_ms > k_budget_ms) {
    if (context.on_host() || context.policy().find == FindMode::find) {
      record(context, problem, *first.rung, find.first_ms);
    } else {
      context.count_untuned();
    }
    return first;
  }
  const Solver& solver = first.rung->solver();
  const Problem ordinary = problem.lowered();
  const Tensors local = lowered_tensors(problem, tensors);
  Alternatives alternatives(context, ordinary, *first.rung, find.plan);
  const Stopwatch total;
  // Nothing to compare, and in this mode nobody reads the time.
  if (alternatives.size() == 0 && context.policy().find == FindMode::dynamic_hybrid) return first;
  Contest contest(context, local, *first.rung);
  FindResult best = std::move(first);
  double best_ms = contest.time(*best.rung);
  bool output_is_best = true;
  for (std::size_t i = 0; i < alternatives.size() && total.milliseconds() + best_ms < k_budget_ms; ++i) {
    const std::string& choice = alternatives.choice(i);
    auto plan = alternatives.take(i);
    if (!plan) continue;
    auto rung = std::make_unique<Rung>(solver, best.rung->tier(), choice, std::move(plan));
    output_is_best = false;
    if (contest.hopeless(*rung, best_ms)) continue;
    const auto [holder_ms, rung_ms] = contest.time_pairs(*best.rung, *rung);
    if (rung_ms > k_worth_switching * holder_ms) continue;
    // Whoever ran last left its numbers in the output: the challenger has to write its own.
    if (!poison_output(ordinary, context.device(), local) || !rung->run(context, local)) continue;
    auto check = find.check();
    if (check && !check->passed) {
      log(LogLevel::info, "{}: {} by {} is faster but wrong: {}", problem.to_string(), solver.id(), choice,
          check->reason);
      continue;
    }
    best = {std::move(rung), std::move(check)};
    best_ms = rung_ms;
    output_is_best = true;
  }
  if (alternatives.all_compiled()) {
    record(context, problem, *best.rung, best_ms);
  } else {
    context.count_untuned();
  }
  if (!output_is_best) CONVOY_CHECK(best.rung->run(context, local));
  return best;
}

}  // namespace convoy
