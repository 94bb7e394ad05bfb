// Shared libraries opened at run time: GPU runtimes, compilers, vendors' libraries. From named places only: a soname, which the
// system's loader looks for in its own folders, or an absolute path. Never from the current folder, and none of its symbols
// become visible to others.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace convoy {

// Files of libraries by the beginning of their names: "libamdhip64.so" -> "/opt/rocm/lib/libamdhip64.so.6.2".
using LibraryFiles = std::map<std::string, std::string>;

class DynamicLibrary {
 public:
  // An Error says what the loader said. `name`: "libfoo.so.1" or "/opt/x/libfoo.so.1".
  static Result<DynamicLibrary> open(const std::string& name);
  // The first of `names` that opens; an Error tells of the first one. One that the process has loaded already comes before all
  // others: a program that brings its own runtime must not get a second one. `avoid` is passed over.
  static Result<DynamicLibrary> open_first(std::span<const std::string_view> names,
                                           const DynamicLibrary* avoid = nullptr);
  // The first of `names` that the process has loaded, or the preferred one.
  static Result<DynamicLibrary> open_loaded(std::span<const std::string_view> names);
  // From now on open_first() opens `file`, an absolute path, and nothing else, for names that begin with `name`.
  static void prefer(const std::string& name, const std::string& file);
  // What open_first() has opened in this process.
  static LibraryFiles opened();

  // True when the process has a library whose file's name begins so, whoever loaded it.
  static bool is_loaded(std::string_view file_begins);

  const std::string& name() const { return name_; }
  // The file that it was loaded from; empty when the loader does not tell.
  std::string file() const;
  // Null when it has none.
  void* find(const char* symbol) const;
  // Fills a function pointer; an Error names the library and the symbol.
  template <typename Function>
  Result<void> bind(Function*& function, const char* symbol) const {
    void* address = find(symbol);
    if (address == nullptr) return missing(symbol);
    function = reinterpret_cast<Function*>(address);
    return {};
  }

 private:
  // Stays loaded: GPU runtimes have threads and exit handlers of their own.
  DynamicLibrary(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}
  static Result<DynamicLibrary> open(const std::string& name, int mode);
  static Result<DynamicLibrary> first_of(std::span<const std::string_view> names, std::span<const int> modes,
                                         const DynamicLibrary* avoid);
  static Result<DynamicLibrary> choose(std::span<const std::string_view> names, std::span<const int> modes,
                                       const DynamicLibrary* avoid);
  Result<void> missing(const char* symbol) const;

  void* handle_;
  std::string name_;
};

}  // namespace convoy
