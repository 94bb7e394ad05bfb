// Implementation of cuda_hip.h.
#include "device/cuda_hip.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "base/counted.h"
#include "base/log.h"
#include "base/signal_keeper.h"
#include "device/dialect/dialect.h"
#include "device/gpu_api.h"
#include "device/gpu_compiler.h"
#include "device/gpu_facts.h"
#include "device/llvm_conflict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convoy {
namespace {

// Makes a device current for the calling thread and puts back what was: we live inside programs that have their own.
class Current {
 public:
  // `relaxed`: another thread of the program may be recording a graph, which allocating, freeing or waiting in this one would
  // spoil otherwise (cuThreadExchangeStreamCaptureMode). Launches need it not.
  Current(const GpuApi& api, int device, void* context, bool relaxed) : api_(api), relaxed_(relaxed) {
    if (api.kind == DeviceKind::cuda) {
      void* current = nullptr;
      api.cuda_get_context(&current);
      changed_ = current != context && api.cuda_push_context(context) == 0;
    } else {
      changed_ = api.hip_get_device(&former_) == 0 && former_ != device && api.hip_set_device(device) == 0;
    }
    exchange_mode();
  }
  ~Current() {
    exchange_mode();
    if (!changed_) return;
    void* popped = nullptr;
    if (api_.kind == DeviceKind::cuda) {
      api_.cuda_pop_context(&popped);
    } else {
      api_.hip_set_device(former_);
    }
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  // Twice gives back what was.
  void exchange_mode() {
    if (relaxed_ && api_.exchange_capture_mode != nullptr) api_.exchange_capture_mode(&mode_);
  }

  const GpuApi& api_;
  const bool relaxed_;
  int former_ = 0;
  int mode_ = 2;  // CU_STREAM_CAPTURE_MODE_RELAXED, hipStreamCaptureModeRelaxed
  bool changed_ = false;
};

// What device, programs and kernels share.
struct Gpu {
  const GpuApi& api;
  int device = 0;
  void* context = nullptr;  // CUDA's primary one
  std::string name;
  mutable std::mutex mutex;
  mutable std::optional<Error> lost;

  explicit Gpu(const GpuApi& table) : api(table) {}
  ~Gpu() {
    if (context != nullptr) api.cuda_release_context(device);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  Current current() const { return {api, device, context, true}; }
  Current current_for_launch() const { return {api, device, context, false}; }

  Result<void> check(std::string_view call, GpuStatus status) const {
    if (status == 0) return {};
    // HIP keeps the error for whoever asks next in this thread: it is ours, not the program's.
    if (api.hip_get_last_error != nullptr) api.hip_get_last_error();
    Error error = gpu_error(api, call, status);
    if (is_sticky(status)) {
      const std::lock_guard lock(mutex);
      if (!lost) {
        lost = Error{ErrorCode::device,
                     fmt::format("{} is lost to this process after {}; start again to use it", name, error.message)};
      }
    }
    return tl::unexpected<Error>(std::move(error));
  }
};

class GpuKernel final : public Kernel {
 public:
  GpuKernel(const Gpu& gpu, void* function) : gpu_(gpu), function_(function) {}

  Result<void> launch(const LaunchSize& size, const KernelArguments& arguments, Stream stream) const override {
    std::array<void*, 16> parameters{};
    std::size_t count = 0;
    for (const KernelArguments::Argument& one : arguments.arguments())
      parameters[count++] = const_cast<void*>(arguments.data(one));
    const Current current = gpu_.current_for_launch();
    return gpu_.check(
        "launching a kernel",
        gpu_.api.launch(function_, static_cast<unsigned>(size.groups[0]), static_cast<unsigned>(size.groups[1]),
                        static_cast<unsigned>(size.groups[2]), static_cast<unsigned>(size.threads), 1, 1, 0, stream,
                        parameters.data(), nullptr));
  }

 private:
  const Gpu& gpu_;
  void* const function_;
};

class GpuProgram final : public Program {
 public:
  GpuProgram(const Gpu& gpu, void* module) : gpu_(gpu), module_(module) {}
  ~GpuProgram() override {
    const Current current = gpu_.current();
    (void)gpu_.check("unloading a module", gpu_.api.module_unload(module_));
  }

  Result<std::unique_ptr<Kernel>> kernel(const char* name) const override {
    const Current current = gpu_.current();
    void* function = nullptr;
    CONVOY_CHECK(gpu_.check(name, gpu_.api.module_function(&function, module_, name)));
    return std::make_unique<GpuKernel>(gpu_, function);
  }

 private:
  const Gpu& gpu_;
  void* const module_;
};

class GpuDevice final : public Device {
 public:
  static Result<std::unique_ptr<Device>> open(const GpuApi& api, int index, std::string name);
  // Modules are unloaded while their context is there.
  ~GpuDevice() override { programs().clear(); }

  const DeviceInfo& info() const override { return info_; }
  std::int64_t memory_available() const override;
  Result<DeviceBuffer> allocate(std::int64_t bytes) override;
  void release(void* data, std::int64_t) override {
    const Current current = gpu_.current();
    (void)gpu_.check("freeing memory", gpu_.api.release(data));
  }
  bool host_accessible() const override { return false; }

  Result<void> upload(void* to, const void* from, std::int64_t bytes, Stream stream) override;
  Result<void> download(void* to, const void* from, std::int64_t bytes, Stream stream) override;
  Result<void> fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) override;
  Result<void> synchronize(Stream stream) override {
    const Current current = gpu_.current();
    return gpu_.check("waiting for the device", gpu_.api.stream_synchronize(stream));
  }
  Result<double> measure(Stream stream, const std::function<Result<void>()>& work) override;
  bool is_capturing(Stream stream) const override;
  Result<void> health() const override;
  void with_current(const std::function<void()>& work) const override {
    const Current current = gpu_.current_for_launch();
    work();
  }

  Result<std::string> compile(const ProgramSource& source) override;
  std::string compiler_key() const override {
    return fmt::format("{}\n{}\n{}\n{}", to_string(info_.kind), info_.architecture, compiler_versions_,
                       dialect_of(info_.kind));
  }
  Result<std::unique_ptr<Program>> load(std::string_view binary) override;

 private:
  explicit GpuDevice(const GpuApi& api) : gpu_(api) {}
  Result<void> read_info(const std::string& name);
  void find_compilers();

  Gpu gpu_;
  DeviceInfo info_;
  std::vector<std::unique_ptr<GpuCompiler>> compilers_;  // best first
  std::string compiler_versions_;                        // of them all: any may have made a binary
  std::vector<std::string> no_compilers_;                // why the others are none
};

Result<std::unique_ptr<Device>> GpuDevice::open(const GpuApi& api, int index, std::string name) {
  int count = 0;
  if (const GpuStatus status = api.device_count(&count); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "counting devices", status));
  if (index < 0 || index >= count)
    return fail(ErrorCode::invalid_argument, fmt::format("{} does not exist; {} here", name, counted(count, "device")));
  std::unique_ptr<GpuDevice> made(new GpuDevice(api));
  made->gpu_.device = index;
  made->gpu_.name = name;
  if (api.kind == DeviceKind::cuda) {
    if (const GpuStatus status = api.cuda_retain_context(&made->gpu_.context, index); status != 0) {
      made->gpu_.context = nullptr;
      return tl::unexpected<Error>(gpu_error(api, "cuDevicePrimaryCtxRetain", status));
    }
  }
  CONVOY_CHECK(made->read_info(name));
  made->find_compilers();
  return made;
}

Result<void> GpuDevice::read_info(const std::string& name) {
  const GpuApi& api = gpu_.api;
  const auto attribute = [this, &api](int number) { return attribute_of(api, number, gpu_.device); };
  CONVOY_TRY(info_.architecture, architecture_of(api, gpu_.device));
  info_.kind = api.kind;
  info_.name = name;
  info_.model = model_of(api, gpu_.device);
  info_.real_architecture =
      api.kind == DeviceKind::hip ? real_architecture_of(api, gpu_.device, info_.architecture) : "";
  const VersionFacts versions = versions_of(api);
  if (api.kind == DeviceKind::hip) info_.pci_id = pci_id_of(api, gpu_.device);
  // A simulated card's verdicts are not a real one's.
  const bool simulated = name.substr(0, 4) == "sim:";
  info_.driver = simulated ? "Convoy's simulator" : versions.driver;
  info_.runtime = versions.runtime;
  info_.compute_units = attribute(api.attribute_compute_units);
  info_.warp_size = attribute(api.attribute_warp_size);
  info_.max_threads = attribute(api.attribute_max_threads);
  info_.local_memory = attribute(api.attribute_local_memory);
  std::size_t total = 0;
  constexpr std::size_t k_most_memory = std::size_t{1} << 50;
  if (api.device_memory(&total, gpu_.device) == 0)
    info_.memory_total = static_cast<std::int64_t>(std::min(total, k_most_memory));
  info_.key = fmt::format("{}/{}/{}/{}", simulated ? "sim" : to_string(api.kind), info_.architecture, info_.driver,
                          info_.runtime);
  return {};
}

void GpuDevice::find_compilers() {
  const auto add = [this](Result<std::unique_ptr<GpuCompiler>> compiler) {
    if (compiler) {
      compilers_.push_back(std::move(*compiler));
    } else {
      no_compilers_.push_back(compiler.error().message);
    }
  };
  if (gpu_.api.kind == DeviceKind::cuda) {
    add(open_nvrtc());
  } else {
    int version = 0;
    gpu_.api.hip_runtime_version(&version);
    if (const auto may = may_load_comgr()) {
      add(open_hiprtc(*gpu_.api.library, version, info_.architecture));
      add(open_comgr(info_.architecture));
    } else {
      no_compilers_.push_back(may.error().message);
    }
    add(find_clang());
  }
  if (!compilers_.empty()) info_.compiler = compilers_.front()->version();
  for (const auto& compiler : compilers_) compiler_versions_ += compiler->version() + "; ";
}

std::int64_t GpuDevice::memory_available() const {
  const Current current = gpu_.current();
  std::size_t available = 0, total = 0;
  if (!gpu_.check("asking for free memory", gpu_.api.memory_info(&available, &total))) return 0;
  return static_cast<std::int64_t>(available);
}

Result<DeviceBuffer> GpuDevice::allocate(std::int64_t bytes) {
  const Current current = gpu_.current();
  void* data = nullptr;
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  auto result = gpu_.check("allocating memory", gpu_.api.allocate(&data, wanted));
  if (result) return DeviceBuffer(this, data, bytes);
  if (result.error().code == ErrorCode::out_of_memory) {
    result.error().message =
        fmt::format("{} bytes asked for, {} available on {}", bytes, memory_available(), info_.name);
  }
  return tl::unexpected<Error>(std::move(result.error()));
}

Result<void> GpuDevice::upload(void* to, const void* from, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const Current current = gpu_.current();
  CONVOY_CHECK(gpu_.check("copying to the device", gpu_.api.upload(to, from, static_cast<std::size_t>(bytes), stream)));
  return gpu_.check("copying to the device", gpu_.api.stream_synchronize(stream));
}

Result<void> GpuDevice::download(void* to, const void* from, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const Current current = gpu_.current();
  CONVOY_CHECK(
      gpu_.check("copying from the device", gpu_.api.download(to, from, static_cast<std::size_t>(bytes), stream)));
  return gpu_.check("copying from the device", gpu_.api.stream_synchronize(stream));
}

Result<void> GpuDevice::fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const Current current = gpu_.current();
  return gpu_.check("filling memory", gpu_.api.fill(data, value, static_cast<std::size_t>(bytes), stream));
}

// Events of one measurement.
class EventPair {
 public:
  explicit EventPair(const GpuApi& api) : api_(api) {}
  ~EventPair() {
    for (void* event : events) {
      if (event != nullptr) api_.event_destroy(event);
    }
  }
  EventPair(const EventPair&) = delete;
  EventPair& operator=(const EventPair&) = delete;
  std::array<void*, 2> events{};

 private:
  const GpuApi& api_;
};

Result<double> GpuDevice::measure(Stream stream, const std::function<Result<void>()>& work) {
  const Current current = gpu_.current();
  EventPair pair(gpu_.api);
  for (void*& event : pair.events) CONVOY_CHECK(gpu_.check("creating an event", gpu_.api.event_create(&event, 0)));
  CONVOY_CHECK(gpu_.check("recording an event", gpu_.api.event_record(pair.events[0], stream)));
  CONVOY_CHECK(work());
  CONVOY_CHECK(gpu_.check("recording an event", gpu_.api.event_record(pair.events[1], stream)));
  CONVOY_CHECK(gpu_.check("waiting for an event", gpu_.api.event_synchronize(pair.events[1])));
  float milliseconds = 0;
  CONVOY_CHECK(gpu_.check("reading events", gpu_.api.event_elapsed(&milliseconds, pair.events[0], pair.events[1])));
  return static_cast<double>(milliseconds);
}

// The default stream is never recorded.
bool GpuDevice::is_capturing(Stream stream) const {
  if (stream == nullptr) return false;
  const Current current = gpu_.current();
  int status = 0;  // 0: none, 1: active, 2: invalidated
  return gpu_.check("asking a stream", gpu_.api.stream_is_capturing(stream, &status)) && status != 0;
}

Result<void> GpuDevice::health() const {
  const std::lock_guard lock(gpu_.mutex);
  if (gpu_.lost) return tl::unexpected<Error>(*gpu_.lost);
  return {};
}

// The first compiler that can: HIPRTC may be broken where comgr is not.
Result<std::string> GpuDevice::compile(const ProgramSource& source) {
  const SignalKeeper keeper;
  if (compilers_.empty()) {
    return fail(ErrorCode::unsupported,
                fmt::format("nothing here compiles for {}: {}", info_.architecture, fmt::join(no_compilers_, "; ")));
  }
  const std::string text = program_text(info_.kind, source);
  std::optional<Error> first;
  for (const auto& compiler : compilers_) {
    auto code = compiler->compile(source.name, text, info_.architecture);
    if (code) return code;
    log(LogLevel::warning, "{}", code.error().message);
    if (!first) first = std::move(code.error());
  }
  return tl::unexpected<Error>(std::move(*first));
}

Result<std::unique_ptr<Program>> GpuDevice::load(std::string_view binary) {
  const Current current = gpu_.current();
  // Aligned, and ended by a zero for runtimes that look for the end of a text.
  const std::string image(binary);
  void* module = nullptr;
  CONVOY_CHECK(gpu_.check("loading a module", gpu_.api.module_load(&module, image.c_str())));
  return std::make_unique<GpuProgram>(gpu_, module);
}

Result<std::vector<std::string>> list_devices_of(Result<const GpuApi*> api) {
  if (!api) return tl::unexpected<Error>(std::move(api.error()));
  int count = 0;
  if (const GpuStatus status = (*api)->device_count(&count); status != 0)
    return tl::unexpected<Error>(gpu_error(**api, "counting devices", status));
  if (count <= 0) return fail(ErrorCode::unsupported, "no device");
  std::vector<std::string> names;
  Error reason;
  for (int i = 0; i < std::min(count, 64); ++i) {
    const auto architecture = architecture_of(**api, i);
    if (architecture) {
      names.push_back(fmt::format("{}:{}", to_string((*api)->kind), i));
    } else {
      reason = architecture.error();
    }
  }
  if (names.empty()) return tl::unexpected<Error>(std::move(reason));
  return names;
}

}  // namespace

Result<std::vector<std::string>> list_hip_devices() {
  return list_devices_of(hip_api());
}

Result<std::vector<std::string>> list_cuda_devices() {
  return list_devices_of(cuda_api());
}

Result<std::unique_ptr<Device>> open_hip_device(int index) {
  CONVOY_TRY(const GpuApi* api, hip_api());
  return GpuDevice::open(*api, index, fmt::format("hip:{}", index));
}

Result<std::unique_ptr<Device>> open_cuda_device(int index) {
  CONVOY_TRY(const GpuApi* api, cuda_api());
  return GpuDevice::open(*api, index, fmt::format("cuda:{}", index));
}

Result<std::unique_ptr<Device>> open_simulated_device(std::string_view architecture) {
  CONVOY_TRY(const GpuApi* api, simulated_hip_api());
  int count = 0;
  if (const GpuStatus status = api->device_count(&count); status != 0)
    return tl::unexpected<Error>(gpu_error(*api, "counting simulated devices", status));
  std::vector<std::string> known;
  for (int i = 0; i < count; ++i) {
    const auto one = architecture_of(*api, i);
    if (!one) continue;
    known.push_back(one->substr(0, one->find(':')));
    if (known.back() == architecture) return GpuDevice::open(*api, i, fmt::format("sim:{}", architecture));
  }
  if (known.empty()) return fail(ErrorCode::invalid_argument, "the simulated machine has no card (CONVOY_SIM_DEVICES)");
  return fail(ErrorCode::invalid_argument, fmt::format("'sim:{}' names no card of the simulated machine; write sim:{}",
                                                       architecture, fmt::join(known, ", sim:")));
}

}  // namespace convoy
