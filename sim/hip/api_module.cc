// Modules, kernels, launches, occupancy.
#include <cstring>

#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

Error load(const char* name, Module** result, Error (*loader)(Runtime&, const char*, std::shared_ptr<Module>&),
           const void* source) {
  return call(name, k_needs_health, [&](Runtime& runtime) {
    if (result == nullptr) return Error::invalid_value;
    *result = nullptr;
    std::shared_ptr<Module> module;
    Error error = loader(runtime, static_cast<const char*>(source), module);
    if (error == Error::success) *result = runtime.modules.add(std::move(module));
    return error;
  });
}

Error load_image(Runtime& runtime, const char* image, std::shared_ptr<Module>& module) {
  return load_module(runtime, image, module);
}

std::uint32_t groups_for(std::uint32_t threads, std::uint32_t group) {
  return group == 0 ? 0 : (threads - 1) / group + 1;
}

// hipExtModuleLaunchKernel counts threads, not groups, and the last groups may be partial.
LaunchSize size_in_threads(const std::uint32_t (&threads)[3], const std::uint32_t (&group)[3],
                           std::size_t dynamic_lds) {
  LaunchSize size{{}, dynamic_lds};
  for (int axis = 0; axis < 3; ++axis) {
    size.dims.groups[axis] = threads[axis] == 0 ? 0 : groups_for(threads[axis], group[axis]);
    size.dims.group_size[axis] = group[axis];
    size.dims.threads[axis] = threads[axis];
  }
  return size;
}

Error launch_handle(Runtime& runtime, Function* handle, const LaunchSize& size, Stream* stream, void** parameters,
                    void** extra) {
  Function* function = known_function(runtime, handle);
  if (function == nullptr) return Error::invalid_handle;
  return launch(runtime, *function, size, find_stream(runtime, stream), parameters, extra);
}

Error describe(const amdgpu::Kernel& kernel, FunctionAttributes& result) {
  result = {};
  result.local_bytes = kernel.scratch_bytes;
  result.shared_bytes = kernel.lds_bytes;
  result.max_dynamic_shared_bytes = static_cast<int>(k_local_memory - kernel.lds_bytes);
  result.max_threads_per_block = static_cast<int>(kernel.max_group_size);
  result.registers = static_cast<int>(kernel.vgprs);
  return Error::success;
}

Error count_groups(const char* name, int* groups, const Function* handle, int group_size, std::size_t dynamic_lds) {
  return call(name, k_needs_device, [&](Runtime& runtime) {
    Function* function = known_function(runtime, handle);
    if (groups == nullptr || group_size <= 0) return Error::invalid_value;
    if (function == nullptr) return Error::invalid_device_function;
    *groups = groups_per_unit(*function->module->device->card, *function->kernel, group_size, dynamic_lds);
    return Error::success;
  });
}

}  // namespace

CONVOY_HIP_EXPORT Error hipModuleLoadData(Module** module, const void* image) {
  return load(__func__, module, load_image, image);
}
CONVOY_HIP_EXPORT Error hipModuleLoadDataEx(Module** module, const void* image, unsigned, void*, void**) {
  return load(__func__, module, load_image, image);
}
CONVOY_HIP_EXPORT Error hipModuleLoad(Module** module, const char* path) {
  return load(__func__, module, load_module_file, path);
}

CONVOY_HIP_EXPORT Error hipModuleUnload(Module* handle) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    std::shared_ptr<Module> module = runtime.modules.find(handle);
    if (module == nullptr) return Error::invalid_handle;
    run_device(runtime, *module->device);
    forget_globals(runtime, *module);
    runtime.modules.remove(handle);
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipModuleGetFunction(Function** result, Module* handle, const char* name) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    if (result == nullptr || name == nullptr) return Error::invalid_value;
    std::shared_ptr<Module> module = runtime.modules.find(handle);
    if (module == nullptr) return Error::invalid_handle;
    *result = find_function(*module, name);
    return *result == nullptr ? Error::not_found : Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipModuleGetGlobal(void** address, std::size_t* bytes, Module* handle, const char* name) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    if (name == nullptr) return Error::invalid_value;
    std::shared_ptr<Module> module = runtime.modules.find(handle);
    if (module == nullptr) return Error::invalid_handle;
    return find_global(runtime, *module, name, address, bytes);
  });
}

CONVOY_HIP_EXPORT Error hipFuncGetAttribute(int* value, FunctionAttribute attribute, Function* handle) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    Function* function = known_function(runtime, handle);
    if (value == nullptr) return Error::invalid_value;
    if (function == nullptr) return Error::invalid_device_function;
    FunctionAttributes all;
    describe(*function->kernel, all);
    switch (attribute) {
      case FunctionAttribute::max_threads_per_block: *value = all.max_threads_per_block; break;
      case FunctionAttribute::shared_bytes: *value = static_cast<int>(all.shared_bytes); break;
      case FunctionAttribute::local_bytes: *value = static_cast<int>(all.local_bytes); break;
      case FunctionAttribute::registers: *value = all.registers; break;
      case FunctionAttribute::max_dynamic_shared_bytes: *value = all.max_dynamic_shared_bytes; break;
      default: return Error::invalid_value;
    }
    return Error::success;
  });
}

CONVOY_HIP_EXPORT Error hipFuncGetAttributes(FunctionAttributes* result, const void* host_function) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    if (result == nullptr) return Error::invalid_value;
    Function* function = nullptr;
    Error error = find_host_function(runtime, host_function, function);
    return error != Error::success ? error : describe(*function->kernel, *result);
  });
}

// Dynamic local memory needs no permission here, as on AMD's cards.
CONVOY_HIP_EXPORT Error hipFuncSetAttribute(const void*, int, int) {
  return call(__func__, k_needs_device, [](Runtime&) { return Error::success; });
}

CONVOY_HIP_EXPORT Error hipModuleLaunchKernel(Function* function, unsigned groups_x, unsigned groups_y,
                                              unsigned groups_z, unsigned size_x, unsigned size_y, unsigned size_z,
                                              unsigned dynamic_lds, Stream* stream, void** parameters, void** extra) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    LaunchSize size{{{groups_x, groups_y, groups_z}, {size_x, size_y, size_z}, {0, 0, 0}}, dynamic_lds};
    return launch_handle(runtime, function, size, stream, parameters, extra);
  });
}

// hip_ext.h declares these two without extern "C": programs look for their C++ names.
using Count = std::uint32_t;
using LaunchInThreads = Error(Function*, Count, Count, Count, Count, Count, Count, std::size_t, Stream*, void**, void**,
                              Event*, Event*, Count);
using LaunchInThreadsOfHcc = Error(Function*, Count, Count, Count, Count, Count, Count, std::size_t, Stream*, void**,
                                   void**, Event*, Event*);
CONVOY_HIP_EXPORT LaunchInThreads hipExtModuleLaunchKernel __asm__(
    "_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j");
CONVOY_HIP_EXPORT LaunchInThreadsOfHcc hipHccModuleLaunchKernel __asm__(
    "_Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_");

CONVOY_HIP_EXPORT Error hipExtModuleLaunchKernel(Function* function, Count threads_x, Count threads_y, Count threads_z,
                                                 Count size_x, Count size_y, Count size_z, std::size_t dynamic_lds,
                                                 Stream* handle, void** parameters, void** extra, Event* start,
                                                 Event* stop, Count) {
  return call(__func__, k_needs_health, [&](Runtime& runtime) {
    std::shared_ptr<Stream> stream = find_stream(runtime, handle);
    if (stream == nullptr) return Error::invalid_handle;
    std::shared_ptr<Event> before = runtime.events.find(start), after = runtime.events.find(stop);
    if ((start != nullptr && before == nullptr) || (stop != nullptr && after == nullptr)) return Error::invalid_handle;
    Error error = before == nullptr ? Error::success : record_event(runtime, *before, stream);
    if (error != Error::success) return error;
    LaunchSize size = size_in_threads({threads_x, threads_y, threads_z}, {size_x, size_y, size_z}, dynamic_lds);
    error = launch_handle(runtime, function, size, handle, parameters, extra);
    if (error != Error::success || after == nullptr) return error;
    return record_event(runtime, *after, stream);
  });
}

CONVOY_HIP_EXPORT Error hipHccModuleLaunchKernel(Function* function, Count threads_x, Count threads_y, Count threads_z,
                                                 Count size_x, Count size_y, Count size_z, std::size_t dynamic_lds,
                                                 Stream* stream, void** parameters, void** extra, Event* start,
                                                 Event* stop) {
  return hipExtModuleLaunchKernel(function, threads_x, threads_y, threads_z, size_x, size_y, size_z, dynamic_lds,
                                  stream, parameters, extra, start, stop, 0);
}

CONVOY_HIP_EXPORT Error hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int* groups, Function* function,
                                                                           int group_size, std::size_t dynamic_lds) {
  return count_groups(__func__, groups, function, group_size, dynamic_lds);
}
CONVOY_HIP_EXPORT Error hipModuleOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* groups, Function* function,
                                                                                    int group_size,
                                                                                    std::size_t dynamic_lds, unsigned) {
  return count_groups(__func__, groups, function, group_size, dynamic_lds);
}

CONVOY_HIP_EXPORT Error hipModuleOccupancyMaxPotentialBlockSize(int* groups, int* group_size, Function* handle,
                                                                std::size_t dynamic_lds, int limit) {
  return call(__func__, k_needs_device, [&](Runtime& runtime) {
    Function* function = known_function(runtime, handle);
    if (groups == nullptr || group_size == nullptr) return Error::invalid_value;
    if (function == nullptr) return Error::invalid_device_function;
    const Card& card = *function->module->device->card;
    int largest = static_cast<int>(function->kernel->max_group_size);
    *group_size = limit > 0 ? std::min(limit, largest) : largest;
    *groups = card.compute_units * groups_per_unit(card, *function->kernel, *group_size, dynamic_lds);
    return Error::success;
  });
}

}  // namespace convoy::hip
