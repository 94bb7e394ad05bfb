// HIPRTC and NVRTC: the same interface under two prefixes.
#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <vector>

#include "device/gpu_compiler.h"

#include <fmt/format.h>

namespace convoy {
namespace {

using RtcProgram = void*;

struct RtcApi {
  std::string name;  // "hiprtc"
  int (*version)(int* major, int* minor) = nullptr;
  const char* (*error_text)(int status) = nullptr;
  int (*create)(RtcProgram* program, const char* source, const char* name, int headers, const char* const* texts,
                const char* const* names) = nullptr;
  int (*destroy)(RtcProgram* program) = nullptr;
  int (*compile)(RtcProgram program, int count, const char* const* options) = nullptr;
  int (*log_size)(RtcProgram program, std::size_t* bytes) = nullptr;
  int (*log)(RtcProgram program, char* log) = nullptr;
  int (*code_size)(RtcProgram program, std::size_t* bytes) = nullptr;
  int (*code)(RtcProgram program, char* code) = nullptr;
  // NVRTC alone: the driver's own compiler finishes PTX for chips that are newer than NVRTC.
  int (*ptx_size)(RtcProgram program, std::size_t* bytes) = nullptr;
  int (*ptx)(RtcProgram program, char* code) = nullptr;

  Result<void> bind(const DynamicLibrary& library, const std::string& prefix, const std::string& code_name) {
    name = prefix;
    const auto symbol = [&prefix](const std::string& rest) { return prefix + rest; };
    CONVOY_CHECK(library.bind(version, symbol("Version").c_str()));
    CONVOY_CHECK(library.bind(error_text, symbol("GetErrorString").c_str()));
    CONVOY_CHECK(library.bind(create, symbol("CreateProgram").c_str()));
    CONVOY_CHECK(library.bind(destroy, symbol("DestroyProgram").c_str()));
    CONVOY_CHECK(library.bind(compile, symbol("CompileProgram").c_str()));
    CONVOY_CHECK(library.bind(log_size, symbol("GetProgramLogSize").c_str()));
    CONVOY_CHECK(library.bind(log, symbol("GetProgramLog").c_str()));
    CONVOY_CHECK(library.bind(code_size, symbol("Get" + code_name + "Size").c_str()));
    CONVOY_CHECK(library.bind(code, symbol("Get" + code_name).c_str()));
    (void)library.bind(ptx_size, symbol("GetPTXSize").c_str());
    (void)library.bind(ptx, symbol("GetPTX").c_str());
    return {};
  }
};

struct RtcOptions {
  std::string architecture;  // "--offload-arch="
  std::vector<std::string> others;
  std::vector<int> known;  // 90 for sm_90, rising; empty: not told, or not asked
};

class RtcCompiler final : public GpuCompiler {
 public:
  RtcCompiler(const RtcApi& api, std::string version, RtcOptions options)
      : api_(api), serial_(api.name == "hiprtc"), version_(std::move(version)), options_(std::move(options)) {}

  std::string version() const override { return version_; }

  Result<std::string> compile(std::string_view name, const std::string& text,
                              const std::string& architecture) const override {
    // HIPRTC 5.2.3 crashes when two threads compile at a time.
    static std::mutex one_at_a_time;
    std::unique_lock<std::mutex> lock;
    if (serial_) lock = std::unique_lock(one_at_a_time);
    RtcProgram program = nullptr;
    const std::string file(name);
    if (const int status = api_.create(&program, text.c_str(), file.c_str(), 0, nullptr, nullptr); status != 0)
      return failed(file, status, "");
    const std::string older = older_relative_of(architecture);
    const std::string target = options_.architecture + (older.empty() ? architecture : older);
    std::vector<const char*> options{target.c_str()};
    for (const std::string& option : options_.others) options.push_back(option.c_str());
    const int status = api_.compile(program, static_cast<int>(options.size()), options.data());
    auto code = status == 0 ? code_of(program, file, !older.empty()) : failed(file, status, log_of(program));
    api_.destroy(&program);
    return code;
  }

 private:
  tl::unexpected<Error> failed(const std::string& file, int status, const std::string& log) const {
    const char* text = api_.error_text(status);
    return fail(ErrorCode::device,
                fmt::format("{}: {} says {} ({}){}{}", file, version_, text != nullptr ? text : "error", status,
                            log.empty() ? "" : "\n", shortened_log(log)));
  }

  std::string log_of(RtcProgram program) const {
    std::size_t size = 0;
    if (api_.log_size(program, &size) != 0 || size == 0 || size > (1 << 24)) return {};
    std::string log(size, '\0');
    if (api_.log(program, log.data()) != 0) return {};
    return log;
  }

  // "compute_90" for an "sm_120" that this compiler does not know; else empty.
  std::string older_relative_of(const std::string& architecture) const {
    int wanted = 0;
    if (options_.known.empty() || api_.ptx == nullptr || std::sscanf(architecture.c_str(), "sm_%d", &wanted) != 1)
      return {};
    const auto after = std::upper_bound(options_.known.begin(), options_.known.end(), wanted);
    if (after == options_.known.begin() || *(after - 1) == wanted) return {};
    return fmt::format("compute_{}", *(after - 1));
  }

  Result<std::string> code_of(RtcProgram program, const std::string& file, bool as_ptx) const {
    std::size_t size = 0;
    int status = (as_ptx ? api_.ptx_size : api_.code_size)(program, &size);
    if (status != 0 || size == 0) return failed(file, status, "no code came out");
    std::string code(size, '\0');
    status = (as_ptx ? api_.ptx : api_.code)(program, code.data());
    if (status != 0) return failed(file, status, "");
    return code;
  }

  const RtcApi api_;
  const bool serial_;
  const std::string version_;
  const RtcOptions options_;
};

// A ROCm release whose HIPRTC knows a family for sure, as hipRuntimeGetVersion counts: 10^7 major + 10^5 minor.
int first_runtime_for(std::string_view architecture) {
  constexpr std::array<std::pair<std::string_view, int>, 5> k_families{
      {{"gfx94", 60000000}, {"gfx95", 70000000}, {"gfx115", 60400000}, {"gfx11", 50500000}, {"gfx12", 60400000}}};
  for (const auto& [family, runtime] : k_families) {
    if (architecture.substr(0, family.size()) == family) return runtime;
  }
  return 0;
}

// Since NVRTC 11.2.
std::vector<int> known_architectures(const DynamicLibrary& library) {
  int (*count_of)(int* count) = nullptr;
  int (*fill)(int* architectures) = nullptr;
  int count = 0;
  if (!library.bind(count_of, "nvrtcGetNumSupportedArchs") || !library.bind(fill, "nvrtcGetSupportedArchs") ||
      count_of(&count) != 0 || count <= 0 || count > 1024) {
    return {};
  }
  std::vector<int> known(static_cast<std::size_t>(count));
  if (fill(known.data()) != 0) return {};
  std::sort(known.begin(), known.end());
  return known;
}

}  // namespace

Result<std::unique_ptr<GpuCompiler>> open_hiprtc(const DynamicLibrary& runtime, int runtime_version,
                                                 std::string_view architecture) {
  if (runtime_version < first_runtime_for(architecture)) {
    return fail(ErrorCode::unsupported,
                fmt::format("the HIPRTC of this runtime ({}.{}) is older than {}", runtime_version / 10000000,
                            runtime_version / 100000 % 100, architecture));
  }
  constexpr std::array<std::string_view, 5> k_names{"libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5",
                                                    "libhiprtc.so", "/opt/rocm/lib/libhiprtc.so"};
  RtcApi api;
  if (!api.bind(runtime, "hiprtc", "Code")) {
    CONVOY_TRY(const DynamicLibrary library, DynamicLibrary::open_first(k_names));
    CONVOY_CHECK(api.bind(library, "hiprtc", "Code"));
  }
  std::string version = fmt::format("hiprtc of HIP {}.{}.{}", runtime_version / 10000000,
                                    runtime_version / 100000 % 100, runtime_version % 100000);
  return std::make_unique<RtcCompiler>(api, std::move(version), RtcOptions{"--offload-arch=", {"-O3"}, {}});
}

Result<std::unique_ptr<GpuCompiler>> open_nvrtc() {
  // As the loader finds them, then where CUDA's installer and its Debian packages put them.
  constexpr std::array<std::string_view, 6> k_names{"libnvrtc.so.13",
                                                    "libnvrtc.so.12",
                                                    "libnvrtc.so.11.2",
                                                    "/usr/local/cuda/lib64/libnvrtc.so",
                                                    "/usr/local/cuda/targets/x86_64-linux/lib/libnvrtc.so",
                                                    "/usr/lib/x86_64-linux-gnu/libnvrtc.so"};
  CONVOY_TRY(const DynamicLibrary library, DynamicLibrary::open_first(k_names));
  RtcApi api;
  CONVOY_CHECK(api.bind(library, "nvrtc", "CUBIN"));
  int major = 0, minor = 0;
  if (api.version(&major, &minor) != 0)
    return fail(ErrorCode::unsupported, library.name() + " does not tell its version");
  return std::make_unique<RtcCompiler>(
      api, fmt::format("nvrtc {}.{}", major, minor),
      RtcOptions{"--gpu-architecture=", {"--std=c++17", "-default-device"}, known_architectures(library)});
}

std::string shortened_log(std::string log) {
  constexpr std::size_t k_most = 2000;
  log.resize(std::min(log.find('\0'), log.size()));
  if (log.size() > k_most) log = log.substr(0, k_most) + "...";
  return log;
}

}  // namespace convoy
