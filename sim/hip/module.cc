// Loads code objects and launches their kernels on the simulator.
#include "sim/hip/module.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

Error load_bytes(Runtime& runtime, const void* data, std::size_t size, std::shared_ptr<Module>& module) {
  DevicePointer device = runtime.current_device();
  auto code = amdgpu::Module::load(data, size, device->card->architecture);
  if (code) {
    module = std::make_shared<Module>(Module{*std::move(code), device, {}});
    return Error::success;
  }
  runtime.note("module not loaded: " + code.error());
  if (!amdgpu::available()) return Error::shared_object_init_failed;
  // A sound code object for other cards is another mistake than bytes that are none.
  return amdgpu::Module::load(data, size, "") ? Error::no_binary_for_gpu : Error::invalid_image;
}

bool is_hidden(const amdgpu::Argument& argument) {
  return argument.kind.starts_with("hidden_");
}

Error gather_parameters(const amdgpu::Kernel& kernel, void** parameters, std::vector<char>& bytes) {
  std::size_t index = 0;
  for (const amdgpu::Argument& argument : kernel.arguments) {
    if (is_hidden(argument)) continue;
    if (parameters == nullptr || parameters[index] == nullptr) return Error::invalid_value;
    if (std::size_t end = argument.offset + std::size_t{argument.size}; bytes.size() < end) bytes.resize(end);
    std::memcpy(bytes.data() + argument.offset, parameters[index++], argument.size);
  }
  return Error::success;
}

Error gather_extra(const amdgpu::Kernel& kernel, void** extra, std::vector<char>& bytes) {
  const char* block = nullptr;
  const std::size_t* size = nullptr;
  for (; *extra != k_extra_end; extra += 2) {
    if (*extra == k_extra_pointer) {
      block = static_cast<const char*>(extra[1]);
    } else if (*extra == k_extra_size) {
      size = static_cast<const std::size_t*>(extra[1]);
    } else {
      return Error::invalid_value;
    }
  }
  if (block == nullptr || size == nullptr) return Error::invalid_value;
  std::size_t needed = 0;
  for (const amdgpu::Argument& argument : kernel.arguments) {
    if (!is_hidden(argument)) needed = std::max(needed, argument.offset + std::size_t{argument.size});
  }
  if (*size < needed) return Error::invalid_value;
  // A struct may be padded past the last argument: that must not reach the hidden ones.
  std::size_t most = std::min(kernel.hidden_begin, kernel.argument_bytes);
  bytes.assign(block, block + std::min(*size, most));
  return Error::success;
}

// The order and the codes are those of AMD's runtime.
Error check_launch(Runtime& runtime, const Function& function, const LaunchSize& size) {
  const amdgpu::Kernel& kernel = *function.kernel;
  std::uint64_t threads = 1;
  for (int axis = 0; axis < 3; ++axis) {
    if (size.dims.groups[axis] == 0 || size.dims.group_size[axis] == 0) return Error::invalid_value;
    threads *= size.dims.group_size[axis];
    if (threads > k_max_threads) return Error::invalid_configuration;
  }
  if (kernel.lds_bytes + size.dynamic_lds > k_local_memory) {
    runtime.note(kernel.name + ": " + std::to_string(kernel.lds_bytes + size.dynamic_lds) +
                 " bytes of local memory, a group has 65536");
    return Error::invalid_value;
  }
  if (threads > kernel.max_group_size) {
    runtime.note(kernel.name + ": " + std::to_string(threads) + " threads a group, compiled for at most " +
                 std::to_string(kernel.max_group_size));
    return Error::launch_failure;
  }
  return Error::success;
}

// The simulator tells in words what went wrong. Only a bad address is an error of its own in HIP.
Error kind_of_fault(const std::string& sentence) {
  return sentence.find("outside every allocation") != std::string::npos ? Error::illegal_address
                                                                        : Error::launch_failure;
}

// All that a launch needs, shared with the handles: a graph replays it when the program has unloaded the module.
struct PreparedLaunch {
  std::shared_ptr<amdgpu::Module> code;
  DevicePointer device;
  const amdgpu::Kernel* kernel;
  LaunchSize size;
  std::vector<char> arguments;

  void operator()() const;
};

void PreparedLaunch::operator()() const {
  Runtime& runtime = Runtime::instance();
  amdgpu::Launch launch;
  launch.dims = size.dims;
  launch.dynamic_lds = static_cast<std::uint32_t>(size.dynamic_lds);
  launch.arguments = arguments.data();
  launch.argument_bytes = arguments.size();
  launch.memory = &device->visible;
  launch.statistics = &runtime.statistics.executed;
  launch.options.race = runtime.settings.race;
  ++runtime.statistics.launches;
  auto done = code->launch(*kernel, launch);
  if (!done) runtime.break_device(*device, kind_of_fault(done.error()), done.error());
}

}  // namespace

Error load_module(Runtime& runtime, const void* image, std::shared_ptr<Module>& module) {
  if (image == nullptr) return Error::invalid_value;
  std::size_t size = amdgpu::code_object_size(image);
  if (size == 0) {
    runtime.note("module not loaded: neither a code object nor an offload bundle");
    return Error::invalid_image;
  }
  return load_bytes(runtime, image, size, module);
}

Error load_module_file(Runtime& runtime, const char* path, std::shared_ptr<Module>& module) {
  if (path == nullptr) return Error::invalid_value;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error::file_not_found;
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return load_bytes(runtime, bytes.data(), bytes.size(), module);
}

Function* find_function(Module& module, const char* name) {
  auto found = module.functions.find(std::string_view(name));
  if (found != module.functions.end()) return &found->second;
  const amdgpu::Kernel* kernel = module.code->kernel(name);
  return kernel == nullptr ? nullptr : &module.functions.emplace(name, Function{&module, kernel}).first->second;
}

Function* known_function(Runtime& runtime, const Function* handle) {
  for (const auto& [key, module] : runtime.modules.all()) {
    for (auto& [name, function] : module->functions) {
      if (&function == handle) return &function;
    }
  }
  return nullptr;
}

Error launch(Runtime& runtime, Function& function, const LaunchSize& size, const std::shared_ptr<Stream>& stream,
             void** parameters, void** extra) {
  if (Error error = check_launch(runtime, function, size); error != Error::success) return error;
  if (stream == nullptr || stream->device() != function.module->device) return Error::invalid_handle;
  const amdgpu::Kernel& kernel = *function.kernel;
  std::vector<char> arguments;
  Error error =
      extra != nullptr ? gather_extra(kernel, extra, arguments) : gather_parameters(kernel, parameters, arguments);
  if (error != Error::success) return error;
  return enqueue(runtime, stream,
                 PreparedLaunch{function.module->code, stream->device(), &kernel, size, std::move(arguments)});
}

Error find_host_symbol(Runtime& runtime, const void* host, std::shared_ptr<Module>& module) {
  auto symbol = runtime.host_symbols.find(host);
  if (symbol == runtime.host_symbols.end()) return Error::invalid_device_function;
  std::shared_ptr<Module>& loaded = symbol->second.binary->loaded[runtime.current_device()];
  if (loaded == nullptr) {
    Error error = load_module(runtime, symbol->second.binary->image, loaded);
    if (error != Error::success) return error;
  }
  module = loaded;
  return Error::success;
}

Error find_host_function(Runtime& runtime, const void* host_function, Function*& function) {
  std::shared_ptr<Module> module;
  Error error = find_host_symbol(runtime, host_function, module);
  if (error != Error::success) return error;
  function = find_function(*module, runtime.host_symbols[host_function].name.c_str());
  return function == nullptr ? Error::invalid_device_function : Error::success;
}

Error find_global(Runtime& runtime, Module& module, const char* name, void** address, std::size_t* bytes) {
  auto block = module.code->global(name);
  if (!block) return Error::not_found;
  void* base = reinterpret_cast<void*>(block->begin);
  // Known from the second time on.
  runtime.memory.adopt(base, {block->size, MemoryKind::global, module.device, 0, "hipModuleGetGlobal"});
  if (address != nullptr) *address = base;
  if (bytes != nullptr) *bytes = block->size;
  return Error::success;
}

void forget_globals(Runtime& runtime, const Module& module) {
  amdgpu::Memory::Block image = module.code->image();
  std::vector<const char*> gone;
  for (const auto& [base, allocation] : runtime.memory.all()) {
    auto address = reinterpret_cast<std::uintptr_t>(base);
    if (address >= image.begin && address < image.begin + image.size) gone.push_back(base);
  }
  for (const char* base : gone) runtime.memory.release(base);
}

int groups_per_unit(const Card& card, const amdgpu::Kernel& kernel, int group_size, std::size_t dynamic_lds) {
  if (group_size <= 0 || static_cast<unsigned>(group_size) > k_max_threads) return 0;
  std::size_t lds = kernel.lds_bytes + dynamic_lds;
  if (lds > k_local_memory) return 0;
  std::size_t groups = static_cast<std::size_t>(card.threads_per_unit) / static_cast<std::size_t>(group_size);
  if (lds != 0) groups = std::min(groups, k_local_memory / lds);
  return static_cast<int>(std::max<std::size_t>(groups, 1));
}

}  // namespace convoy::hip
