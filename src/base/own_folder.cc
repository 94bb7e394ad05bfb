// Implementation of own_folder.h.
#include "base/own_folder.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <filesystem>

namespace convoy {

std::string own_folder() {
  static const char anchor = 0;
  Dl_info info{};
  if (dladdr(&anchor, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  std::filesystem::path file = info.dli_fname;
  // A program's name is what its caller made of it: the kernel knows better.
  Dl_info program{};
  const bool ours =
      dladdr(reinterpret_cast<const void*>(getauxval(AT_PHDR)), &program) != 0 && program.dli_fbase == info.dli_fbase;
  if (ours) file = "/proc/self/exe";
  if (!file.is_absolute()) return {};
  file = std::filesystem::canonical(file, error);
  return error ? std::string() : file.parent_path().string();
}

}  // namespace convoy
