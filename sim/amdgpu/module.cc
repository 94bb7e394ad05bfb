// The public face: loading, launching with several host threads, and questions about the code. Faults end here.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "code_object.h"
#include "decoder.h"
#include "disassembler.h"
#include "group_runner.h"
#include "main_loop.h"

namespace convoy::amdgpu {

struct Module::State {
  CodeObject object;
  Target target;
  std::mutex mutex;
  bool decoded[2] = {};
  Code codes[2];  // by width: gfx10 and newer encode the same for both, but print masks by their size

  const Code& code_for(const Kernel& kernel) { return code(!(target.generation >= 1000 && kernel.wave32)); }
  const Code& code(bool wave64) {
    std::lock_guard lock(mutex);
    if (!decoded[wave64]) {
      target.wave64 = wave64;
      codes[wave64] = decode(target, object.text());
      decoded[wave64] = true;
    }
    return codes[wave64];
  }
};

namespace {

constexpr uint32_t k_largest_lds = 65536;
// Far above what compilers ask for: more is a damaged code object's.
constexpr uint32_t k_largest_scratch = 1 << 20, k_largest_arguments = 1 << 20;

template <typename F>
auto guarded(F&& act) -> Result<decltype(act())> {
  try {
    if constexpr (std::is_void_v<decltype(act())>) {
      act();
      return {};
    } else {
      return act();
    }
  } catch (const std::exception& fault) {
    return tl::unexpected(std::string(fault.what()));
  }
}

void check_dims(const Kernel& kernel, const Launch& launch) {
  const auto& [x, y, z] = launch.dims.group_size;
  const uint64_t threads = x <= 1024 && y <= 1024 && z <= 1024 ? static_cast<uint64_t>(x) * y * z : ~0ull;
  if (threads == 0 || threads > std::min(kernel.max_group_size, 1024u)) {
    throw Fault("kernel " + kernel.name + ": a group of " + std::to_string(x) + " x " + std::to_string(y) + " x " +
                std::to_string(z) + " threads, the kernel allows 1 to " + std::to_string(kernel.max_group_size));
  }
  const auto& groups = launch.dims.groups;
  if (!groups[0] || !groups[1] || !groups[2]) throw Fault("kernel " + kernel.name + ": an empty grid");
  for (int axis = 0; axis < 3; axis++) {
    const uint64_t all = launch.dims.threads[axis], size = launch.dims.group_size[axis];
    if (launch.dims.threads[0] && (all + size - 1) / size != groups[axis]) {
      throw Fault("kernel " + kernel.name + ": the number of threads does not fit the number of groups");
    }
  }
  if (kernel.scratch_bytes > k_largest_scratch || kernel.argument_bytes > k_largest_arguments ||
      launch.argument_bytes > k_largest_arguments) {
    throw Fault("kernel " + kernel.name + ": more private memory or more arguments than there can be");
  }
  const uint64_t lds = static_cast<uint64_t>(kernel.lds_bytes) + launch.dynamic_lds;
  if (lds > k_largest_lds)
    throw Fault("kernel " + kernel.name + ": " + std::to_string(lds) + " bytes of LDS, there are 65536");
}

int worker_count(const Job& job) {
  const int wanted =
      job.launch.options.threads ? job.launch.options.threads : static_cast<int>(std::thread::hardware_concurrency());
  return static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(std::max(wanted, 1)), job.groups()));
}

// The workers of one launch: each takes the next group until there are none, or one has failed.
class Workers {
 public:
  explicit Workers(const Job& job) : job_(job) {}

  Result<void> run() {
    std::vector<std::thread> threads;
    for (int n = 1; n < worker_count(job_); n++) threads.emplace_back([this] { work(); });
    work();
    for (auto& thread : threads) thread.join();
    if (job_.launch.statistics) *job_.launch.statistics += statistics_;
    if (!error_.empty()) return tl::unexpected(error_);
    return {};
  }

 private:
  void work() {
    const auto done = guarded([this] {
      GroupRunner runner(job_);
      for (uint64_t group = next_++; group < job_.groups(); group = next_++) runner.run(group);
      std::lock_guard lock(mutex_);
      statistics_ += runner.statistics();
    });
    if (done) return;
    next_ = job_.groups();
    std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = done.error();
  }

  const Job& job_;
  std::atomic<uint64_t> next_{0};
  std::mutex mutex_;
  Statistics statistics_;
  std::string error_;
};

}  // namespace

Module::Module(std::unique_ptr<State> state) : state_(std::move(state)) {}
Module::~Module() = default;

Result<std::shared_ptr<Module>> Module::load(const void* data, std::size_t size, std::string_view architecture) {
  return guarded([&] {
    std::span<const uint8_t> bytes(static_cast<const uint8_t*>(data), size);
    if (is_bundle(bytes)) bytes = choose_from_bundle(bytes, architecture);
    auto state = std::make_unique<State>();
    state->object = load_code_object(bytes, architecture);
    state->target.architecture = state->object.architecture;
    state->target.generation = generation_of(state->object.architecture);
    return std::shared_ptr<Module>(new Module(std::move(state)));
  });
}

const std::string& Module::architecture() const {
  return state_->object.architecture;
}

std::vector<std::string> Module::kernels() const {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : state_->object.kernels) names.push_back(name);
  return names;
}

const Kernel* Module::kernel(std::string_view name) const {
  const auto found = state_->object.kernels.find(name);
  return found == state_->object.kernels.end() ? nullptr : &found->second;
}

std::optional<Memory::Block> Module::global(std::string_view name) const {
  constexpr uint8_t k_object = 1;
  const CodeObject& object = state_->object;
  const auto found = object.symbols.find(name);
  if (found == object.symbols.end() || found->second.type != k_object) return std::nullopt;
  const Symbol& symbol = found->second;
  if (symbol.address > object.image_size || symbol.size > object.image_size - symbol.address) return std::nullopt;
  return Memory::Block{reinterpret_cast<uintptr_t>(object.image.get()) + symbol.address, symbol.size};
}

Memory::Block Module::image() const {
  return {reinterpret_cast<uintptr_t>(state_->object.image.get()), state_->object.image_size};
}

Result<void> Module::launch(const Kernel& kernel, const Launch& launch) const {
  const auto prepared = guarded([&] {
    check_dims(kernel, launch);
    return std::make_unique<Job>(kernel, launch, state_->object, state_->code_for(kernel), state_->target.generation);
  });
  if (!prepared) return tl::unexpected(prepared.error());
  return Workers(**prepared).run();
}

Result<std::vector<std::string>> Module::unknown() const {
  return guarded([&] {
    // Of each complaint once: the mnemonic's, not the operands'.
    std::vector<std::string> texts;
    std::unordered_set<std::string> seen;
    bool wave64 = true;
    for (const auto& [name, kernel] : state_->object.kernels) wave64 &= !kernel.wave32;
    for (const auto& i : state_->code(wave64).at) {
      if (!i || !i->unknown) continue;
      const size_t complaint = i->text.find('<');
      const std::string kind = complaint == 0 ? "undecodable" : i->mnemonic + i->text.substr(complaint);
      if (seen.insert(kind).second) texts.push_back(i->text);
    }
    return texts;
  });
}

Result<Statistics> Module::main_loop(const Kernel& kernel) const {
  return guarded([&] {
    const Code& code = state_->code_for(kernel);
    const uint64_t entry = kernel.entry - state_->object.text_begin;
    return find_main_loop(code, entry);
  });
}

Result<void> available() {
  if (!Disassembler::missing().empty()) return tl::unexpected(Disassembler::missing());
  return {};
}

}  // namespace convoy::amdgpu
