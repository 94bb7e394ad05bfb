// The C API of libLLVM (llvm-c/Disassembler.h), by its symbols. Version 15 comes first: it is the one that was tried, and AMD's own
// compiler library on Debian (libamd-comgr2) brings it along.
#include "disassembler.h"

#include <dlfcn.h>

#include <cstdlib>

#include "wave.h"

namespace convoy::amdgpu {
namespace {

struct Library {
  void* (*create)(const char* triple, const char* cpu, const char* features, void* info, int tag, void* get_info,
                  void* symbols) = nullptr;
  size_t (*disassemble)(void* context, const uint8_t* bytes, uint64_t size, uint64_t pc, char* text,
                        size_t text_size) = nullptr;
  void (*dispose)(void* context) = nullptr;
  std::string missing;

  Library() {
    void* handle = open();
    if (!handle) return;
    for (const char* name : {"LLVMInitializeAMDGPUTargetInfo", "LLVMInitializeAMDGPUTarget",
                             "LLVMInitializeAMDGPUTargetMC", "LLVMInitializeAMDGPUDisassembler"}) {
      if (auto* initialize = reinterpret_cast<void (*)()>(dlsym(handle, name))) initialize();
    }
    create = reinterpret_cast<decltype(create)>(dlsym(handle, "LLVMCreateDisasmCPUFeatures"));
    disassemble = reinterpret_cast<decltype(disassemble)>(dlsym(handle, "LLVMDisasmInstruction"));
    dispose = reinterpret_cast<decltype(dispose)>(dlsym(handle, "LLVMDisasmDispose"));
    if (!create || !disassemble || !dispose) missing = "the libLLVM here has no disassembler: install libllvm15";
  }

  // Null: `missing` says why.
  void* open() {
    const char* chosen = std::getenv("CONVOY_SIM_LLVM");
    if (chosen && *chosen) {
      void* handle = dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
      if (!handle) missing = std::string("CONVOY_SIM_LLVM: ") + dlerror() + "; name a libLLVM in it, or unset it";
      return handle;
    }
    for (const char* name : {"libLLVM-15.so.1", "libLLVM-16.so.1", "libLLVM-17.so.1", "libLLVM.so.18.1",
                             "libLLVM.so.19.1", "libLLVM-14.so.1"}) {
      if (void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return handle;
    }
    missing = "no libLLVM here to decode instructions with: install libllvm15, or name one in CONVOY_SIM_LLVM";
    return nullptr;
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

}  // namespace

const std::string& Disassembler::missing() {
  return library().missing;
}

Disassembler::Disassembler(const std::string& architecture, const std::string& features) {
  if (!missing().empty()) throw Fault(missing());
  context_ =
      library().create("amdgcn-amd-amdhsa", architecture.c_str(), features.c_str(), nullptr, 0, nullptr, nullptr);
  if (!context_) throw Fault("the libLLVM here does not know " + architecture);
}

Disassembler::~Disassembler() {
  if (context_) library().dispose(context_);
}

size_t Disassembler::next(std::span<const uint8_t> words, std::string& text) const {
  char line[512];
  line[0] = 0;
  const size_t size = library().disassemble(context_, words.data(), words.size(), 0, line, sizeof line);
  text = line;
  return size;
}

}  // namespace convoy::amdgpu
