// Code objects on a card, their kernels, and the programs' own kernels that come with <<<>>>.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/amdgpu/amdgpu.h"
#include "sim/hip/device.h"
#include "sim/hip/stream.h"

namespace convoy::hip {

class Runtime;
struct Module;

struct Function {
  Module* module;
  const amdgpu::Kernel* kernel;
};

struct Module {
  std::shared_ptr<amdgpu::Module> code;
  DevicePointer device;
  std::map<std::string, Function, std::less<>> functions;  // those that were asked for; a handle is an address in here
};

// What clang puts into a program that has kernels of its own; loaded on a card when one of them is first launched there.
struct FatBinary {
  const void* image = nullptr;
  std::map<DevicePointer, std::shared_ptr<Module>> loaded;
};

struct HostSymbol {  // a kernel or variable of the program, by the address of its host stand-in
  FatBinary* binary;
  std::string name;
};

struct LaunchSize {
  amdgpu::LaunchDims dims;
  std::size_t dynamic_lds;
};

// `image` is a code object or an offload bundle; its own headers say how long it is.
Error load_module(Runtime& runtime, const void* image, std::shared_ptr<Module>& module);
Error load_module_file(Runtime& runtime, const char* path, std::shared_ptr<Module>& module);
// Null: there is no such kernel.
Function* find_function(Module& module, const char* name);
// Null for a handle that was never given out.
Function* known_function(Runtime& runtime, const Function* handle);
// Checks, gathers the arguments from `parameters` (a pointer each) or `extra` (a packed block), queues.
Error launch(Runtime& runtime, Function& function, const LaunchSize& size, const std::shared_ptr<Stream>& stream,
             void** parameters, void** extra);
// The module of a registered kernel or variable on the current card, loaded now if it has to be.
Error find_host_symbol(Runtime& runtime, const void* host, std::shared_ptr<Module>& module);
// The kernel behind the address of a program's own function, on the current card.
Error find_host_function(Runtime& runtime, const void* host_function, Function*& function);
// A variable of a module, as memory.
Error find_global(Runtime& runtime, Module& module, const char* name, void** address, std::size_t* bytes);
// Before the module goes.
void forget_globals(Runtime& runtime, const Module& module);
// Groups that fit on one unit at a time, by local memory, threads and registers.
int groups_per_unit(const Card& card, const amdgpu::Kernel& kernel, int group_size, std::size_t dynamic_lds);

}  // namespace convoy::hip
