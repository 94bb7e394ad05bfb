// AMD's code object manager as a compiler: what HIPRTC itself is built on, without HIPRTC's own tables of architectures.
// Names and numbers: amd_comgr.h; interface version 3 (ROCm 7) counts some of version 2's anew.
#include <array>
#include <vector>

#include "device/gpu_compiler.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Handles are structs of one 64-bit number, passed by value.
struct Handle {
  std::uint64_t value = 0;
};
using Status = int;  // 0: success

constexpr int k_source = 1, k_log = 5, k_executable = 8;

struct Numbers {
  int language_hip;
  int compile_to_bitcode, bitcode_to_relocatable, relocatable_to_executable;
};
constexpr Numbers k_version_2{4, 2, 6, 9};
constexpr Numbers k_version_3{3, 2, 4, 7};

struct ComgrApi {
  void (*version)(std::size_t* major, std::size_t* minor) = nullptr;
  Status (*create_data)(int kind, Handle* data) = nullptr;
  Status (*release_data)(Handle data) = nullptr;
  Status (*set_data)(Handle data, std::size_t bytes, const char* content) = nullptr;
  Status (*set_data_name)(Handle data, const char* name) = nullptr;
  Status (*get_data)(Handle data, std::size_t* bytes, char* content) = nullptr;
  Status (*create_set)(Handle* set) = nullptr;
  Status (*destroy_set)(Handle set) = nullptr;
  Status (*set_add)(Handle set, Handle data) = nullptr;
  Status (*set_get)(Handle set, int kind, std::size_t index, Handle* data) = nullptr;
  Status (*create_info)(Handle* info) = nullptr;
  Status (*destroy_info)(Handle info) = nullptr;
  Status (*set_isa)(Handle info, const char* name) = nullptr;
  Status (*set_language)(Handle info, int language) = nullptr;
  Status (*set_options)(Handle info, const char* const* options, std::size_t count) = nullptr;
  Status (*set_logging)(Handle info, bool logging) = nullptr;
  Status (*do_action)(int action, Handle info, Handle input, Handle result) = nullptr;

  Result<void> bind(const DynamicLibrary& library) {
    CONVOY_CHECK(library.bind(version, "amd_comgr_get_version"));
    CONVOY_CHECK(library.bind(create_data, "amd_comgr_create_data"));
    CONVOY_CHECK(library.bind(release_data, "amd_comgr_release_data"));
    CONVOY_CHECK(library.bind(set_data, "amd_comgr_set_data"));
    CONVOY_CHECK(library.bind(set_data_name, "amd_comgr_set_data_name"));
    CONVOY_CHECK(library.bind(get_data, "amd_comgr_get_data"));
    CONVOY_CHECK(library.bind(create_set, "amd_comgr_create_data_set"));
    CONVOY_CHECK(library.bind(destroy_set, "amd_comgr_destroy_data_set"));
    CONVOY_CHECK(library.bind(set_add, "amd_comgr_data_set_add"));
    CONVOY_CHECK(library.bind(set_get, "amd_comgr_action_data_get_data"));
    CONVOY_CHECK(library.bind(create_info, "amd_comgr_create_action_info"));
    CONVOY_CHECK(library.bind(destroy_info, "amd_comgr_destroy_action_info"));
    CONVOY_CHECK(library.bind(set_isa, "amd_comgr_action_info_set_isa_name"));
    CONVOY_CHECK(library.bind(set_language, "amd_comgr_action_info_set_language"));
    CONVOY_CHECK(library.bind(set_options, "amd_comgr_action_info_set_option_list"));
    CONVOY_CHECK(library.bind(set_logging, "amd_comgr_action_info_set_logging"));
    CONVOY_CHECK(library.bind(do_action, "amd_comgr_do_action"));
    return {};
  }
};

// Destroys what was created, in any order of leaving.
class Owned {
 public:
  Owned(Status (*destroy)(Handle)) : destroy_(destroy) {}
  ~Owned() {
    if (handle.value != 0) destroy_(handle);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Handle handle;

 private:
  Status (*destroy_)(Handle);
};

std::string isa_of(std::string_view architecture) {
  return "amdgcn-amd-amdhsa--" + std::string(architecture);
}

class Comgr final : public GpuCompiler {
 public:
  Comgr(const ComgrApi& api, const Numbers& numbers, std::string version)
      : api_(api), numbers_(numbers), version_(std::move(version)) {}

  std::string version() const override { return version_; }

  Result<std::string> compile(std::string_view name, const std::string& text,
                              const std::string& architecture) const override {
    Owned source(api_.release_data), sources(api_.destroy_set);
    const std::string file = std::string(name) + ".hip";
    if (api_.create_data(k_source, &source.handle) != 0 ||
        api_.set_data(source.handle, text.size(), text.data()) != 0 ||
        api_.set_data_name(source.handle, file.c_str()) != 0 || api_.create_set(&sources.handle) != 0 ||
        api_.set_add(sources.handle, source.handle) != 0) {
      return fail(ErrorCode::device, fmt::format("{}: {} takes no source", name, version_));
    }
    Owned bitcode(api_.destroy_set), relocatable(api_.destroy_set), executable(api_.destroy_set);
    CONVOY_CHECK(act(numbers_.compile_to_bitcode, architecture, sources.handle, bitcode));
    CONVOY_CHECK(act(numbers_.bitcode_to_relocatable, architecture, bitcode.handle, relocatable));
    CONVOY_CHECK(act(numbers_.relocatable_to_executable, architecture, relocatable.handle, executable));
    std::string code = content(executable.handle, k_executable);
    if (code.empty()) return fail(ErrorCode::device, fmt::format("{}: {} gave no code", name, version_));
    return code;
  }

 private:
  Result<void> act(int action, const std::string& architecture, Handle input, Owned& result) const {
    Owned info(api_.destroy_info);
    const std::string isa = isa_of(architecture);
    // The dialect needs neither HIP's headers nor the device libraries.
    constexpr std::array<const char*, 4> k_options{"-O3", "-std=c++17", "-nogpuinc", "-nogpulib"};
    const bool compiles = action == numbers_.compile_to_bitcode;
    Status status = api_.create_info(&info.handle);
    if (status == 0 && compiles) status = api_.set_language(info.handle, numbers_.language_hip);
    if (status == 0) status = api_.set_isa(info.handle, isa.c_str());
    if (status == 0) status = api_.set_logging(info.handle, true);
    const std::size_t options = compiles ? k_options.size() : action == numbers_.bitcode_to_relocatable ? 1 : 0;
    if (status == 0 && options > 0) status = api_.set_options(info.handle, k_options.data(), options);
    if (status == 0) status = api_.create_set(&result.handle);
    if (status == 0) status = api_.do_action(action, info.handle, input, result.handle);
    if (status == 0) return {};
    const std::string log = result.handle.value != 0 ? content(result.handle, k_log) : "";
    return fail(ErrorCode::device, fmt::format("{} failed for {} (action {}, status {})\n{}", version_, architecture,
                                               action, status, shortened_log(log)));
  }

  std::string content(Handle set, int kind) const {
    Owned data(api_.release_data);
    std::size_t bytes = 0;
    if (api_.set_get(set, kind, 0, &data.handle) != 0 || api_.get_data(data.handle, &bytes, nullptr) != 0) return {};
    std::string text(bytes, '\0');
    return api_.get_data(data.handle, &bytes, text.data()) == 0 ? text : std::string();
  }

  const ComgrApi api_;
  const Numbers numbers_;
  const std::string version_;
};

}  // namespace

Result<std::unique_ptr<GpuCompiler>> open_comgr(std::string_view architecture) {
  constexpr std::array<std::string_view, 4> k_names{"libamd_comgr.so.3", "libamd_comgr.so.2", "libamd_comgr.so",
                                                    "/opt/rocm/lib/libamd_comgr.so"};
  CONVOY_TRY(const DynamicLibrary library, DynamicLibrary::open_first(k_names));
  ComgrApi api;
  CONVOY_CHECK(api.bind(library));
  std::size_t major = 0, minor = 0;
  api.version(&major, &minor);
  std::string version = fmt::format("comgr {}.{}", major, minor);
  if (major != 2 && major != 3)
    return fail(ErrorCode::unsupported, fmt::format("{} is not known here: 2 and 3 are", version));
  Owned info(api.destroy_info);
  if (api.create_info(&info.handle) != 0 || api.set_isa(info.handle, isa_of(architecture).c_str()) != 0)
    return fail(ErrorCode::unsupported, fmt::format("{} does not know {}", version, architecture));
  return std::make_unique<Comgr>(api, major == 2 ? k_version_2 : k_version_3, std::move(version));
}

}  // namespace convoy
