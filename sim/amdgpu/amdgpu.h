// An AMD GPU in software: loads the code objects that AMD's compilers make (gfx803, 900, 906, 908, 90a, 1010, 1030, 1032, 1100 and
// their relatives) and executes their machine code on the CPU. It is for checking numbers and finding mistakes without a GPU; it
// says nothing about time. It has been compared with the host compiler and with other emulators, never with hardware.
//
// Decoding is LLVM's work: libLLVM is opened at run time (nothing of it is needed to build) and turns words into text. One table gives
// each mnemonic its meaning over a whole wave. What the table does not know ends the launch with a sentence that names the instruction.
//
//   auto module = Module::load(data, size, "gfx1030");              // or Module::load(data, code_object_size(data), "")
//   Memory memory;                                                  // what kernels may touch
//   memory.add(x, bytes);
//   Launch launch{.dims = {.groups = {10, 1, 1}, .group_size = {256, 1, 1}}, .arguments = args, .argument_bytes = sizeof args,
//                 .memory = &memory};
//   if (auto done = (*module)->launch(*(*module)->kernel("vadd"), launch); !done) puts(done.error().c_str());
//
// Everything here may be used from several threads at once. Device addresses are host addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace convoy::amdgpu {

// A value or one sentence that says what is wrong and where. A message may end in a line break and details.
template <typename T>
using Result = tl::expected<T, std::string>;

// Switches. The defaults are CONVOY_SIM_* of the environment, read at the first call of Options::defaults().
struct Options {
  bool race = false;  // CONVOY_SIM_RACE: report LDS accesses of two waves without a barrier between them
  bool statistics =
      false;  // CONVOY_SIM_STATISTICS: fill the classes of Statistics (instructions are always counted); costs time
  bool trace = false;        // CONVOY_SIM_TRACE: print each instruction of the first wave of the first group to stderr
  bool reverse = false;      // CONVOY_SIM_REVERSE: run the waves of a group last to first
  bool lds_overrun = false;  // CONVOY_SIM_LDS_OVERRUN: as hardware, LDS reads past the end give 0, writes go nowhere
  unsigned overread =
      0;            // CONVOY_SIM_OVERREAD: loads may pass the end of an allocation by so many bytes (they must exist)
  int threads = 0;  // CONVOY_SIM_THREADS: host threads that share the groups of a launch; 0: one for each CPU

  static const Options& defaults();
};

// The memory that kernels may touch: allocations, by address. An access outside all of them ends the launch.
class Memory {
 public:
  struct Block {
    std::uintptr_t begin = 0;
    std::size_t size = 0;
  };

  void add(const void* address, std::size_t size);
  void remove(const void* address);                      // the address given to add(); another one is ignored
  std::optional<Block> find(const void* address) const;  // the block that holds this byte
  std::vector<Block> blocks() const;                     // in the order of their addresses

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::uintptr_t, std::size_t> blocks_;
};

// What a launch executed, summed over waves.
struct Statistics {
  std::uint64_t instructions = 0;  // of waves, not of lanes
  // By class; the rest is filled only with Options::statistics. Fused multiply-adds count in both `valu` and `fma`.
  std::uint64_t valu = 0, fma = 0, salu = 0, smem = 0, vmem = 0, lds = 0, barrier = 0, other = 0;
  std::uint64_t lanes = 0;                             // active lanes of vector ALU instructions
  std::uint64_t flops = 0;                             // of add, mul, mac, fma, dot and MFMA, active lanes only
  std::uint64_t lds_cycles = 0, lds_cycles_least = 0;  // 32 banks of 4 bytes; and without bank conflicts
  std::uint64_t memory_lines = 0,
                memory_lines_least = 0;  // 64-byte lines touched by global accesses; the least for their bytes

  Statistics& operator+=(const Statistics& more);
};

struct Argument {
  std::uint32_t offset = 0, size = 0;
  std::string kind;  // the metadata's value_kind: "by_value", "global_buffer", "hidden_block_count_x", ...
};

struct Kernel {
  std::string name;
  std::vector<Argument> arguments;          // hidden ones last; launch() fills those
  std::uint32_t hidden_begin = 0xffffffff;  // offset of the first hidden argument
  std::uint32_t argument_bytes = 0;         // hidden ones included
  std::uint32_t max_group_size = 1024;      // threads a group
  std::uint32_t lds_bytes = 0;              // static; a launch may add to it
  std::uint32_t scratch_bytes = 0;          // private memory of one lane
  std::uint32_t vgprs = 0, sgprs = 0, vgpr_spills = 0, sgpr_spills = 0;
  bool wave32 = false;
  // Of the kernel descriptor (LLVM, "User Guide for AMDGPU Backend", kernel descriptor): what set-up of registers it asks for.
  std::uint64_t entry = 0;  // in the loaded image
  std::uint32_t rsrc2 = 0, properties = 0;
};

struct LaunchDims {
  std::uint32_t groups[3] = {1, 1, 1};
  std::uint32_t group_size[3] = {1, 1, 1};  // threads
  // Threads in all, where that is less than groups x group size: the last groups are partial. All zero: no partial groups.
  std::uint32_t threads[3] = {0, 0, 0};
};

struct Launch {
  LaunchDims dims;
  std::uint32_t dynamic_lds = 0;
  const void* arguments = nullptr;  // the explicit arguments as they lie in memory; copied before launch() returns
  std::size_t argument_bytes = 0;
  const Memory* memory = nullptr;    // null: no check of addresses. Looked at once, when the launch starts.
  Statistics* statistics = nullptr;  // added to
  Options options = Options::defaults();
};

// The bytes that a code object or offload bundle takes, read from its own headers: hipModuleLoadData() is not told. 0: neither.
// The caller vouches that the headers are there.
std::size_t code_object_size(const void* data);

// Can this machine execute anything: is a libLLVM with the AMDGPU disassembler here? The error names the Debian package.
Result<void> available();

// A loaded code object. Its globals are writable memory and live as long as it does.
class Module {
 public:
  // An ELF code object or a clang offload bundle that holds one. `architecture`, e.g. "gfx90a": what the device is; a code object
  // for another one is refused, and a bundle's entry is chosen by it. Empty: take what comes first. Bytes after `size` are not read.
  static Result<std::shared_ptr<Module>> load(const void* data, std::size_t size, std::string_view architecture);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const std::string& architecture() const;
  std::vector<std::string> kernels() const;
  const Kernel* kernel(std::string_view name) const;  // null: no such kernel; lives as long as the module
  std::optional<Memory::Block> global(std::string_view name) const;
  Memory::Block image() const;  // where the code object was loaded; launch() lets kernels touch it

  // Executes the grid before it returns. An error names kernel, group, wave, lane and instruction.
  Result<void> launch(const Kernel& kernel, const Launch& launch) const;

  // The instructions of the code object that have no meaning here, one of each kind: they would end a launch that reaches them.
  Result<std::vector<std::string>> unknown() const;

  // What one pass through the kernel's main loop executes: the innermost loop with the most fused multiply-adds, counted from the code
  // without running it. Only the classes and `instructions` are filled. All zero: the kernel has no loop.
  Result<Statistics> main_loop(const Kernel& kernel) const;

 private:
  struct State;
  explicit Module(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace convoy::amdgpu
