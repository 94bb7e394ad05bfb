// The host processor as a device. Its memory limit is what the kernel and the control group still grant,
// because Linux promises more memory than there is and then kills a process: nothing may be allocated on a
// promise.
#include <sys/mman.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>

#include "base/file.h"
#include "base/timing.h"
#include "device/device.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::int64_t k_unlimited = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t k_alignment = 64;
constexpr std::int64_t k_huge_page = 2 << 20;

// The number after `label` in a text such as /proc/meminfo.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view label) {
  const auto at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  const auto digit = text.find_first_of("0123456789", at + label.size());
  if (digit == std::string_view::npos) return std::nullopt;
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data() + digit, text.data() + text.size(), value);
  if (result.ec != std::errc{}) return std::nullopt;
  return value;
}

std::int64_t number_in_file(const char* path) {
  const auto text = read_file(path, 4096);
  return text ? number_after(*text, "").value_or(k_unlimited) : k_unlimited;
}

// What is left under the process's own control group, version 2 or 1, as a container sees it.
std::int64_t control_group_available() {
  struct Files {
    const char *limit, *usage, *statistics;
  };
  constexpr std::array<Files, 2> k_files{{
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
       "/sys/fs/cgroup/memory/memory.stat"},
  }};
  std::int64_t available = k_unlimited;
  for (const Files& files : k_files) {
    const std::int64_t limit = number_in_file(files.limit);
    const std::int64_t usage = number_in_file(files.usage);
    if (limit == k_unlimited || usage == k_unlimited) continue;
    // Page cache counts as used but is given up on demand.
    const auto statistics = read_file(files.statistics, 1 << 16);
    const std::int64_t cache = statistics ? number_after(*statistics, "inactive_file ").value_or(0) : 0;
    available = std::min(available, std::max<std::int64_t>(0, limit - usage + cache));
  }
  return available;
}

std::int64_t host_memory_available() {
  const auto text = read_file("/proc/meminfo", 1 << 16);
  const auto kibibytes = text ? number_after(*text, "MemAvailable:") : std::nullopt;
  return std::min(kibibytes ? *kibibytes * 1024 : k_unlimited, control_group_available());
}

std::string processor_model() {
  const auto text = read_file("/proc/cpuinfo", 1 << 22);
  if (!text) return "unknown processor";
  const auto at = text->find("model name");
  const auto colon = at == std::string::npos ? std::string::npos : text->find(": ", at);
  if (colon == std::string::npos) return "unknown processor";
  return text->substr(colon + 2, text->find('\n', colon) - colon - 2);
}

class CpuDevice final : public Device {
 public:
  CpuDevice() {
    utsname names{};
    const std::string machine = uname(&names) == 0 ? names.machine : "unknown";
    info_.kind = DeviceKind::cpu;
    info_.name = "cpu";
    info_.model = processor_model();
    info_.key = fmt::format("cpu/{}/{}", machine, info_.model);
  }

  const DeviceInfo& info() const override { return info_; }
  std::int64_t memory_available() const override { return host_memory_available(); }
  bool host_accessible() const override { return true; }

  Result<DeviceBuffer> allocate(std::int64_t bytes) override {
    // Small requests skip the look at the kernel's books: it costs more than they do.
    constexpr std::int64_t k_always_granted = 16 << 20;
    if (bytes > k_always_granted) {
      const std::int64_t available = memory_available();
      if (bytes > available) {
        return fail(ErrorCode::out_of_memory,
                    fmt::format("{} bytes asked for, {} available on the host", bytes, available));
      }
    }
    const bool huge = bytes >= k_huge_page;
    const std::size_t alignment = huge ? k_huge_page : k_alignment;
    const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
    const std::size_t rounded = (wanted + alignment - 1) / alignment * alignment;
    void* data = std::aligned_alloc(alignment, rounded);
    if (data == nullptr) return fail(ErrorCode::out_of_memory, fmt::format("the host refused {} bytes", bytes));
    // Fewer page faults and address translations; advice only, so its failure does not matter.
    if (huge) madvise(data, rounded, MADV_HUGEPAGE);
    return DeviceBuffer(this, data, bytes);
  }

  void release(void* data, std::int64_t) override { std::free(data); }

  // The host computes in its caller's thread: nothing is ever queued.
  Result<void> upload(void* to, const void* from, std::int64_t bytes, Stream) override { return copy(to, from, bytes); }
  Result<void> download(void* to, const void* from, std::int64_t bytes, Stream) override {
    return copy(to, from, bytes);
  }
  Result<void> fill(void* data, unsigned char value, std::int64_t bytes, Stream) override {
    std::memset(data, value, static_cast<std::size_t>(bytes));
    return {};
  }
  Result<void> synchronize(Stream) override { return {}; }
  Result<double> measure(Stream, const std::function<Result<void>()>& work) override {
    const Stopwatch watch;
    CONVOY_CHECK(work());
    return watch.milliseconds();
  }
  bool is_capturing(Stream) const override { return false; }
  Result<void> health() const override { return {}; }

  Result<std::string> compile(const ProgramSource&) override { return no_kernels<std::string>(); }
  std::string compiler_key() const override { return info_.key; }
  Result<std::unique_ptr<Program>> load(std::string_view) override { return no_kernels<std::unique_ptr<Program>>(); }

 private:
  static Result<void> copy(void* to, const void* from, std::int64_t bytes) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
    return {};
  }
  template <typename T>
  static Result<T> no_kernels() {
    return fail(ErrorCode::unsupported, "the host processor runs no GPU kernels");
  }

  DeviceInfo info_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device() {
  return std::make_unique<CpuDevice>();
}

}  // namespace convoy
