// malloc and its relatives, counted per thread and handed on. Only in a program: a library's would not be found by others.
// A sanitizer has its own malloc, which must not be hidden: there nothing is counted and the answer is -1.
#include "malloc_count.h"

#include <dlfcn.h>

#include <atomic>
#include <cstddef>

#if defined(__has_feature)  // clang; GCC defines a macro for each
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONVOY_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONVOY_SANITIZED
#endif

#ifdef CONVOY_SANITIZED

long long miopen_client_malloc_count() {
  return -1;
}

#else

namespace {

thread_local long long g_count = 0;

// The next library's function, looked up at first use. dlsym may itself be racing here: all find the same.
template <typename Function>
Function next(std::atomic<Function>& known, const char* name) {
  Function function = known.load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
    known.store(function, std::memory_order_relaxed);
  }
  ++g_count;
  return function;
}

}  // namespace

long long miopen_client_malloc_count() {
  return g_count;
}

extern "C" {
#define CONVOY_EXPORT __attribute__((visibility("default")))

CONVOY_EXPORT void* malloc(std::size_t bytes) {
  static constinit std::atomic<void* (*)(std::size_t)> known{nullptr};
  return next(known, "malloc")(bytes);
}

CONVOY_EXPORT void* calloc(std::size_t count, std::size_t bytes) {
  static constinit std::atomic<void* (*)(std::size_t, std::size_t)> known{nullptr};
  return next(known, "calloc")(count, bytes);
}

CONVOY_EXPORT void* realloc(void* memory, std::size_t bytes) {
  static constinit std::atomic<void* (*)(void*, std::size_t)> known{nullptr};
  return next(known, "realloc")(memory, bytes);
}

CONVOY_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  static constinit std::atomic<void* (*)(std::size_t, std::size_t)> known{nullptr};
  return next(known, "aligned_alloc")(alignment, bytes);
}

CONVOY_EXPORT int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  static constinit std::atomic<int (*)(void**, std::size_t, std::size_t)> known{nullptr};
  return next(known, "posix_memalign")(memory, alignment, bytes);
}
}

#endif
