// Implementation of dynlib.h.
#include "base/dynlib.h"

#include <dlfcn.h>

#include <optional>

namespace convoy {

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name) {
  const bool has_folder = name.find('/') != std::string::npos;
  if (name.empty() || (has_folder && name.front() != '/'))
    return fail(ErrorCode::invalid_argument, "'" + name + "' is neither a library's plain name nor an absolute path");
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return DynamicLibrary(handle, name);
  const char* reason = dlerror();
  return fail(ErrorCode::unsupported, reason != nullptr ? reason : name + " does not load");
}

Result<DynamicLibrary> DynamicLibrary::open_first(std::span<const std::string_view> names) {
  std::optional<Error> first;
  for (const std::string_view name : names) {
    auto library = open(std::string(name));
    if (library) return library;
    if (!first) first = std::move(library.error());
  }
  if (!first) first = Error{ErrorCode::unsupported, "no library was named"};
  return tl::unexpected<Error>(std::move(*first));
}

void* DynamicLibrary::find(const char* symbol) const {
  return dlsym(handle_, symbol);
}

Result<void> DynamicLibrary::missing(const char* symbol) const {
  return fail(ErrorCode::unsupported, name_ + " has no " + symbol);
}

}  // namespace convoy
