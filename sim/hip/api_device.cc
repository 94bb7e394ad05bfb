// hipInit, devices, contexts, versions, errors.
#include <cstring>

#include "sim/hip/error_names.h"
#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

constexpr int k_version = 50221153;  // what HIP 5.2.3 answers: 5, 02, 21153

Error properties(Runtime& runtime, int ordinal, DeviceProperties& result) {
  DevicePointer device = runtime.device(ordinal);
  if (device == nullptr) return Error::invalid_device;
  result = properties_of(*device->card, ordinal, device->memory_total);
  return Error::success;
}

Error answer_version(const char* name, int* version) {
  return call(name, k_needs_nothing, [&](Runtime&) {
    if (version == nullptr) return Error::invalid_value;
    *version = k_version;
    return Error::success;
  });
}

void copy_text(char* to, int size, const char* text) {
  std::size_t length = std::min(std::strlen(text), static_cast<std::size_t>(size) - 1);
  std::memcpy(to, text, length);
  to[length] = '\0';
}

Error synchronize(const char* name) {
  return call(name, k_needs_health | k_needs_no_capture, [&](Runtime& runtime) {
    DevicePointer device = runtime.current_device();
    run_device(runtime, *device);
    return device->error;
  });
}

// A broken card's error is there again after it was read.
Error last_error(const char* name, bool forget) {
  Runtime& runtime = Runtime::instance();
  std::lock_guard lock(runtime.mutex);
  if (int planned = runtime.count_call(name); planned != 0) return Error{planned};
  DevicePointer device = runtime.current_device();
  Error& remembered = Runtime::thread().last_error;
  Error error = device != nullptr && device->error != Error::success ? device->error : remembered;
  if (forget) remembered = Error::success;
  return error;
}

// A card has one context, and its handle is the card's object.
using Context = Device;

}  // namespace

CONVOY_HIP_EXPORT Error hipInit(unsigned flags) {
  return call(__func__, k_needs_device, [&](Runtime&) { return flags == 0 ? Error::success : Error::invalid_value; });
}

CONVOY_HIP_EXPORT Error hipDriverGetVersion(int* version) {
  return answer_version(__func__, version);
}
CONVOY_HIP_EXPORT Error hipRuntimeGetVersion(int* version) {
  return answer_version(__func__, version);
}

CONVOY_HIP_EXPORT Error hipGetDeviceCount(int* count) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (count == nullptr) return Error::invalid_value;
    *count = static_cast<int>(runtime.devices.size());
    return *count == 0 ? Error::no_device : Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipGetDevice(int* ordinal) {
  return call(__func__, k_needs_device, [&](Runtime&) {
    if (ordinal == nullptr) return Error::invalid_value;
    *ordinal = Runtime::thread().device;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipSetDevice(int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (runtime.devices.empty()) return Error::no_device;
    if (runtime.device(ordinal) == nullptr) return Error::invalid_device;
    Runtime::thread().device = ordinal;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceGet(int* device, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (device == nullptr) return Error::invalid_value;
    if (runtime.device(ordinal) == nullptr) return Error::invalid_device;
    *device = ordinal;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipGetDeviceProperties(DeviceProperties* result, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    return result == nullptr ? Error::invalid_value : properties(runtime, ordinal, *result);
  });
}

CONVOY_HIP_EXPORT Error hipDeviceGetAttribute(int* value, Attribute attribute, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (value == nullptr) return Error::invalid_value;
    DeviceProperties all;
    if (Error error = properties(runtime, ordinal, all); error != Error::success) return error;
    if (attribute == Attribute::gcn_arch_name) {  // the one attribute that is text
      std::memcpy(value, all.gcn_arch_name, sizeof all.gcn_arch_name);
      return Error::success;
    }
    std::optional<int> answer = attribute_of(all, attribute);
    if (!answer) {
      runtime.note("hipDeviceGetAttribute: attribute " + std::to_string(static_cast<int>(attribute)) +
                   " has no answer");
      return Error::invalid_value;
    }
    *value = *answer;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceGetName(char* name, int size, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (name == nullptr || size <= 0) return Error::invalid_value;
    DeviceProperties all;
    if (Error error = properties(runtime, ordinal, all); error != Error::success) return error;
    copy_text(name, size, all.name);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceGetPCIBusId(char* text, int size, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (text == nullptr || size <= 0) return Error::invalid_value;
    DeviceProperties all;
    if (Error error = properties(runtime, ordinal, all); error != Error::success) return error;
    constexpr char k_digits[] = "0123456789abcdef";
    char id[] = "0000:00:00.0";
    id[5] = k_digits[all.pci_bus >> 4 & 15];
    id[6] = k_digits[all.pci_bus & 15];
    copy_text(text, size, id);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceTotalMem(std::size_t* bytes, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    DevicePointer device = runtime.device(ordinal);
    if (device == nullptr) return Error::invalid_device;
    if (bytes == nullptr) return Error::invalid_value;
    *bytes = device->memory_total;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceComputeCapability(int* major, int* minor, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    DevicePointer device = runtime.device(ordinal);
    if (device == nullptr) return Error::invalid_device;
    if (major == nullptr || minor == nullptr) return Error::invalid_value;
    *major = device->card->major;
    *minor = device->card->minor;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceCanAccessPeer(int* can, int ordinal, int peer) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (can == nullptr) return Error::invalid_value;
    if (runtime.device(ordinal) == nullptr || runtime.device(peer) == nullptr) return Error::invalid_device;
    *can = 0;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDeviceSynchronize() {
  return synchronize(__func__);
}

// The card is as new: what was queued never runs, its memory, streams and modules are gone.
CONVOY_HIP_EXPORT Error hipDeviceReset() {
  return call(__func__, k_needs_device | k_needs_no_capture, [&](Runtime& runtime) {
    DevicePointer device = runtime.current_device();
    for (const auto& stream : runtime.null_streams) {
      if (stream->device() == device) stream->drop();
    }
    for (const auto& [handle, stream] : runtime.streams.all()) {
      if (stream->device() == device) stream->drop();
    }
    runtime.streams.remove_if([&](const Stream& stream) { return stream.device() == device; });
    runtime.modules.remove_if([&](const Module& module) { return module.device == device; });
    for (const auto& [handle, binary] : runtime.fat_binaries.all()) binary->loaded.erase(device);
    runtime.memory.release_all_of(*device);
    device->error = Error::success;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipSetDeviceFlags(unsigned) {
  return call(__func__, k_needs_device, [](Runtime&) { return Error::success; });
}

CONVOY_HIP_EXPORT Error hipGetDeviceFlags(unsigned* flags) {
  return call(__func__, k_needs_device, [&](Runtime&) {
    if (flags == nullptr) return Error::invalid_value;
    *flags = 0;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipCtxGetCurrent(Context** context) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    if (context == nullptr) return Error::invalid_value;
    *context = runtime.current_device().get();
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipCtxSetCurrent(Context* context) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    for (const DevicePointer& device : runtime.devices) {
      if (device.get() == context) Runtime::thread().device = device->ordinal;
    }
    return runtime.current_device().get() == context || context == nullptr ? Error::success : Error::invalid_context;
  });
}

CONVOY_HIP_EXPORT Error hipCtxGetDevice(int* ordinal) {
  return call(__func__, k_needs_device, [&](Runtime&) {
    if (ordinal == nullptr) return Error::invalid_value;
    *ordinal = Runtime::thread().device;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipCtxSynchronize() {
  return synchronize(__func__);
}

CONVOY_HIP_EXPORT Error hipDevicePrimaryCtxRetain(Context** context, int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (context == nullptr) return Error::invalid_value;
    DevicePointer device = runtime.device(ordinal);
    if (device == nullptr) return Error::invalid_device;
    *context = device.get();
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDevicePrimaryCtxRelease(int ordinal) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    return runtime.device(ordinal) == nullptr ? Error::invalid_device : Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipDevicePrimaryCtxGetState(int ordinal, unsigned* flags, int* active) {
  return call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (runtime.device(ordinal) == nullptr) return Error::invalid_device;
    if (flags == nullptr || active == nullptr) return Error::invalid_value;
    *flags = 0;
    *active = 1;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipGetLastError() {
  return last_error(__func__, true);
}
CONVOY_HIP_EXPORT Error hipPeekAtLastError() {
  return last_error(__func__, false);
}
CONVOY_HIP_EXPORT const char* hipGetErrorName(Error error) {
  return error_name(error);
}
CONVOY_HIP_EXPORT const char* hipGetErrorString(Error error) {
  return error_sentence(error);
}

}  // namespace convoy::hip
