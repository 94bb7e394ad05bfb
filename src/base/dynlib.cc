// Implementation of dynlib.h.
#include "base/dynlib.h"

#include <dlfcn.h>
#include <link.h>

#include <array>
#include <mutex>

namespace convoy {
namespace {

struct Registry {
  std::mutex mutex;
  LibraryFiles preferred, opened;
};
Registry& registry() {
  static Registry* const one = new Registry;  // libraries stay loaded to the very end, too
  return *one;
}

// "libamdhip64.so.6" and "/opt/rocm/lib/libamdhip64.so" -> "libamdhip64.so"
std::string stem_of(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);
  return std::string(name.substr(0, name.find(".so") + 3));
}

std::string preferred_for(std::string_view name) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().preferred.find(stem_of(name));
  return found == registry().preferred.end() ? "" : found->second;
}

}  // namespace

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name) {
  return open(name, RTLD_NOW | RTLD_LOCAL);
}

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name, int mode) {
  const bool has_folder = name.find('/') != std::string::npos;
  if (name.empty() || (has_folder && name.front() != '/'))
    return fail(ErrorCode::invalid_argument, "'" + name + "' is neither a library's plain name nor an absolute path");
  void* handle = dlopen(name.c_str(), mode);
  if (handle != nullptr) return DynamicLibrary(handle, name);
  // Silent where a library is merely not loaded.
  const char* reason = dlerror();
  if (reason == nullptr && (mode & RTLD_NOLOAD) != 0) return fail(ErrorCode::unsupported, name + " is not loaded");
  return fail(ErrorCode::unsupported, reason != nullptr ? reason : name + " does not load");
}

void DynamicLibrary::prefer(const std::string& name, const std::string& file) {
  const std::lock_guard lock(registry().mutex);
  registry().preferred[stem_of(name)] = file;
}

LibraryFiles DynamicLibrary::opened() {
  const std::lock_guard lock(registry().mutex);
  return registry().opened;
}

std::string DynamicLibrary::file() const {
  const link_map* map = nullptr;
  return dlinfo(handle_, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr ? map->l_name : "";
}

Result<DynamicLibrary> DynamicLibrary::open_first(std::span<const std::string_view> names,
                                                  const DynamicLibrary* avoid) {
  constexpr std::array<int, 2> k_modes{RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD, RTLD_NOW | RTLD_LOCAL};
  return choose(names, k_modes, avoid);
}

Result<DynamicLibrary> DynamicLibrary::open_loaded(std::span<const std::string_view> names) {
  constexpr std::array<int, 1> k_modes{RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD};
  return choose(names, k_modes, nullptr);
}

Result<DynamicLibrary> DynamicLibrary::choose(std::span<const std::string_view> names, std::span<const int> modes,
                                              const DynamicLibrary* avoid) {
  if (names.empty()) return fail(ErrorCode::unsupported, "no library was named");
  const std::string file = preferred_for(names.front());
  auto library = file.empty() ? first_of(names, modes, avoid) : open(file);
  if (library) {
    const std::lock_guard lock(registry().mutex);
    registry().opened[stem_of(names.front())] = library->file();
  }
  return library;
}

Result<DynamicLibrary> DynamicLibrary::first_of(std::span<const std::string_view> names, std::span<const int> modes,
                                                const DynamicLibrary* avoid) {
  Error reason;
  for (const int mode : modes) {
    bool is_first = true;
    for (const std::string_view name : names) {
      auto library = open(std::string(name), mode);
      const bool avoided = library && avoid != nullptr && library->handle_ == avoid->handle_;
      if (library && !avoided) return library;
      if (is_first)
        reason = avoided ? Error{ErrorCode::unsupported, avoid->name_ + " is in its place"} : library.error();
      is_first = false;
    }
  }
  return tl::unexpected<Error>(std::move(reason));
}

bool DynamicLibrary::is_loaded(std::string_view file_begins) {
  const auto visit = [](dl_phdr_info* info, std::size_t, void* wanted) {
    std::string_view file = info->dlpi_name;
    file.remove_prefix(file.rfind('/') + 1);
    const auto& begins = *static_cast<const std::string_view*>(wanted);
    return file.substr(0, begins.size()) == begins ? 1 : 0;
  };
  return dl_iterate_phdr(visit, &file_begins) != 0;
}

void* DynamicLibrary::find(const char* symbol) const {
  return dlsym(handle_, symbol);
}

Result<void> DynamicLibrary::missing(const char* symbol) const {
  return fail(ErrorCode::unsupported, name_ + " has no " + symbol);
}

}  // namespace convoy
