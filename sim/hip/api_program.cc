// What clang's <<<>>> compiles to: the program registers its code objects, kernels and variables before main(), and launches
// kernels by the address of their host stand-ins. Nothing is loaded before the first launch on a card.
#include <cstring>

#include "sim/hip/copy.h"

namespace convoy::hip {
namespace {

// __CudaFatBinaryWrapper of clang, magic "HIPF".
struct FatBinaryWrapper {
  std::uint32_t magic;
  std::uint32_t version;
  const void* image;
  const void* unused;
};
constexpr std::uint32_t k_wrapper_magic = 0x48495046;

LaunchSize size_in_groups(Dim3 grid, Dim3 block, std::size_t dynamic_lds) {
  return {{{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, {0, 0, 0}}, dynamic_lds};
}

Error launch_host_function(const char* name, const void* host, const LaunchSize& size, void** parameters,
                           Stream* handle) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    Function* function = nullptr;
    Error error = find_host_function(runtime, host, function);
    if (error != Error::success) return error;
    return launch(runtime, *function, size, find_stream(runtime, handle), parameters, nullptr);
  });
}

Error find_variable(Runtime& runtime, const void* host, void** address, std::size_t* bytes) {
  std::shared_ptr<Module> module;
  if (find_host_symbol(runtime, host, module) != Error::success) return Error::invalid_symbol;
  return find_global(runtime, *module, runtime.host_symbols[host].name.c_str(), address, bytes);
}

// Between the program's memory (or the card's) and a variable; `to_variable` says which way.
Error copy_variable(const char* name, const void* variable, void* other, std::size_t bytes, std::size_t offset,
                    CopyKind kind, bool to_variable) {
  return call(name, k_needs_health | k_needs_no_recording, [&](Runtime& runtime) {
    void* address = nullptr;
    std::size_t size = 0;
    if (Error error = find_variable(runtime, variable, &address, &size); error != Error::success) return error;
    if (offset > size || bytes > size - offset) return Error::invalid_value;
    Rectangle inside{static_cast<char*>(address) + offset, bytes}, outside{static_cast<char*>(other), bytes};
    Copy what{to_variable ? inside : outside, to_variable ? outside : inside, bytes, 1, kind};
    return copy(runtime, what, nullptr, Wait::yes);
  });
}

}  // namespace

CONVOY_HIP_EXPORT void** __hipRegisterFatBinary(const FatBinaryWrapper* wrapper) {
  FatBinary* binary = nullptr;
  call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    if (wrapper == nullptr || wrapper->magic != k_wrapper_magic) return Error::invalid_value;
    binary = runtime.fat_binaries.add(std::make_shared<FatBinary>(FatBinary{wrapper->image, {}}));
    return Error::success;
  });
  return reinterpret_cast<void**>(binary);
}

CONVOY_HIP_EXPORT void __hipUnregisterFatBinary(void** handle) {
  call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    auto* binary = reinterpret_cast<FatBinary*>(handle);
    std::erase_if(runtime.host_symbols, [&](const auto& entry) { return entry.second.binary == binary; });
    return runtime.fat_binaries.remove(binary) ? Error::success : Error::invalid_value;
  });
}

CONVOY_HIP_EXPORT void __hipRegisterFunction(void** handle, const void* host, char*, const char* name, unsigned, void*,
                                             void*, void*, void*, int*) {
  call(__func__, k_needs_nothing, [&](Runtime& runtime) {
    auto* binary = reinterpret_cast<FatBinary*>(handle);
    if (runtime.fat_binaries.find(binary) == nullptr || name == nullptr) return Error::invalid_value;
    runtime.host_symbols[host] = {binary, name};
    return Error::success;
  });
}

CONVOY_HIP_EXPORT void __hipRegisterVar(void** handle, const void* host, char*, const char* name, int, std::size_t, int,
                                        int) {
  __hipRegisterFunction(handle, host, nullptr, name, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
}

CONVOY_HIP_EXPORT Error __hipPushCallConfiguration(Dim3 grid, Dim3 block, std::size_t shared_bytes, Stream* stream) {
  Runtime::thread().pushed.push_back({grid, block, shared_bytes, stream});
  return Error::success;
}

CONVOY_HIP_EXPORT Error __hipPopCallConfiguration(Dim3* grid, Dim3* block, std::size_t* shared_bytes, Stream** stream) {
  std::vector<LaunchConfiguration>& pushed = Runtime::thread().pushed;
  if (pushed.empty()) return Error::missing_configuration;
  *grid = pushed.back().grid;
  *block = pushed.back().block;
  *shared_bytes = pushed.back().shared_bytes;
  *stream = pushed.back().stream;
  pushed.pop_back();
  return Error::success;
}

CONVOY_HIP_EXPORT Error hipLaunchKernel(const void* host, Dim3 grid, Dim3 block, void** parameters,
                                        std::size_t dynamic_lds, Stream* stream) {
  return launch_host_function(__func__, host, size_in_groups(grid, block, dynamic_lds), parameters, stream);
}

CONVOY_HIP_EXPORT Error hipOccupancyMaxActiveBlocksPerMultiprocessor(int* groups, const void* host, int group_size,
                                                                     std::size_t dynamic_lds) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    if (groups == nullptr || group_size <= 0) return Error::invalid_value;
    Function* function = nullptr;
    if (Error error = find_host_function(runtime, host, function); error != Error::success) return error;
    *groups = groups_per_unit(*runtime.current_device()->card, *function->kernel, group_size, dynamic_lds);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipGetSymbolAddress(void** address, const void* variable) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    return address == nullptr ? Error::invalid_value : find_variable(runtime, variable, address, nullptr);
  });
}

CONVOY_HIP_EXPORT Error hipGetSymbolSize(std::size_t* bytes, const void* variable) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    return bytes == nullptr ? Error::invalid_value : find_variable(runtime, variable, nullptr, bytes);
  });
}

CONVOY_HIP_EXPORT Error hipMemcpyToSymbol(const void* variable, const void* from, std::size_t bytes, std::size_t offset,
                                          CopyKind kind) {
  // Only read: copy_variable() serves both ways.
  return copy_variable(__func__, variable, const_cast<void*>(from), bytes, offset, kind, true);
}

CONVOY_HIP_EXPORT Error hipMemcpyFromSymbol(void* to, const void* variable, std::size_t bytes, std::size_t offset,
                                            CopyKind kind) {
  return copy_variable(__func__, variable, to, bytes, offset, kind, false);
}

}  // namespace convoy::hip
