// Implementation of convolution.h.
#include "dispatch/convolution.h"

#include <array>
#include <ctime>
#include <utility>

#include "base/log.h"

namespace convoy {

Result<void> Convolution::run(const Tensors& tensors, void* workspace, std::int64_t workspace_bytes) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  const Rung* rung = ready_.load(std::memory_order_acquire);
  if (rung == nullptr) return climb_and_run(tensors, nullptr, nullptr);
  auto result = rung->run(context_->device(), lowered_tensors(problem_, tensors), workspace, workspace_bytes);
  if (result) return result;
  return climb_and_run(tensors, rung, &result.error());
}

// The slow path: nothing chosen yet, or what was chosen has failed just now.
Result<void> Convolution::climb_and_run(const Tensors& tensors, const Rung* failed, const Error* error) {
  const std::lock_guard lock(mutex_);
  const Rung* rung = ready_.load(std::memory_order_acquire);
  if (rung != nullptr && rung != failed) {  // another thread has climbed meanwhile
    return rung->run(context_->device(), lowered_tensors(problem_, tensors), nullptr, 0);
  }
  if (failed != nullptr) {
    const std::string solver(failed->solver().id());
    log(LogLevel::warning, "{}: {} failed after it had worked: {}", problem_.to_string(), solver, error->message);
    context_->store().add_incident(context_->key_of(failed->solver(), problem_), Verdict::failed,
                                   strikes_of(Verdict::failed), error->message);
    report_.attempts.push_back({solver, failed->tier(), Outcome::failed, error->message, 0, false});
    struck_off_.push_back(solver);
    ready_.store(nullptr, std::memory_order_release);
  }
  return climb(tensors);
}

Result<void> Convolution::climb(const Tensors& tensors) {
  ClimbResult result = climb_ladder(*context_, problem_, tensors, struck_off_);
  report_.attempts.insert(report_.attempts.end(), result.attempts.begin(), result.attempts.end());
  if (!result.rung) return tl::unexpected<Error>(std::move(result.error));
  report_.solver = result.rung->solver().id();
  report_.tier = result.rung->tier();
  report_.detail = result.rung->plan().detail();
  report_.checked = result.check.has_value();
  if (result.check) {
    report_.error = result.check->error;
    report_.tolerance = result.check->tolerance;
  }
  rungs_.push_back(std::move(result.rung));
  ready_.store(rungs_.back().get(), std::memory_order_release);
  return {};
}

Result<void> Convolution::prepare() {
  if (ready_.load(std::memory_order_acquire) != nullptr) return {};
  const std::lock_guard lock(mutex_);
  if (ready_.load(std::memory_order_acquire) != nullptr) return {};
  std::array<DeviceBuffer, 3> buffers;
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    auto& buffer = buffers[static_cast<std::size_t>(role)];
    CONVOY_TRY(buffer, context_->device().allocate(problem_.bytes(role)));
    if (role == problem_.output_role()) continue;
    fill_random(buffer.data(), problem_.dtype_of(role), problem_.span(role), static_cast<std::uint64_t>(role));
  }
  return climb({buffers[0].data(), buffers[1].data(), buffers[2].data()});
}

std::int64_t Convolution::workspace_bytes() const {
  const Rung* rung = ready_.load(std::memory_order_acquire);
  return rung == nullptr ? 0 : rung->plan().workspace_bytes();
}

void Convolution::trim() {
  const std::lock_guard lock(mutex_);
  for (const auto& rung : rungs_) rung->trim();
}

Convolution::Report Convolution::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

ProblemStatistics Convolution::statistics() const {
  const std::lock_guard lock(mutex_);
  return {problem_.to_string(), report_.solver, report_.tier, calls_.load(std::memory_order_relaxed), report_.attempts};
}

}  // namespace convoy
