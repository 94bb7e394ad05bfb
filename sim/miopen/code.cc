// See code.h.
#include "sim/miopen/code.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "kernels_text.h"
#include "sim/miopen/hip_api.h"
#include "sim/miopen/version.h"

namespace convoy::miopen {
namespace {

namespace fs = std::filesystem;

const std::string& source() {
  static const std::string text = std::string(k_kernel_arguments_h) + std::string(k_kernels_hip);
  return text;
}

// FNV-1a of the source: another text's code objects have other names.
std::string source_hash() {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : source()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return std::to_string(hash);
}

// Empty: nowhere.
fs::path cache_folder() {
  if (const char* custom = std::getenv("MIOPEN_CUSTOM_CACHE_DIR"); custom != nullptr && *custom != '\0') return custom;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  return fs::path(home) / ".cache" / "miopen" / version().text();
}

fs::path cache_file(const std::string& architecture) {
  fs::path folder = cache_folder();
  if (folder.empty()) return {};
  std::string name = "convoy_sim_" + architecture + "_" + source_hash() + ".co";
  std::replace(name.begin(), name.end(), ':', '_');
  return folder / name;
}

std::string read_cached(const std::string& architecture) {
  fs::path path = cache_file(architecture);
  if (path.empty()) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Where that fails, each process compiles for itself.
void write_cached(const std::string& architecture, const std::string& bytes) {
  fs::path path = cache_file(architecture);
  if (path.empty()) return;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  fs::path temporary = path;
  temporary += "." + std::to_string(getpid());
  std::ofstream file(temporary, std::ios::binary);
  file << bytes;
  file.close();
  if (file) fs::rename(temporary, path, error);
  if (!file || error) fs::remove(temporary, error);
}

Code compile(const std::string& architecture) {
  RtcProgram* program = nullptr;
  RtcResult made = hiprtcCreateProgram(&program, source().c_str(), "convoy_sim_miopen.hip", 0, nullptr, nullptr);
  if (made != RtcResult::success) return {"", "hiprtcCreateProgram failed"};
  std::string offload = "--offload-arch=" + architecture;
  const char* options[] = {offload.c_str(), "-O3", "-std=c++17"};
  RtcResult result = hiprtcCompileProgram(program, 3, options);
  Code code;
  std::size_t bytes = 0;
  if (result == RtcResult::success && hiprtcGetCodeSize(program, &bytes) == RtcResult::success) {
    code.bytes.resize(bytes);
    hiprtcGetCode(program, code.bytes.data());
  } else if (hiprtcGetProgramLogSize(program, &bytes) == RtcResult::success) {
    code.why_not.resize(bytes);
    hiprtcGetProgramLog(program, code.why_not.data());
    code.why_not.resize(std::min(code.why_not.find('\0'), bytes));
  }
  hiprtcDestroyProgram(&program);
  return code;
}

// Of the whole process: a handle more costs no compilation.
struct Memory {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<const Code>> codes;
};

Memory& memory() {
  static Memory all;
  return all;
}

std::shared_ptr<const Code> compile_and_keep(const std::string& architecture) {
  auto code = std::make_shared<const Code>(compile(architecture));
  if (!code->bytes.empty()) write_cached(architecture, code->bytes);
  return memory().codes[architecture] = code;
}

}  // namespace

std::shared_ptr<const Code> code_for(const std::string& architecture) {
  std::lock_guard lock(memory().mutex);
  auto found = memory().codes.find(architecture);
  if (found != memory().codes.end()) return found->second;
  std::string cached = read_cached(architecture);
  if (cached.empty()) return compile_and_keep(architecture);
  return memory().codes[architecture] = std::make_shared<const Code>(Code{std::move(cached), ""});
}

std::shared_ptr<const Code> code_made_anew(const std::string& architecture) {
  std::lock_guard lock(memory().mutex);
  return compile_and_keep(architecture);
}

}  // namespace convoy::miopen
