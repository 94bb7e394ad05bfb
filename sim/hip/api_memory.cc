// Allocation of device, host and managed memory, and what is known about an address.
#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

Error allocate(const char* name, void** result, std::size_t bytes, MemoryKind kind, unsigned flags = 0) {
  return call(name, k_needs_health | k_needs_no_capture, [&](Runtime& runtime) {
    return runtime.memory.allocate({bytes, kind, runtime.current_device(), flags, name}, result);
  });
}

bool is_host_kind(MemoryKind kind) {
  return kind == MemoryKind::host || kind == MemoryKind::registered;
}

// Freeing waits for the work of the card, as on hardware. A broken card's memory is freed, too, but the call tells.
Error release(const char* name, void* base, bool host) {
  return call(name, k_needs_device | k_needs_no_capture, [&](Runtime& runtime) {
    if (base == nullptr) return Error::success;
    const Allocation* allocation = runtime.memory.at(base);
    bool fits = allocation != nullptr &&
                (host ? allocation->kind == MemoryKind::host
                      : allocation->kind == MemoryKind::device || allocation->kind == MemoryKind::managed);
    if (!fits) {
      runtime.note(std::string(name) +
                   ": the address was not allocated by a call that it frees for, or is free already");
      return Error::invalid_value;
    }
    for (const DevicePointer& device : runtime.devices) {
      if (host || device == allocation->device) run_device(runtime, *device);
    }
    runtime.memory.release(base);
    return runtime.current_device()->error;
  });
}

}  // namespace

CONVOY_HIP_EXPORT Error hipMalloc(void** result, std::size_t bytes) {
  return allocate(__func__, result, bytes, MemoryKind::device);
}
CONVOY_HIP_EXPORT Error hipExtMallocWithFlags(void** result, std::size_t bytes, unsigned flags) {
  return allocate(__func__, result, bytes, MemoryKind::device, flags);
}
CONVOY_HIP_EXPORT Error hipMallocManaged(void** result, std::size_t bytes, unsigned flags) {
  return allocate(__func__, result, bytes, MemoryKind::managed, flags);
}
CONVOY_HIP_EXPORT Error hipHostMalloc(void** result, std::size_t bytes, unsigned flags) {
  return allocate(__func__, result, bytes, MemoryKind::host, flags);
}
CONVOY_HIP_EXPORT Error hipHostAlloc(void** result, std::size_t bytes, unsigned flags) {
  return allocate(__func__, result, bytes, MemoryKind::host, flags);
}
CONVOY_HIP_EXPORT Error hipMallocHost(void** result, std::size_t bytes) {
  return allocate(__func__, result, bytes, MemoryKind::host);
}
CONVOY_HIP_EXPORT Error hipMemAllocHost(void** result, std::size_t bytes) {
  return allocate(__func__, result, bytes, MemoryKind::host);
}

CONVOY_HIP_EXPORT Error hipFree(void* base) {
  return release(__func__, base, false);
}
CONVOY_HIP_EXPORT Error hipHostFree(void* base) {
  return release(__func__, base, true);
}
CONVOY_HIP_EXPORT Error hipFreeHost(void* base) {
  return release(__func__, base, true);
}

// The address is good at once; on hardware only for work that the stream orders after the call.
CONVOY_HIP_EXPORT Error hipMallocAsync(void** result, std::size_t bytes, Stream* handle) {
  return call(__func__, k_needs_health | k_needs_no_capture, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = find_stream(runtime, handle);
    if (stream == nullptr) return Error::invalid_handle;
    return runtime.memory.allocate({bytes, MemoryKind::device, stream->device(), 0, "hipMallocAsync"}, result);
  });
}

CONVOY_HIP_EXPORT Error hipFreeAsync(void* base, Stream* handle) {
  return call(__func__, k_needs_health | k_needs_no_capture, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = find_stream(runtime, handle);
    if (stream == nullptr) return Error::invalid_handle;
    const Allocation* allocation = runtime.memory.at(base);
    if (allocation == nullptr || allocation->kind != MemoryKind::device) return Error::invalid_value;
    return enqueue(runtime, stream, [base] { Runtime::instance().memory.release(base); });
  });
}

CONVOY_HIP_EXPORT Error hipHostRegister(void* base, std::size_t bytes, unsigned flags) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    if (base == nullptr || bytes == 0) return Error::invalid_value;
    bool is_new =
        runtime.memory.adopt(base, {bytes, MemoryKind::registered, runtime.current_device(), flags, "hipHostRegister"});
    return is_new ? Error::success : Error::host_memory_already_registered;
  });
}

CONVOY_HIP_EXPORT Error hipHostUnregister(void* base) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.at(base);
    if (allocation == nullptr || allocation->kind != MemoryKind::registered) return Error::host_memory_not_registered;
    for (const DevicePointer& device : runtime.devices) run_device(runtime, *device);
    runtime.memory.release(base);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipHostGetDevicePointer(void** address, void* host, unsigned) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.find(host);
    if (address == nullptr || allocation == nullptr || !is_host_kind(allocation->kind)) return Error::invalid_value;
    *address = host;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipHostGetFlags(unsigned* flags, void* host) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.find(host);
    if (flags == nullptr || allocation == nullptr || !is_host_kind(allocation->kind)) return Error::invalid_value;
    *flags = allocation->flags;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipMemGetInfo(std::size_t* free, std::size_t* total) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    DevicePointer device = runtime.current_device();
    if (free == nullptr || total == nullptr) return Error::invalid_value;
    *free = device->memory_total - device->memory_used;
    *total = device->memory_total;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipPointerGetAttributes(PointerAttributes* result, const void* address) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.find(address);
    if (result == nullptr || allocation == nullptr) return Error::invalid_value;
    void* same = allocation->base + (static_cast<const char*>(address) - allocation->base);
    bool on_card = allocation->kind == MemoryKind::device || allocation->kind == MemoryKind::global;
    *result = {};
    result->type = is_host_kind(allocation->kind) ? MemoryType::host : MemoryType::device;
    result->device = allocation->device->ordinal;
    result->device_pointer = same;
    result->host_pointer = on_card ? nullptr : same;
    result->is_managed = allocation->kind == MemoryKind::managed ? 1 : 0;
    result->flags = allocation->flags;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipMemPtrGetInfo(void* base, std::size_t* bytes) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.at(base);
    if (bytes == nullptr || allocation == nullptr) return Error::invalid_value;
    *bytes = allocation->bytes;
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipMemGetAddressRange(void** base, std::size_t* bytes, void* address) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    const Allocation* allocation = runtime.memory.find(address);
    if (allocation == nullptr) return Error::not_found;
    if (base != nullptr) *base = allocation->base;
    if (bytes != nullptr) *bytes = allocation->bytes;
    return Error::success;
  });
}

}  // namespace convoy::hip
