// Implementation of dynlib.h.
#include "base/dynlib.h"

#include <dlfcn.h>
#include <link.h>

namespace convoy {

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name) {
  return open(name, RTLD_NOW | RTLD_LOCAL);
}

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name, int mode) {
  const bool has_folder = name.find('/') != std::string::npos;
  if (name.empty() || (has_folder && name.front() != '/'))
    return fail(ErrorCode::invalid_argument, "'" + name + "' is neither a library's plain name nor an absolute path");
  void* handle = dlopen(name.c_str(), mode);
  if (handle != nullptr) return DynamicLibrary(handle, name);
  const char* reason = dlerror();
  return fail(ErrorCode::unsupported, reason != nullptr ? reason : name + " does not load");
}

Result<DynamicLibrary> DynamicLibrary::open_first(std::span<const std::string_view> names,
                                                  const DynamicLibrary* avoid) {
  Error reason{ErrorCode::unsupported, "no library was named"};
  for (const int mode : {RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD, RTLD_NOW | RTLD_LOCAL}) {
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
