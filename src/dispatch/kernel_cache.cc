// Implementation of kernel_cache.h.
#include "dispatch/kernel_cache.h"

#include <utility>

namespace convoy {

std::optional<std::string> KernelCache::find(std::string_view key) {
  return store_.find_kernel(key);
}

void KernelCache::put(std::string_view key, const Entry& entry) {
  KernelInfo kernel;
  kernel.key = key;
  kernel.name = entry.name;
  kernel.architecture = entry.architecture;
  kernel.compile_ms = entry.compile_ms;
  store_.put_kernel(std::move(kernel), entry.binary);
}

}  // namespace convoy
