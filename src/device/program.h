// Machine code: sources in the portable dialect (dialect/), compiled for one device, and launches.
//
// A program is compiled at most once per machine: ProgramLibrary looks among those that are loaded, then in the binary cache
// that dispatch hands in (cache.db), and only then compiles. The key is a hash of the source's text, its definitions and
// Device::compiler_key(), so that nothing stale is ever found. A binary that does not load is compiled again.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace convoy {

class Device;

// hipStream_t, CUstream or cl_command_queue of the caller; null: the device's default stream.
using Stream = void*;

struct ProgramSource {
  std::string_view name;             // "igemm": for messages, `convoy db` and the compiler's log
  std::string_view text;             // in the dialect; lives for ever (embedded at build)
  std::vector<std::string> defines;  // "BM=64"; the order does not matter
};

// The arguments of one launch, by value; no memory is allocated.
class KernelArguments {
 public:
  struct Argument {
    std::uint16_t offset, bytes;
    bool is_buffer;
  };

  // A device's memory handle, or null.
  KernelArguments& buffer(const void* handle) {
    add(&handle, sizeof handle, true);
    return *this;
  }
  // A number or a struct of numbers, laid out as the kernel declares it.
  template <typename T>
  KernelArguments& value(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 512);
    add(&value, sizeof value, false);
    return *this;
  }

  std::span<const Argument> arguments() const { return {arguments_.data(), count_}; }
  const void* data(const Argument& argument) const { return bytes_.data() + argument.offset; }

 private:
  void add(const void* data, std::size_t bytes, bool is_buffer);

  static constexpr std::size_t k_most = 16;
  std::array<Argument, k_most> arguments_{};
  std::size_t count_ = 0;
  std::size_t used_ = 0;
  alignas(16) std::array<std::byte, 1024> bytes_;
};

struct LaunchSize {
  std::array<std::int64_t, 3> groups{1, 1, 1};  // at most 2^31-1, 65535, 65535
  int threads = 1;                              // in each group, in one dimension
};

// One entry point. Lives no longer than its program. launch() may be called from several threads.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // Queues; an Error is the launch's own, what goes wrong later shows at Device::synchronize(). May be recorded in a graph.
  virtual Result<void> launch(const LaunchSize& size, const KernelArguments& arguments, Stream stream) const = 0;
};

class Program {
 public:
  virtual ~Program() = default;
  virtual Result<std::unique_ptr<Kernel>> kernel(const char* name) const = 0;
};

// Where compiled programs survive the process. Thread-safe; its failures are not the caller's.
class BinaryCache {
 public:
  struct Entry {
    std::string_view name;  // of the source
    std::string_view architecture;
    std::string_view binary;
    double compile_ms;
  };
  virtual ~BinaryCache() = default;
  virtual std::optional<std::string> find(std::string_view key) = 0;
  virtual void put(std::string_view key, const Entry& entry) = 0;
};

// The programs of one device. Thread-safe: two threads that ask for the same one compile it once, different ones compile at
// the same time.
class ProgramLibrary {
 public:
  struct Counters {
    std::int64_t compiled = 0;    // calls of the compiler
    std::int64_t from_cache = 0;  // read from disk instead
    double compile_ms = 0;
  };

  explicit ProgramLibrary(Device& device) : device_(device) {}
  ProgramLibrary(const ProgramLibrary&) = delete;
  ProgramLibrary& operator=(const ProgramLibrary&) = delete;

  // `cache` outlives this object's use; null: every process compiles for itself.
  void set_cache(BinaryCache* cache) { cache_ = cache; }
  Result<std::shared_ptr<const Program>> get(const ProgramSource& source);
  // True when get() would not have to call the compiler.
  bool is_ready(const ProgramSource& source);
  // Compiles what is missing on several threads, so that later get()s find it. The first Error, when all are done.
  Result<void> prepare(std::span<const ProgramSource> sources, int threads = 0);
  Counters counters() const;
  // Forgets the programs that are loaded; they go when their last kernel does.
  void clear();

 private:
  using Loaded = Result<std::shared_ptr<const Program>>;
  std::string key_of(const ProgramSource& source) const;
  Loaded make(const ProgramSource& source, const std::string& key);

  Device& device_;
  BinaryCache* cache_ = nullptr;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_future<Loaded>, std::less<>> programs_;
  Counters counters_;
};

}  // namespace convoy
