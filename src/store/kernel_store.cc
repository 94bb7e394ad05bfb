// The store's calls for compiled programs. They live in cache.db alone: what cannot be written there is dropped, because the
// process that compiled it keeps it loaded anyway.
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "store/file_store.h"
#include "store/trust.h"

namespace convoy {
namespace {

// A row's last use is written once a day, and together with that of others: reading must not make every process write.
constexpr std::int64_t k_use_resolution = std::int64_t{24} * 3600;
constexpr std::size_t k_most_unwritten_uses = 64;

}  // namespace

bool FileStore::is_users(const std::string& path) const {
  return !place_.files.folder.empty() && path == place_.files.path(cache_spec());
}

bool FileStore::code_trusted(const std::string& path) const {
  const std::string why = why_code_distrusted(path, is_users(path) ? CodeOwner::user_or_root : CodeOwner::root_alone);
  if (!why.empty()) log_once(LogLevel::warning, fmt::format("store: kernels in {} are not used: {}", path, why));
  return why.empty();
}

bool FileStore::write_kernels(const std::function<Result<void>(KernelRows&)>& write) {
  const auto done = cache_.write_file([&](CacheRows& rows) -> Result<void> {
    for (const std::string& key : used_) CONVOY_CHECK(rows.kernels().touch(key, now()));
    return write(rows.kernels());
  });
  if (done) used_.clear();
  return done.has_value();
}

void FileStore::write_uses() {
  if (!used_.empty() && cache_.writable()) write_kernels([](KernelRows&) -> Result<void> { return {}; });
}

void FileStore::note_use(const KernelInfo& kernel) {
  const std::int64_t age = now() - kernel.last_used;
  // A row that is dated in the future would never be the least recently used.
  if (!cache_.writable() || (age >= 0 && age < k_use_resolution)) return;
  used_.insert(kernel.key);
  if (used_.size() >= k_most_unwritten_uses) write_uses();
}

std::optional<std::string> FileStore::find_kernel(std::string_view key) {
  std::optional<std::string> binary;
  std::optional<KernelInfo> used;
  bool spoiled = false;
  const std::lock_guard lock(cache_mutex_);
  cache_.read([&](CacheRows& rows) -> Result<void> {
    if (binary) return {};  // the strongest layer that has a sound one
    CONVOY_TRY(const auto packed, rows.kernels().find(key));
    if (!packed || !code_trusted(rows.path())) return {};
    auto unpacked = unpack(*packed);
    if (!unpacked) {
      log_once(LogLevel::warning, fmt::format("store: {}: kernel {}: {}; it is compiled again", rows.path(), key,
                                              unpacked.error().message));
      spoiled = spoiled || is_users(rows.path());
      return {};
    }
    binary = *std::move(unpacked);
    if (is_users(rows.path())) used = packed->info;
    return {};
  });
  if (spoiled && cache_.writable()) write_kernels([&](KernelRows& rows) { return rows.remove(key); });
  if (used) note_use(*used);
  return binary;
}

void FileStore::put_kernel(KernelInfo kernel, std::string_view binary) {
  if (kernel.created == 0) kernel.created = now();
  kernel.last_used = now();
  const auto packed = pack(std::move(kernel), binary);
  if (!packed) {
    log_once(LogLevel::warning, fmt::format("store: a kernel is not kept: {}", packed.error().message));
    return;
  }
  if (packed->info.stored_bytes > config_.kernel_limit) return;
  const std::lock_guard lock(cache_mutex_);
  if (cache_.writable() && !code_trusted(place_.files.path(cache_spec()))) return;
  write_kernels([&](KernelRows& rows) -> Result<void> {
    CONVOY_CHECK(rows.put(*packed));
    return rows.evict_over(config_.kernel_limit);
  });
}

}  // namespace convoy
