// Implementation of engine.h.
#include "engine.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

namespace convoy::pytorch {
namespace {

struct Opened {
  std::unique_ptr<const Engine> engine;
  std::string failure;
};

// Beside this library, as in a wheel; where programs and libraries are installed, this one stands in convoy/python/convoy/lib.
std::string engine_file() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&engine), &info) == 0 || info.dli_fname == nullptr) return "libconvoy.so.0";
  const std::string file = info.dli_fname;
  const std::string folder = file.substr(0, file.rfind('/') + 1);
  for (const char* place : {"libconvoy.so.0", "../../../../libconvoy.so.0"}) {
    if (access((folder + place).c_str(), F_OK) == 0) return folder + place;
  }
  return "libconvoy.so.0";
}

void log_line(int, const char* text, void*) {
  std::fprintf(stderr, "convoy: %s\n", text);
}

Opened open_engine() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int k_mode = RTLD_NOW | RTLD_LOCAL;  // sanitizers interpose
#else
  constexpr int k_mode = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
  void* handle = dlopen(engine_file().c_str(), k_mode);
  if (handle == nullptr) return {nullptr, dlerror()};
  auto opened = std::make_unique<Engine>();
  const char* missing = nullptr;
#define CONVOY_BIND(name)                                                        \
  opened->name = reinterpret_cast<decltype(opened->name)>(dlsym(handle, #name)); \
  if (opened->name == nullptr) missing = #name;
  CONVOY_ENGINE_FUNCTIONS(CONVOY_BIND)
#undef CONVOY_BIND
  if (missing != nullptr)
    return {nullptr, engine_file() + " has no " + missing + ": it is of another version than the PyTorch door"};
  opened->convoy_set_log(log_line, nullptr, 0);
  return {std::move(opened), ""};
}

const Opened& opened() {
  static const auto* const one = new Opened(open_engine());
  return *one;
}

}  // namespace

const Engine* engine() {
  return opened().engine.get();
}

const char* engine_failure() {
  return opened().failure.c_str();
}

}  // namespace convoy::pytorch
