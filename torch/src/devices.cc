// Implementation of devices.h.
#include "devices.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

namespace convoy::pytorch {
namespace {

std::atomic<void (*)(int)> g_empty_cache{nullptr};

std::mutex g_version_mutex;
std::string& version() {
  static auto* const one = new std::string(TORCH_VERSION);
  return *one;
}

std::string running_version() {
  const std::lock_guard lock(g_version_mutex);
  return version();
}

// c10::cuda::CUDAStream::stream(), of a class whose one member is a c10::Stream. Its header needs CUDA's own; its name is the
// same from PyTorch 1.13 to 2.11. ROCm's builds have it as HIPStream, newer ones under CUDA's name.
using NativeStream = void* (*)(const c10::Stream*);

NativeStream find_native_stream() {
  for (const char* file : {"libc10_cuda.so", "libc10_hip.so"}) {
    void* library = dlopen(file, RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) continue;
    for (const char* name : {"_ZNK3c104cuda10CUDAStream6streamEv", "_ZNK3c103hip9HIPStream6streamEv"}) {
      if (void* function = dlsym(library, name)) return reinterpret_cast<NativeStream>(function);
    }
  }
  return nullptr;
}

}  // namespace

bool is_rocm() {
  static const bool yes = dlopen("libc10_hip.so", RTLD_NOW | RTLD_NOLOAD) != nullptr;
  return yes;
}

std::string engine_device(at::DeviceType type, std::int64_t index) {
  if (type == at::kCPU) return "cpu";
  return (is_rocm() ? "hip:" : "cuda:") + std::to_string(index);
}

void* current_stream(const at::Device& device) {
  if (device.is_cpu()) return nullptr;
  static const NativeStream native = find_native_stream();
  TORCH_CHECK(native != nullptr, "Convoy: this PyTorch has no c10::cuda::CUDAStream::stream()");
  const c10::impl::VirtualGuardImpl guard(device.type());
  const c10::Stream stream = guard.getStream(device);
  return native(&stream);
}

std::string library_of(at::DeviceType type) {
  std::string name = "torch " + running_version();
  if (type == at::kCPU) return name;
  if (is_rocm()) return name + " miopen";
  if (at::Context::hasCuDNN()) name += " cudnn " + std::to_string(at::Context::versionCuDNN());
  return name;
}

void set_running_version(const char* text) {
  const std::lock_guard lock(g_version_mutex);
  version() = text;
}

void set_empty_cache(void (*function)(int device)) {
  g_empty_cache = function;
}

// Python's function wants the interpreter's lock. Somebody may hold that and wait for the convolution that we are in the midst of:
// so it is asked on a thread of its own, and not waited for for ever.
void empty_cache(const at::Device& device) {
  const auto function = g_empty_cache.load();
  if (function == nullptr || !device.is_cuda()) return;
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  std::thread([function, index = device.index(), done = std::move(promise)]() mutable {
    function(index);
    done.set_value();
  }).detach();
  done.wait_for(std::chrono::seconds(5));
}

}  // namespace convoy::pytorch
