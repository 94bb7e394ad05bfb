// Implementation of conformance_case.h.
#include "tests/conformance_case.h"

#include <algorithm>
#include <cstring>

#include "solvers/host_tensors.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::byte k_poison{0xff};
constexpr std::byte k_guard_byte{0xa5};
constexpr std::size_t k_guard = 256;
// What the reference computes in a second or two.
constexpr double k_reference_flops = 2e9;
// Of larger ones. Small problems have no more elements than that, and each is compared.
constexpr int k_samples = 1 << 20;

std::size_t index_of(TensorRole role) {
  return static_cast<std::size_t>(role);
}

// Memory of a device with guard bytes on both sides; only behind it where memory is a handle that cannot be computed with. The
// simulator knows where memory ends: there the guards would hide what reads beyond.
class GuardedBuffer {
 public:
  // `offset`: bytes by which the content begins late.
  static Result<GuardedBuffer> create(Device& device, std::vector<std::byte> content, std::size_t offset) {
    const bool exact = device.info().name.starts_with("sim:");
    GuardedBuffer made;
    made.device_ = &device;
    made.guard_ = exact ? 0 : k_guard;
    made.lead_ = device.info().kind == DeviceKind::opencl ? 0 : made.guard_ + offset;
    made.image_.assign(made.lead_, k_guard_byte);
    made.image_.insert(made.image_.end(), content.begin(), content.end());
    made.image_.resize(made.image_.size() + made.guard_, k_guard_byte);
    CONVOY_TRY(made.buffer_, device.allocate(made.bytes()));
    CONVOY_CHECK(device.upload(made.buffer_.data(), made.image_.data(), made.bytes(), nullptr));
    return made;
  }

  void* data() const { return static_cast<std::byte*>(buffer_.data()) + lead_; }

  // The content now; an Error when the guard bytes are no longer there.
  Result<std::vector<std::byte>> content() const {
    std::vector<std::byte> now(image_.size());
    CONVOY_CHECK(device_->download(now.data(), buffer_.data(), bytes(), nullptr));
    const auto end = now.end() - static_cast<std::ptrdiff_t>(guard_);
    const auto begin = now.begin() + static_cast<std::ptrdiff_t>(lead_);
    const auto whole = [](std::byte byte) { return byte == k_guard_byte; };
    if (!std::all_of(now.begin(), begin, whole)) return fail(ErrorCode::internal, "wrote before its memory");
    if (!std::all_of(end, now.end(), whole)) return fail(ErrorCode::internal, "wrote behind its memory");
    return std::vector<std::byte>(begin, end);
  }

 private:
  std::int64_t bytes() const { return static_cast<std::int64_t>(image_.size()); }

  Device* device_ = nullptr;
  std::size_t lead_ = 0, guard_ = 0;
  std::vector<std::byte> image_;
  DeviceBuffer buffer_;
};

std::vector<std::byte> random_bias(const Problem& problem) {
  std::vector<std::byte> bias(static_cast<std::size_t>(bias_bytes(problem)));
  const Dtype dtype = problem.dtype_of(problem.output_role());
  const std::int64_t count = bias_bytes(problem) / size_of(dtype);
  if (dtype != Dtype::i32) {
    fill_random(bias.data(), dtype, count, k_conformance_seed + 9);
    return bias;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::int32_t>(1000 * i - 2500);
    std::memcpy(bias.data() + 4 * i, &value, sizeof value);
  }
  return bias;
}

Tensors tensors_of(std::vector<std::byte> (&memory)[3], const std::vector<std::byte>& bias) {
  Tensors tensors{memory[0].data(), memory[1].data(), memory[2].data()};
  tensors.bias = bias.empty() ? nullptr : bias.data();
  return tensors;
}

}  // namespace

ConformanceCase::ConformanceCase(const Problem& problem, bool with_bias) : problem_(problem.lowered()) {
  const TensorRole output = problem_.output_role();
  for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
    std::vector<std::byte>& memory = tensors_[index_of(role)];
    memory.assign(static_cast<std::size_t>(problem_.bytes(role)), k_poison);
    if (role == output) continue;
    fill_random(memory.data(), problem_.dtype_of(role), problem_.span(role), k_conformance_seed + index_of(role));
  }
  if (with_bias && problem_.direction != Direction::backward_weights) bias_ = random_bias(problem_);

  const auto host = make_cpu_device();
  if (problem_.span(output) != problem_.elements(output)) {
    elements_.assign(tensors_[index_of(output)].size(), std::byte{0});
    if (!poison_output(problem_, *host, {elements_.data(), elements_.data(), elements_.data()})) elements_.clear();
  }
  // The reference rounds a 16-bit output before it adds the bias: no standard for who rounds once.
  const bool rounds_twice = !bias_.empty() && size_of(problem_.dtype_of(output)) == 2;
  if (problem_.flops() > k_reference_flops || rounds_twice) return;
  std::vector<std::byte> memory[3] = {tensors_[0], tensors_[1], tensors_[2]};
  const auto plan = find_solver("reference")->plan(problem_, *host, {});
  if (plan && (*plan)->run(tensors_of(memory, bias_), nullptr)) expected_ = std::move(memory[index_of(output)]);
}

ConformanceCase::Outcome ConformanceCase::run(const Plan& plan, Device& device, bool misaligned) const {
  Outcome outcome;
  const auto run = [&]() -> Result<void> {
    GuardedBuffer buffers[3];
    for (std::size_t i = 0; i < 3; ++i) {
      const auto element = static_cast<std::size_t>(size_of(problem_.dtype_of(static_cast<TensorRole>(i))));
      CONVOY_TRY(buffers[i], GuardedBuffer::create(device, tensors_[i], misaligned ? element : 0));
    }
    CONVOY_TRY(const GuardedBuffer bias, GuardedBuffer::create(device, bias_, 0));
    const std::vector<std::byte> fresh(static_cast<std::size_t>(plan.workspace_bytes()), k_poison);
    CONVOY_TRY(const GuardedBuffer workspace, GuardedBuffer::create(device, fresh, 0));

    Tensors tensors{buffers[0].data(), buffers[1].data(), buffers[2].data()};
    tensors.bias = bias_.empty() ? nullptr : bias.data();
    CONVOY_CHECK(plan.run(tensors, workspace.data()));
    CONVOY_CHECK(device.synchronize(nullptr));

    CONVOY_TRY(const std::vector<std::byte> bias_after, bias.content());
    if (bias_after != bias_) return fail(ErrorCode::internal, "the bias was changed");
    CONVOY_TRY([[maybe_unused]] const std::vector<std::byte> workspace_after, workspace.content());
    for (std::size_t i = 0; i < 3; ++i) {
      CONVOY_TRY(std::vector<std::byte> after, buffers[i].content());
      if (i == index_of(problem_.output_role())) {
        outcome.output = std::move(after);
      } else if (after != tensors_[i]) {
        return fail(ErrorCode::internal, fmt::format("input {} was changed", "xwy"[i]));
      }
    }
    return {};
  }();
  outcome.failure = run ? check_output(outcome.output) : run.error().message;
  return outcome;
}

std::string ConformanceCase::check_output(std::vector<std::byte>& output) const {
  for (std::size_t i = 0; i < elements_.size(); ++i) {
    if (elements_[i] == std::byte{0} && output[i] != k_poison)
      return fmt::format("byte {} between elements was written", i);
  }
  std::vector<std::byte> memory[3] = {tensors_[0], tensors_[1], tensors_[2]};
  std::vector<std::byte>& slot = memory[index_of(problem_.output_role())];
  slot.swap(output);
  const Tensors tensors = tensors_of(memory, bias_);
  const NumbersCheck check = expected_.empty() ? check_sampled(problem_, tensors, k_samples, k_conformance_seed)
                                               : check_full(problem_, tensors, expected_.data());
  slot.swap(output);
  return check.passed ? std::string() : check.reason;
}

}  // namespace convoy
