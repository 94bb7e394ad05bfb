// What compilers make of igemm's kernels, where there is no GPU to time them: registers, spills, and how much of the main loop is
// arithmetic. It says nothing about memory, caches or clocks, and no AMD GPU has ever run what it prints.
//
//   codegen [architecture ...]     default: gfx906 gfx1010 gfx1030 gfx1100, and sm_90 where cuobjdump is
//
// "share" is that of FMAs among all instructions of the main loop, "of valu" among those of the vector units, where other waves
// can issue the rest beside them. gfx11 issues two FMAs in one instruction, so its shares can exceed 1.
//
// The main loop is the backward branch around most FMAs. Where a loop over k lies within it, its instructions count as often as it
// runs for one tile. Instructions that a branch skips most of the time (the next tap's addresses) count, too.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/dynlib.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "device/dialect/dialect.h"
#include "device/gpu_compiler.h"
#include "solvers/igemm_recipe.h"

#include <fmt/format.h>

namespace convoy {
namespace {

struct Instruction {
  std::int64_t address;
  int fmas;
  bool is_vector;          // takes an issue slot of the vector units: AMD only
  std::int64_t branch_to;  // -1: none
};

struct Code {
  std::string registers, spills, local;
  std::vector<Instruction> instructions;
};

// What a program of the system prints.
Result<std::string> output_of_program(std::vector<std::string> argv) {
  CONVOY_TRY(auto child, Subprocess::start({std::move(argv), {}}));
  std::string all, line;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (child->read_line(line, deadline) == Subprocess::ReadStatus::line) all += line + '\n';
  return all;
}

std::string first_program(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

// The word after the first `key` in `text`.
std::string value_after(const std::string& text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return "?";
  std::istringstream rest(text.substr(at + key.size(), 40));
  std::string word;
  rest >> word;
  return word;
}

int count(const std::string& text, std::string_view word) {
  int found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// "<tab>v_fmac_f32_e32 v1, v2, v3     // 000000001AD8: 56020503"
void read_amd(const std::string& line, Code& code) {
  const std::size_t comment = line.find("// ");
  if (comment == std::string::npos || line.empty() || line[0] != '\t') return;
  Instruction i{std::stoll(line.substr(comment + 3), nullptr, 16), 0, line.starts_with("\tv_"), -1};
  i.fmas = count(line, "_fma_f32") + count(line, "_fmac_f32") + count(line, "v_pk_fma_f32");
  const std::size_t branch = line.find("branch");
  if (branch != std::string::npos) {
    const auto words = static_cast<std::int16_t>(std::stol(line.substr(line.find(' ', branch))));
    i.branch_to = i.address + 4 + 4 * words;
  }
  code.instructions.push_back(i);
}

// "        /*0a10*/                   FFMA R1, R2, R3, R1 ;"
void read_nvidia(const std::string& line, Code& code) {
  const std::size_t comment = line.find("/*");
  if (comment == std::string::npos || line.find(';') == std::string::npos) return;
  Instruction i{std::stoll(line.substr(comment + 2), nullptr, 16), count(line, "FFMA"), false, -1};
  const std::size_t branch = line.find("BRA");
  const std::size_t target = branch == std::string::npos ? branch : line.find("0x", branch);
  if (target != std::string::npos) i.branch_to = std::stoll(line.substr(target), nullptr, 16);
  code.instructions.push_back(i);
}

Result<Code> disassemble(const std::string& binary, bool amd) {
  const std::string file = (std::filesystem::temp_directory_path() / "convoy-codegen.bin").string();
  CONVOY_CHECK(write_file_atomically(file, binary, 0600));
  Code code;
  std::string text;
  if (amd) {
    CONVOY_TRY(const std::string notes, output_of_program({"/usr/bin/llvm-readelf-15", "--notes", file}));
    code.registers = value_after(notes, ".vgpr_count:");
    code.spills = value_after(notes, ".vgpr_spill_count:");
    code.local = value_after(notes, ".group_segment_fixed_size:");
    CONVOY_TRY(text, output_of_program({"/usr/bin/llvm-objdump-15", "-d", file}));
  } else {
    const std::string cuobjdump = first_program({"/usr/local/cuda/bin/cuobjdump", "/usr/bin/cuobjdump"});
    CONVOY_TRY(std::string usage, output_of_program({cuobjdump, "--dump-resource-usage", file}));
    std::replace(usage.begin(), usage.end(), ':', ' ');
    code.registers = value_after(usage, "REG");
    code.spills = value_after(usage, "STACK");  // bytes
    code.local = value_after(usage, "SHARED");
    CONVOY_TRY(text, output_of_program({cuobjdump, "-sass", file}));
  }
  std::filesystem::remove(file);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) amd ? read_amd(line, code) : read_nvidia(line, code);
  return code;
}

struct Loop {
  std::int64_t fmas = 0, all = 0, vector = 0;
};

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

// The loop over tiles, one round of it: `expected` FMAs.
Loop main_loop(const Code& code, std::int64_t expected) {
  Loop inner, outer;
  for (const Instruction& end : code.instructions) {
    if (end.branch_to < 0 || end.branch_to > end.address) continue;
    Loop loop;
    for (const Instruction& i : code.instructions) {
      if (i.address < end.branch_to || i.address > end.address) continue;
      ++loop.all;
      loop.fmas += i.fmas;
      loop.vector += i.is_vector ? 1 : 0;
    }
    if (loop.fmas > inner.fmas || (loop.fmas == inner.fmas && loop.all < inner.all)) inner = loop;
    if (loop.fmas > outer.fmas || (loop.fmas == outer.fmas && loop.all > outer.all)) outer = loop;
  }
  if (inner.fmas == 0 || outer.fmas >= expected) return outer;
  const std::int64_t more = expected / inner.fmas - 1;  // rounds of the inner loop that are not written out
  return {outer.fmas + more * inner.fmas, outer.all + more * inner.all, outer.vector + more * inner.vector};
}

struct Target {
  DeviceInfo device;
  std::unique_ptr<GpuCompiler> compiler;
};

Result<Target> target_of(const std::string& architecture) {
  Target target;
  DeviceInfo& d = target.device;
  d.architecture = architecture;
  d.kind = architecture.starts_with("sm_") ? DeviceKind::cuda : DeviceKind::hip;
  d.warp_size = architecture.starts_with("gfx9") ? 64 : 32;
  d.max_threads = 1024;
  d.local_memory = 65536;
  d.compute_units = d.kind == DeviceKind::cuda ? 132 : 60;
  if (d.kind == DeviceKind::cuda) {
    CONVOY_TRY(target.compiler, open_nvrtc());
    return target;
  }
  auto runtime = DynamicLibrary::open("libamdhip64.so.5");
  auto hiprtc = runtime ? open_hiprtc(*runtime, 50200000, architecture)
                        : Result<std::unique_ptr<GpuCompiler>>(tl::unexpected(runtime.error()));
  if (!hiprtc) hiprtc = find_clang();
  CONVOY_TRY(target.compiler, std::move(hiprtc));
  return target;
}

Result<void> report(const Target& target, const Problem& problem, const IgemmChoice& choice) {
  CONVOY_TRY(const IgemmRecipe recipe, igemm_recipe(problem, target.device, choice, 0));
  const auto start = std::chrono::steady_clock::now();
  CONVOY_TRY(const std::string binary, target.compiler->compile("igemm", program_text(target.device.kind, recipe.main),
                                                                target.device.architecture));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CONVOY_TRY(const Code code, disassemble(binary, target.device.kind == DeviceKind::hip));
  const IgemmTile& t = choice.tile;
  const Loop loop = main_loop(code, std::int64_t{1} * t.thread_rows * t.thread_points * t.depth);
  fmt::print("{:8} {:26} {:>5} {:>6} {:>6} {:>5} /{:>5} {:6.2f} {:6.2f} {:7.2f} s\n", target.device.architecture,
             to_string(choice), code.registers, code.spills, code.local, loop.fmas, loop.all,
             share(loop.fmas, loop.all), share(loop.fmas, loop.vector), seconds);
  return {};
}

Result<void> report_all(const std::string& architecture) {
  CONVOY_TRY(const Target target, target_of(architecture));
  fmt::print("\n{} ({})\n{:8} {:26} {:>5} {:>6} {:>6} {:>12} {:>6} {:>6} {:>9}\n", architecture, target.compiler->version(),
             "", "choice", "vgpr", "spills", "local", "fma / all", "share", "of valu", "compile");
  for (const char* text : {
           "fwd:f32:nchw:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
           "fwd:f32:nchw:n64c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1",
           "fwd:f32:nchw:n64c64h56w56:k256r1s1:pad0x0:stride1x1:dil1x1:g1",
           "fwd:f32:nchw:n64c3h224w224:k64r7s7:pad3x3:stride2x2:dil1x1:g1",
           "fwd:f32:nhwc:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
           "fwd:f16:nhwc:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
           "fwd:f32:ncdhw:n1c128d17h64w64:k128t3r3s3:pad1x1x1:stride1x1x1:dil1x1x1:g1",
           "bwd:f32:nchw:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
           "bwd:f32:nchw:n64c128h56w56:k128r3s3:pad1x1:stride2x2:dil1x1:g1",
           "bwd:f32:nchw:n64c3h224w224:k64r7s7:pad3x3:stride2x2:dil1x1:g1",
           "bwd:f32:nchw:n1c3h224w224:k64r3s3:pad1x1:stride1x1:dil1x1:g1",
           "wrw:f32:nchw:n64c128h28w28:k128r3s3:pad1x1:stride1x1:dil1x1:g1",
           "wrw:f32:nhwc:n64c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1",
       }) {
    CONVOY_TRY(const Problem problem, parse_problem(text));
    const Geometry g = geometry_of(problem);
    fmt::print("{}\n", text);
    CONVOY_CHECK(report(target, problem, default_igemm_choice(g, target.device)));
    for (const IgemmChoice& choice : usable_igemm_choices(problem, target.device, 0)) {
      CONVOY_CHECK(report(target, problem, choice));
      std::fflush(stdout);
    }
  }
  return {};
}

}  // namespace
}  // namespace convoy

int main(int count, char** arguments) {
  std::vector<std::string> architectures(arguments + 1, arguments + count);
  if (architectures.empty()) {
    architectures = {"gfx906", "gfx1010", "gfx1030", "gfx1100"};
    if (!convoy::first_program({"/usr/local/cuda/bin/cuobjdump", "/usr/bin/cuobjdump"}).empty())
      architectures.push_back("sm_90");
  }
  int failures = 0;
  for (const std::string& architecture : architectures) {
    if (const auto done = convoy::report_all(architecture); !done) {
      fmt::print(stderr, "codegen: {}: {}\n", architecture, done.error().message);
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}
