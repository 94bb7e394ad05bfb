// miopen_client_host: links neither MIOpen nor HIP and opens the client as a local module, as Python opens PyTorch. The
// libraries then are outside of the program's global scope, where RTLD_NEXT does not find them.
// With --unload the module is closed at the end, and a last line tells whether MIOpen left with it.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

std::string module_path() {
  Dl_info info{};
  dladdr(reinterpret_cast<void*>(&module_path), &info);
  const std::string self = info.dli_fname;
  const auto slash = self.rfind('/');
  return (slash == std::string::npos ? "." : self.substr(0, slash)) + "/miopen_client_module.so";
}

bool loaded(const char* name) {
  void* library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
  if (library != nullptr) dlclose(library);
  return library != nullptr;
}

}  // namespace

int main(int count, char** arguments) {
  void* module = dlopen(module_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  void* entry = module == nullptr ? nullptr : dlsym(module, "miopen_client_main");
  if (entry == nullptr) {
    std::fprintf(stderr, "miopen_client_host: %s\n", dlerror());
    return 2;
  }
  const int result = reinterpret_cast<int (*)(int, char**)>(entry)(count, arguments);
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--unload") != 0) continue;
    const bool closed = dlclose(module) == 0;
    std::printf("{\"kind\": \"unload\", \"ok\": %s, \"miopen_loaded\": %s}\n", closed ? "true" : "false",
                loaded("libMIOpen.so.1") ? "true" : "false");
  }
  return result;
}
