// The training step of the self test. All three directions of a layer share their tensors, as in a program; the second step calls
// the plans that the first one has chosen, with other numbers.
#include <cmath>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/timing.h"
#include "cli/problem_runner.h"
#include "cli/selftest.h"
#include "dispatch/rung.h"
#include "solvers/element.h"

namespace convoy {
namespace {

using HostNumbers = std::vector<std::byte>;

class Training {
 public:
  Training(Dispatcher& dispatcher, const TrainingStack& stack, std::uint64_t seed, const RunCase& run_case)
      : dispatcher_(dispatcher), device_(dispatcher.context().device()), stack_(stack), seed_(seed), run_(run_case) {}

  Result<void> allocate();
  bool step(int number);
  Result<void> learn();

 private:
  Result<DeviceBuffer> buffer(const Problem& problem, TensorRole role, double scale);
  bool convolve(std::size_t layer, Direction direction, int step);
  ProblemReport compute(const SourcedProblem& input, const Tensors& tensors, int step);
  Result<NumbersCheck> run_checked(Convolution& convolution, const Tensors& tensors, double& milliseconds);

  Dispatcher& dispatcher_;
  Device& device_;
  const TrainingStack& stack_;
  std::uint64_t seed_;
  const RunCase& run_;
  // Of layer i: reads i, writes i + 1.
  std::vector<DeviceBuffer> activations_, gradients_;
  std::vector<DeviceBuffer> weights_, weight_gradients_;
};

// Random numbers, made smaller by `scale` so that sums stay within f16 from layer to layer.
Result<DeviceBuffer> Training::buffer(const Problem& problem, TensorRole role, double scale) {
  const std::int64_t count = problem.span(role);
  HostNumbers numbers(static_cast<std::size_t>(problem.bytes(role)));
  fill_random(numbers.data(), problem.dtype, count, ++seed_);
  for (std::int64_t i = 0; i < count; ++i)
    store_element(numbers.data(), problem.dtype, i, scale * load_element(numbers.data(), problem.dtype, i));
  CONVOY_TRY(DeviceBuffer buffer, device_.allocate(problem.bytes(role)));
  CONVOY_CHECK(device_.upload(buffer.data(), numbers.data(), problem.bytes(role), nullptr));
  return buffer;
}

Result<void> Training::allocate() {
  const auto add = [this](std::vector<DeviceBuffer>& to, const Problem& problem, TensorRole role,
                          double scale) -> Result<void> {
    CONVOY_TRY(DeviceBuffer made, buffer(problem, role, scale));
    to.push_back(std::move(made));
    return {};
  };
  constexpr double k_loss = 1.0 / 64;
  CONVOY_CHECK(add(activations_, stack_.layers.front(), TensorRole::x, 1));
  CONVOY_CHECK(add(gradients_, stack_.layers.front(), TensorRole::x, k_loss));
  for (const Problem& layer : stack_.layers) {
    const double scale = 1 / std::sqrt(static_cast<double>(layer.reduction_length()));
    CONVOY_CHECK(add(activations_, layer, TensorRole::y, 1));
    CONVOY_CHECK(add(gradients_, layer, TensorRole::y, k_loss));
    CONVOY_CHECK(add(weights_, layer, TensorRole::w, scale));
    CONVOY_CHECK(add(weight_gradients_, layer, TensorRole::w, scale));
  }
  return {};
}

Result<NumbersCheck> Training::run_checked(Convolution& convolution, const Tensors& tensors, double& milliseconds) {
  const Problem& problem = convolution.problem();
  CONVOY_CHECK(poison_output(problem.lowered(), device_, lowered_tensors(problem, tensors)));
  const Stopwatch watch;
  CONVOY_CHECK(convolution.run(tensors));
  CONVOY_CHECK(device_.synchronize(nullptr));
  milliseconds = watch.milliseconds();
  return check_every_number(problem, device_, tensors);
}

ProblemReport Training::compute(const SourcedProblem& input, const Tensors& tensors, int step) {
  ProblemReport report;
  report.input = &input;
  auto convolution = dispatcher_.convolution(input.problem);
  if (!convolution) {
    report.reason = convolution.error().message;
    return report;
  }
  double milliseconds = 0;
  const auto check = run_checked(**convolution, tensors, milliseconds);
  describe((*convolution)->report(), check.has_value(), report);
  // The first step's time is the choice's, and what was tried before is told once.
  if (step > 0) {
    report.time_ms = milliseconds;
    report.attempts.clear();
  }
  if (check) {
    report.take(*check);
  } else {
    report.reason = check.error().message;
  }
  return report;
}

bool Training::convolve(std::size_t layer, Direction direction, int step) {
  SourcedProblem input;
  input.problem = stack_.layers[layer];
  input.problem.direction = direction;
  input.source = fmt::format("training step {}, layer {}", step + 1, layer + 1);
  Tensors tensors{activations_[layer].data(), weights_[layer].data(), activations_[layer + 1].data()};
  if (direction != Direction::forward) tensors.y = gradients_[layer + 1].data();
  if (direction == Direction::backward_data) tensors.x = gradients_[layer].data();
  if (direction == Direction::backward_weights) tensors.w = weight_gradients_[layer].data();
  bool right = false;
  const bool go_on = run_(input, [&] {
    ProblemReport report = compute(input, tensors, step);
    right = report.status == RunStatus::completed;
    return report;
  });
  return go_on && right;
}

Result<void> Training::learn() {
  constexpr double k_rate = 0.05;
  for (std::size_t i = 0; i < stack_.layers.size(); ++i) {
    const Problem& layer = stack_.layers[i];
    const std::int64_t bytes = layer.bytes(TensorRole::w);
    HostNumbers weights(static_cast<std::size_t>(bytes)), gradients(weights.size());
    CONVOY_CHECK(device_.download(weights.data(), weights_[i].data(), bytes, nullptr));
    CONVOY_CHECK(device_.download(gradients.data(), weight_gradients_[i].data(), bytes, nullptr));
    for (std::int64_t j = 0; j < layer.span(TensorRole::w); ++j) {
      const double weight = load_element(weights.data(), layer.dtype, j);
      store_element(weights.data(), layer.dtype, j, weight - k_rate * load_element(gradients.data(), layer.dtype, j));
    }
    CONVOY_CHECK(device_.upload(weights_[i].data(), weights.data(), bytes, nullptr));
  }
  return {};
}

bool Training::step(int number) {
  const std::size_t layers = stack_.layers.size();
  for (std::size_t i = 0; i < layers; ++i) {
    if (!convolve(i, Direction::forward, number)) return false;
  }
  for (std::size_t i = layers; i-- > 0;) {
    if (!convolve(i, Direction::backward_weights, number) || !convolve(i, Direction::backward_data, number))
      return false;
  }
  return true;
}

// What keeps a stack from going on is a failure of the case that comes next.
void fail_next_case(const TrainingStack& stack, const Error& error, const RunCase& run_case) {
  const SourcedProblem first{stack.layers.front(), "training step", 1};
  run_case(first, [&] {
    ProblemReport report;
    report.input = &first;
    report.reason = error.message;
    return report;
  });
}

}  // namespace

void run_training_stack(Dispatcher& dispatcher, const TrainingStack& stack, std::uint64_t seed,
                        const RunCase& run_case) {
  Training training(dispatcher, stack, seed, run_case);
  if (const auto ready = training.allocate(); !ready) return fail_next_case(stack, ready.error(), run_case);
  for (int step = 0; step < k_training_steps; ++step) {
    const auto learnt = step > 0 ? training.learn() : Result<void>{};
    if (!learnt) return fail_next_case(stack, learnt.error(), run_case);
    if (!training.step(step)) return;
  }
}

}  // namespace convoy
