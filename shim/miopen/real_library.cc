// Implementation of real_library.h.
#include "real_library.h"

#include <dlfcn.h>
#include <link.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace convoy::miopen {
namespace {

#ifdef CONVOY_STUB

// We bear the library's name ourselves; it has become a file beside us, which this library needs.
void* loaded_library() {
  return dlopen("libMIOpen.vendor.so.1", RTLD_NOW | RTLD_NOLOAD);
}

#else

// Wheels patch the soname: then only the name of the file tells.
int is_miopen(dl_phdr_info* info, std::size_t, void* found) {
  const std::string_view file = info->dlpi_name;
  const std::string_view name = file.substr(file.rfind('/') + 1);
  if (!name.starts_with("libMIOpen") || name.find(".so") == std::string_view::npos) return 0;
  *static_cast<std::string*>(found) = file;
  return 1;
}

// Where our stub bears the library's name, the library is what the stub has loaded.
void* behind_stub(void* handle) {
  return dlsym(handle, "convoy_miopen_stub") == nullptr ? handle
                                                        : dlopen("libMIOpen.vendor.so.1", RTLD_NOW | RTLD_NOLOAD);
}

void* loaded_library() {
  for (const char* name : {"libMIOpen.so.1", "libMIOpen.so"}) {
    if (void* handle = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) return behind_stub(handle);
  }
  std::string file;
  dl_iterate_phdr(is_miopen, &file);
  return file.empty() ? nullptr : dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
}

#endif

template <typename Function>
bool bind(void* handle, Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(dlsym(handle, name));
  return function != nullptr;
}

// The name of a function that is missing, or null.
const char* bind_all(void* handle, RealLibrary& real) {
  const char* missing = nullptr;
#define MIOPEN_FUNCTION(name, result, parameters) \
  if (!bind(handle, real.name, #name)) missing = #name;
#define MIOPEN_OPTIONAL(name, result, parameters) bind(handle, real.name, #name);
#include "abi/miopen_functions.inc"
  if (!bind(handle, real.hip_get_device, "hipGetDevice")) missing = "hipGetDevice";
  bind(handle, real.hip_stream_is_capturing, "hipStreamIsCapturing");
  bind(handle, real.hip_memset_async, "hipMemsetAsync");
  return missing;
}

// A child process, elsewhere, shall load the same file.
std::string absolute(const char* file) {
  char path[PATH_MAX];
  return realpath(file, path) != nullptr ? path : file;
}

const RealLibrary* open_real() {
  void* handle = loaded_library();
  if (handle == nullptr) {
    std::fputs("convoy: this program calls MIOpen but has loaded no libMIOpen.so\n", stderr);
    return nullptr;
  }
  auto real = std::make_unique<RealLibrary>();
  const link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) real->file = absolute(map->l_name);
  const char* missing = bind_all(handle, *real);
  real->is_complete = missing == nullptr;
  if (missing != nullptr) {
    std::fprintf(stderr, "convoy: %s has no %s: not a MIOpen from ROCm 5.2 to 7; it is left as it is\n",
                 real->file.c_str(), missing);
  }
  return real.release();
}

}  // namespace

const RealLibrary* real_library() {
  static const RealLibrary* const real = open_real();
  return real;
}

}  // namespace convoy::miopen
