// Implementation of engine.h.
#include "engine.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace convoy::miopen {
namespace {

bool is_disabled() {
  const char* value = std::getenv("CONVOY_DISABLE");
  const std::string_view text = value == nullptr ? "" : value;
  return !text.empty() && text != "0" && text != "no" && text != "off" && text != "false" && text != "disable";
}

// Beside this library, whose own place is known from one of its addresses.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&engine), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string file = info.dli_fname;
  return file.substr(0, file.rfind('/') + 1);
}

void log_line(int, const char* text, void*) {
  std::fprintf(stderr, "convoy: %s\n", text);
}

const Engine* open_engine() {
  if (is_disabled()) return nullptr;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int k_mode = RTLD_NOW | RTLD_LOCAL;  // sanitizers interpose too
#else
  constexpr int k_mode = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
  // A stub stands in a foreign folder: then where the system's loader looks.
  const std::string beside = own_folder() + "libconvoy.so.0";
  void* handle = dlopen(access(beside.c_str(), F_OK) == 0 ? beside.c_str() : "libconvoy.so.0", k_mode);
  if (handle == nullptr) {
    std::fprintf(stderr, "convoy: %s; MIOpen is left as it is\n", dlerror());
    return nullptr;
  }
  auto opened = std::make_unique<Engine>();
  const char* missing = nullptr;
#define CONVOY_BIND(name)                                                        \
  opened->name = reinterpret_cast<decltype(opened->name)>(dlsym(handle, #name)); \
  if (opened->name == nullptr) missing = #name;
  CONVOY_ENGINE_FUNCTIONS(CONVOY_BIND)
#undef CONVOY_BIND
  if (missing != nullptr) {
    std::fprintf(stderr, "convoy: libconvoy.so.0 has no %s: of another version; MIOpen is left as it is\n", missing);
    return nullptr;
  }
  opened->convoy_set_log(log_line, nullptr, 0);
  return opened.release();
}

struct Handles {
  std::mutex mutex;
  pid_t process = 0;  // that opened the first: a child that it forked has none of its own
  std::map<std::pair<int, bool>, convoy_handle> all;  // null: could not be opened
};

// Never freed: threads of the program may outlive main().
Handles& handles() {
  static Handles* const one = new Handles;
  return *one;
}

convoy_handle open_handle(int device, bool deterministic, const char* miopen_file) {
  const std::string name = "hip:" + std::to_string(device);
  const std::string library = "miopen_library=" + std::string(miopen_file);
  const char* const settings[] = {library.c_str(), deterministic ? "deterministic=yes" : "deterministic=no", nullptr};
  convoy_handle handle = nullptr;
  if (engine()->convoy_create(&handle, name.c_str(), settings) == CONVOY_SUCCESS) return handle;
  std::fprintf(stderr, "convoy: %s; MIOpen is left as it is\n", engine()->convoy_last_error());
  return nullptr;
}

std::string statistics_of(convoy_handle handle) {
  std::size_t needed = 0;
  engine()->convoy_statistics_json(handle, nullptr, 0, &needed);
  std::string text(needed, '\0');
  if (engine()->convoy_statistics_json(handle, text.data(), text.size(), &needed) != CONVOY_SUCCESS) return "";
  text.resize(needed > 0 ? needed - 1 : 0);  // without the final zero
  return text;
}

// For `convoy exec`: one file for each handle of each process, in a folder of its own.
__attribute__((destructor)) void write_statistics() {
  const char* folder = std::getenv("CONVOY_STATISTICS_DIR");
  if (folder == nullptr || *folder != '/' || handles().process != getpid()) return;
  const std::unique_lock lock(handles().mutex, std::try_to_lock);
  if (!lock) return;  // a thread of the program is still at it
  for (const auto& [key, handle] : handles().all) {
    if (handle == nullptr) continue;
    const std::string file = std::string(folder) + "/" + std::to_string(getpid()) + "-hip" + std::to_string(key.first) +
                             (key.second ? "-deterministic" : "") + ".json";
    const std::string text = statistics_of(handle);
    const int out = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0) continue;
    static_cast<void>(!write(out, text.data(), text.size()));
    close(out);
  }
}

}  // namespace

const Engine* engine() {
  static const Engine* const one = open_engine();
  return one;
}

convoy_handle engine_handle(int device, bool deterministic, const char* miopen_file) {
  const std::lock_guard lock(handles().mutex);
  const auto [slot, is_new] = handles().all.try_emplace({device, deterministic}, nullptr);
  if (handles().process == 0) handles().process = getpid();
  if (is_new) slot->second = open_handle(device, deterministic, miopen_file);
  return slot->second;
}

}  // namespace convoy::miopen
