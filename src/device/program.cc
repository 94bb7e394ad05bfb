// Programs of one device: loaded, cached on disk, or compiled, each at most once.
#include "device/program.h"

#include <algorithm>
#include <cassert>

#include "base/log.h"
#include "base/parallel.h"
#include "base/timing.h"
#include "device/device.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace convoy {
namespace {

// Bumped when the same inputs have to give another binary for a reason that the key does not see.
constexpr std::string_view k_format = "1";

}  // namespace

void KernelArguments::add(const void* data, std::size_t bytes, bool is_buffer) {
  const std::size_t offset = (used_ + 15) / 16 * 16;
  assert(count_ < k_most && offset + bytes <= bytes_.size());  // far above what a kernel of ours takes
  std::memcpy(bytes_.data() + offset, data, bytes);
  arguments_[count_++] = {static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(bytes), is_buffer};
  used_ = offset + bytes;
}

// Every part with its length, so that no two sources run into the same bytes.
std::string ProgramLibrary::key_of(const ProgramSource& source) const {
  std::vector<std::string> defines = source.defines;
  std::sort(defines.begin(), defines.end());
  std::string all;
  const auto add = [&all](std::string_view part) { all += fmt::format("{}:{}\n", part.size(), part); };
  add(k_format);
  add(device_.compiler_key());
  add(source.text);
  for (const std::string& define : defines) add(define);
  const XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

Result<std::shared_ptr<const Program>> ProgramLibrary::get(const ProgramSource& source) {
  const std::string key = key_of(source);
  std::promise<Loaded> promise;
  std::shared_future<Loaded> future;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = programs_.find(key); found != programs_.end()) {
      future = found->second;
    } else {
      programs_.emplace(key, promise.get_future().share());
    }
  }
  if (future.valid()) return future.get();  // may wait for another thread's compiler
  Loaded made = [&]() -> Loaded {
    try {
      return make(source, key);
    } catch (const std::exception& error) {  // others wait for the promise
      return fail(ErrorCode::internal, fmt::format("{}: {}", source.name, error.what()));
    }
  }();
  if (!made) {
    // Want of memory, say, passes: the next call tries again.
    const std::lock_guard lock(mutex_);
    programs_.erase(key);
  }
  promise.set_value(made);
  return made;
}

ProgramLibrary::Loaded ProgramLibrary::make(const ProgramSource& source, const std::string& key) {
  if (cache_ != nullptr) {
    if (const auto binary = cache_->find(key)) {
      if (auto program = device_.load(*binary)) {
        const std::lock_guard lock(mutex_);
        ++counters_.from_cache;
        return std::shared_ptr<const Program>(std::move(*program));
      } else {
        log(LogLevel::warning, "{}: what the cache holds does not load ({}); compiling again", source.name,
            program.error().message);
      }
    }
  }
  log(LogLevel::info, "compiling {} for {}", source.name, device_.info().architecture);
  const Stopwatch watch;
  {
    const std::lock_guard lock(mutex_);
    ++counters_.compiled;
  }
  CONVOY_TRY(const std::string binary, device_.compile(source));
  const double milliseconds = watch.milliseconds();
  {
    const std::lock_guard lock(mutex_);
    counters_.compile_ms += milliseconds;
  }
  CONVOY_TRY(auto program, device_.load(binary));
  if (cache_ != nullptr) cache_->put(key, {source.name, device_.info().architecture, binary, milliseconds});
  return std::shared_ptr<const Program>(std::move(program));
}

bool ProgramLibrary::is_ready(const ProgramSource& source) {
  const std::string key = key_of(source);
  {
    const std::lock_guard lock(mutex_);
    if (programs_.contains(key)) return true;
  }
  return cache_ != nullptr && cache_->find(key).has_value();
}

Result<void> ProgramLibrary::prepare(std::span<const ProgramSource> sources, int threads) {
  std::mutex mutex;
  std::optional<Error> first;
  parallel_for(static_cast<std::int64_t>(sources.size()), 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto program = get(sources[static_cast<std::size_t>(i)]);
      if (program) continue;
      const std::lock_guard lock(mutex);
      if (!first) first = program.error();
    }
  });
  if (first) return tl::unexpected<Error>(*first);
  return {};
}

void ProgramLibrary::clear() {
  std::map<std::string, std::shared_future<Loaded>, std::less<>> former;
  const std::lock_guard lock(mutex_);
  former.swap(programs_);
}

ProgramLibrary::Counters ProgramLibrary::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace convoy
