// malloc and its relatives, counted per thread and handed on. Only in a program: a library's would not be found by others.
// A sanitizer has its own malloc, which must not be hidden: there nothing is counted and the answer is -1.
#include "malloc_count.h"

#include <cerrno>
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

// glibc's own names for them. Not dlsym(RTLD_NEXT): the dynamic linker itself calls realloc() while it enlarges a thread's
// table of thread-local storage, and looking a symbol up in the middle of that corrupts the table.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT: glibc's name
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT
}

namespace {

thread_local long long g_count = 0;

}  // namespace

long long miopen_client_malloc_count() {
  return g_count;
}

extern "C" {
#define CONVOY_EXPORT __attribute__((visibility("default")))

CONVOY_EXPORT void* malloc(std::size_t bytes) {
  ++g_count;
  return __libc_malloc(bytes);
}

CONVOY_EXPORT void* calloc(std::size_t count, std::size_t bytes) {
  ++g_count;
  return __libc_calloc(count, bytes);
}

CONVOY_EXPORT void* realloc(void* memory, std::size_t bytes) {
  ++g_count;
  return __libc_realloc(memory, bytes);
}

CONVOY_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++g_count;
  return __libc_memalign(alignment, bytes);
}

CONVOY_EXPORT int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  ++g_count;
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

#endif
