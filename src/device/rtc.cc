// HIPRTC and NVRTC: the same interface under two prefixes.
#include <array>
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

  Result<void> bind(const DynamicLibrary& library, const std::string& prefix, const char* code_name) {
    name = prefix;
    const auto symbol = [&prefix](const char* rest) { return prefix + rest; };
    CONVOY_CHECK(library.bind(version, symbol("Version").c_str()));
    CONVOY_CHECK(library.bind(error_text, symbol("GetErrorString").c_str()));
    CONVOY_CHECK(library.bind(create, symbol("CreateProgram").c_str()));
    CONVOY_CHECK(library.bind(destroy, symbol("DestroyProgram").c_str()));
    CONVOY_CHECK(library.bind(compile, symbol("CompileProgram").c_str()));
    CONVOY_CHECK(library.bind(log_size, symbol("GetProgramLogSize").c_str()));
    CONVOY_CHECK(library.bind(log, symbol("GetProgramLog").c_str()));
    CONVOY_CHECK(library.bind(code_size, (symbol("Get") + code_name + "Size").c_str()));
    CONVOY_CHECK(library.bind(code, (symbol("Get") + code_name).c_str()));
    return {};
  }
};

class RtcCompiler final : public GpuCompiler {
 public:
  RtcCompiler(const RtcApi& api, std::string version, std::string architecture_option, std::vector<std::string> options)
      : api_(api),
        serial_(api.name == "hiprtc"),
        version_(std::move(version)),
        architecture_option_(std::move(architecture_option)),
        options_(std::move(options)) {}

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
    const std::string target = architecture_option_ + architecture;
    std::vector<const char*> options{target.c_str()};
    for (const std::string& option : options_) options.push_back(option.c_str());
    const int status = api_.compile(program, static_cast<int>(options.size()), options.data());
    auto code = status == 0 ? code_of(program, file) : failed(file, status, log_of(program));
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

  Result<std::string> code_of(RtcProgram program, const std::string& file) const {
    std::size_t size = 0;
    int status = api_.code_size(program, &size);
    if (status != 0 || size == 0) return failed(file, status, "no code came out");
    std::string code(size, '\0');
    status = api_.code(program, code.data());
    if (status != 0) return failed(file, status, "");
    return code;
  }

  const RtcApi api_;
  const bool serial_;
  const std::string version_;
  const std::string architecture_option_;
  const std::vector<std::string> options_;
};

// The ROCm release whose HIPRTC knows a family, as hipRuntimeGetVersion counts: 10^7 major + 10^5 minor.
int first_runtime_for(std::string_view architecture) {
  if (architecture.substr(0, 5) == "gfx11") return 50500000;
  if (architecture.substr(0, 5) == "gfx12") return 60300000;
  return 0;
}

}  // namespace

Result<std::unique_ptr<GpuCompiler>> open_hiprtc(const DynamicLibrary& runtime, int runtime_version,
                                                 std::string_view architecture) {
  if (runtime_version < first_runtime_for(architecture)) {
    return fail(ErrorCode::unsupported,
                fmt::format("the HIPRTC of this runtime ({}.{}) is older than {}", runtime_version / 10000000,
                            runtime_version / 100000 % 100, architecture));
  }
  constexpr std::array<std::string_view, 3> k_names{"libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5"};
  RtcApi api;
  if (!api.bind(runtime, "hiprtc", "Code")) {
    CONVOY_TRY(const DynamicLibrary library, DynamicLibrary::open_first(k_names));
    CONVOY_CHECK(api.bind(library, "hiprtc", "Code"));
  }
  std::string version = fmt::format("hiprtc of HIP {}.{}.{}", runtime_version / 10000000,
                                    runtime_version / 100000 % 100, runtime_version % 100000);
  return std::make_unique<RtcCompiler>(api, std::move(version), "--offload-arch=", std::vector<std::string>{"-O3"});
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
  return std::make_unique<RtcCompiler>(api, fmt::format("nvrtc {}.{}", major, minor), "--gpu-architecture=",
                                       std::vector<std::string>{"--std=c++17", "-default-device"});
}

std::string shortened_log(std::string log) {
  constexpr std::size_t k_most = 2000;
  log.resize(std::min(log.find('\0'), log.size()));
  if (log.size() > k_most) log = log.substr(0, k_most) + "...";
  return log;
}

}  // namespace convoy
