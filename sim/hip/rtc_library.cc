// Opens the real hiprtc; see rtc_library.h.
//
// HIP 5's library has the stand-in's own soname, so asking the loader for that name would give the stand-in back: it is
// opened by its path. RTLD_DEEPBIND keeps the real library's calls of HIP inside itself, should a program be linked with
// the stand-in.
#include "sim/hip/rtc_library.h"

#include <dlfcn.h>

#include "sim/hip/runtime.h"

namespace convoy::hip {
namespace {

// Where Debian, Fedora and AMD's packages put HIP 5, which carries hiprtc itself; later versions have a library of its own.
// With each the compiler that it opens when it first compiles.
struct Candidate {
  const char* path;
  const char* compiler;
};
constexpr Candidate k_candidates[] = {
    {"/usr/lib/x86_64-linux-gnu/libamdhip64.so.5", "libamd_comgr.so.2"},
    {"/usr/lib64/libamdhip64.so.5", "libamd_comgr.so.2"},
    {"/opt/rocm/lib/libamdhip64.so.5", "libamd_comgr.so.2"},
    {"libhiprtc.so.5", "libamd_comgr.so.2"},
    {"libhiprtc.so.6", "libamd_comgr.so.2"},
    {"libhiprtc.so.7", "libamd_comgr.so.3"},
};

// The sanitizers refuse RTLD_DEEPBIND. Their builds open the stand-in with dlopen(), where nothing is interposed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int k_open_flags = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int k_open_flags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

template <typename Pointer>
bool bind(void* library, const char* name, Pointer& pointer) {
  pointer = reinterpret_cast<Pointer>(dlsym(library, name));
  return pointer != nullptr;
}

bool bind_all(void* library, RealHiprtc& real) {
  bind(library, "__hipGetPCH", real.precompiled_header);
  return bind(library, "hiprtcCreateProgram", real.create) && bind(library, "hiprtcCompileProgram", real.compile) &&
         bind(library, "hiprtcDestroyProgram", real.destroy) && bind(library, "hiprtcGetCode", real.code) &&
         bind(library, "hiprtcGetCodeSize", real.code_size) && bind(library, "hiprtcGetProgramLog", real.log) &&
         bind(library, "hiprtcGetProgramLogSize", real.log_size) &&
         bind(library, "hiprtcAddNameExpression", real.add_name) &&
         bind(library, "hiprtcGetLoweredName", real.lowered_name) && bind(library, "hiprtcVersion", real.version);
}

bool is_stand_in(void* library) {
  return dlsym(library, "convoy_sim_configure") != nullptr;
}

// The compiler's own list of what it knows: names like "amdgcn-amd-amdhsa--gfx906" (amd_comgr.h, since version 1).
std::vector<std::string> known_architectures(const char* compiler) {
  using GetCount = int (*)(std::size_t*);
  using GetName = int (*)(std::size_t, const char**);
  void* comgr = dlopen(compiler, RTLD_NOW | RTLD_LOCAL);
  GetCount get_count = nullptr;
  GetName get_name = nullptr;
  std::vector<std::string> names;
  std::size_t count = 0;
  if (comgr == nullptr || !bind(comgr, "amd_comgr_get_isa_count", get_count) ||
      !bind(comgr, "amd_comgr_get_isa_name", get_name) || get_count(&count) != 0) {
    return names;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    if (get_name(i, &name) != 0 || name == nullptr) continue;
    std::string_view text = name;
    text.remove_prefix(text.rfind('-') + 1);
    names.emplace_back(text.substr(0, text.find(':')));
  }
  return names;
}

bool open_one(const Candidate& candidate, RealHiprtc& real) {
  void* library = dlopen(candidate.path, k_open_flags);
  if (library == nullptr) {
    real.absent += std::string(real.absent.empty() ? "" : "; ") + dlerror();
    return false;
  }
  if (!is_stand_in(library) && bind_all(library, real)) {
    real.architectures = known_architectures(candidate.compiler);
    return true;
  }
  real.absent += std::string(real.absent.empty() ? "" : "; ") + candidate.path + ": no hiprtc in it";
  dlclose(library);
  return false;
}

RealHiprtc open_real() {
  RealHiprtc real{};
  const std::string& named = Runtime::instance().settings.hiprtc_path;
  bool found = false;
  if (!named.empty()) {
    found = open_one({named.c_str(), "libamd_comgr.so.2"}, real);
  } else {
    for (const Candidate& candidate : k_candidates) found = found || open_one(candidate, real);
  }
  if (found) {
    real.absent.clear();
  } else {
    real.absent =
        "no hiprtc here; the package libamdhip64-5 or CONVOY_SIM_HIPRTC=<path> brings it (" + real.absent + ")";
  }
  return real;
}

}  // namespace

const RealHiprtc& real_hiprtc() {
  static const RealHiprtc real = open_real();
  return real;
}

}  // namespace convoy::hip
