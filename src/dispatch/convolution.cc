// Implementation of convolution.h.
#include "dispatch/convolution.h"

#include <utility>

#include "base/log.h"

namespace convoy {

Result<void> Convolution::run(const Tensors& tensors, void* workspace, std::int64_t workspace_bytes) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  const Rung* rung = ready_.load(std::memory_order_acquire);
  if (rung == nullptr) return first_run(tensors, {workspace, workspace_bytes});
  return run_on(*rung, tensors, {workspace, workspace_bytes});
}

Result<void> Convolution::run_on(const Rung& rung, const Tensors& tensors, CallersWorkspace workspace) {
  auto result = rung.run(*context_, lowered_tensors(problem_, tensors), workspace.data, workspace.bytes);
  if (result) return result;
  return recover(tensors, workspace, rung, result.error());
}

Result<void> Convolution::first_run(const Tensors& tensors, CallersWorkspace workspace) {
  if (context_->device().is_capturing(tensors.stream)) {
    return fail(
        ErrorCode::invalid_argument,
        "the first run chooses how to compute, which no graph can record; run once, or prepare, before recording");
  }
  std::unique_lock climbing(climb_mutex_);
  // Another thread may have climbed meanwhile.
  if (const Rung* rung = ready_.load(std::memory_order_acquire)) {
    climbing.unlock();
    return run_on(*rung, tensors, workspace);
  }
  return climb(tensors, workspace, struck_off_, true);
}

// What was chosen has failed just now: the same call goes on down the ladder.
Result<void> Convolution::recover(const Tensors& tensors, CallersWorkspace workspace, const Rung& failed,
                                  const Error& error) {
  // Climbing waits for the device, which ends a recording. What is wrong with the stream is wrong for all solvers.
  if (context_->device().is_capturing(tensors.stream) || error.code == ErrorCode::invalid_argument)
    return tl::unexpected<Error>(error);
  // Nor is there another solver for a device that is lost, by whomever.
  CONVOY_CHECK(context_->device().health());
  std::unique_lock climbing(climb_mutex_);
  const std::string solver(failed.solver().id());
  note_failure(failed, error);
  // Want of memory passes: somebody else does this call, the choice stands. The reference fails of nothing else.
  if (error.code == ErrorCode::out_of_memory || failed.tier() == Tier::reference) {
    auto without = struck_off_;
    if (failed.tier() != Tier::reference) without.push_back(solver);
    return climb(tensors, workspace, without, false);
  }
  // Of several threads that fail on one rung the first strikes it off.
  if (ready_.load(std::memory_order_acquire) == &failed) {
    log(LogLevel::warning, "{}: {} failed after it had worked: {}", problem_.to_string(), solver, error.message);
    context_->store().add_incident(context_->key_of(failed.solver(), problem_), Verdict::failed,
                                   strikes_of(Verdict::failed), error.message);
    struck_off_.push_back(solver);
    ready_.store(nullptr, std::memory_order_release);
  }
  if (const Rung* rung = ready_.load(std::memory_order_acquire)) {
    climbing.unlock();
    return run_on(*rung, tensors, workspace);
  }
  return climb(tensors, workspace, struck_off_, true);
}

void Convolution::note_failure(const Rung& failed, const Error& error) {
  const std::lock_guard lock(report_mutex_);
  report_.attempts.push_back(
      {std::string(failed.solver().id()), failed.tier(), Outcome::failed, error.message, 0, false});
}

// `keep`: later calls use the rung that holds.
Result<void> Convolution::climb(const Tensors& tensors, CallersWorkspace workspace,
                                const std::vector<std::string>& struck_off, bool keep) {
  ClimbResult result = climb_ladder(*context_, {problem_, tensors, external_.get()}, struck_off, workspace);
  const std::lock_guard lock(report_mutex_);
  report_.attempts.insert(report_.attempts.end(), result.attempts.begin(), result.attempts.end());
  if (!result.rung) return tl::unexpected<Error>(std::move(result.error));
  if (!keep) return {};
  report_.solver = result.rung->solver().id();
  report_.tier = result.rung->tier();
  report_.detail = result.rung->plan().detail();
  report_.reserves = std::move(result.reserves);
  report_.checked = result.check.has_value();
  if (result.check) {
    report_.error = result.check->error;
    report_.tolerance = result.check->tolerance;
  }
  rungs_.push_back(std::move(result.rung));
  ready_.store(rungs_.back().get(), std::memory_order_release);
  return {};
}

bool Convolution::claim() {
  const Rung* rung = ready_.load(std::memory_order_acquire);
  if (rung == nullptr || &rung->solver() != external_.get()) return false;
  calls_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Result<void> Convolution::prepare() {
  if (ready_.load(std::memory_order_acquire) != nullptr) return {};
  if (external_ != nullptr)
    return fail(ErrorCode::unsupported, "what the caller brought along needs a call: the first run chooses");
  const std::lock_guard climbing(climb_mutex_);
  if (ready_.load(std::memory_order_acquire) != nullptr) return {};
  CONVOY_TRY(const RandomTensors random,
             make_random_tensors(problem_, context_->device(), 1, context_->policy().threads));
  return climb(random.tensors, {}, struck_off_, true);
}

std::int64_t Convolution::workspace_bytes() const {
  const Rung* rung = ready_.load(std::memory_order_acquire);
  return rung == nullptr ? 0 : rung->plan().workspace_bytes();
}

Convolution::Report Convolution::report() const {
  const std::lock_guard lock(report_mutex_);
  return report_;
}

ProblemStatistics Convolution::statistics() const {
  const std::lock_guard lock(report_mutex_);
  return {problem_.to_string(), report_.solver, report_.tier, report_.detail, calls_.load(std::memory_order_relaxed),
          report_.attempts};
}

}  // namespace convoy
