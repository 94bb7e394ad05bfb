// The store's calls for `convoy db`: these report failures, the everyday ones do not.
#include <algorithm>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "store/file_store.h"
#include "store/transfer.h"
#include "store/trust.h"

namespace convoy {
namespace {

// A clock may be off by that much and a row still be sound.
constexpr std::int64_t k_clock_tolerance = std::int64_t{24} * 3600;

// Fails while others use the file: then the room is used again later.
void compact(Database* database) {
  if (database == nullptr) return;
  for (const char* sql : {"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"}) {
    if (auto done = database->execute(sql); !done) log(LogLevel::info, "store: {}", done.error().message);
  }
}

Result<void> verify_kernels(KernelRows& rows, const std::string& path, std::vector<std::string>& findings) {
  return rows.each([&](const PackedKernel& kernel) {
    if (flaw_of(kernel.info)) return;  // counted among the senseless
    if (auto binary = unpack(kernel); !binary) {
      findings.push_back(fmt::format("{}: kernel {} for {}, {}: {}; it is compiled again when it is needed", path,
                                     kernel.info.name, kernel.info.architecture, kernel.info.key,
                                     binary.error().message));
    }
  });
}

template <typename Rows>
Result<void> verify_rows(Database& database, std::int64_t now, std::vector<std::string>& findings) {
  CONVOY_TRY(Rows rows, Rows::over(database));
  Store::Contents contents;
  int senseless = 0;
  CONVOY_CHECK(rows.read_all(contents, senseless));
  if (senseless > 0) {
    findings.push_back(fmt::format("{}: {} rows make no sense and are not read", database.path(), senseless));
  }
  if constexpr (std::is_same_v<Rows, CacheRows>) {
    CONVOY_CHECK(verify_kernels(rows.kernels(), database.path(), findings));
  }
  const auto ahead = [&](std::int64_t at) { return at > now + k_clock_tolerance; };
  const auto early =
      std::count_if(contents.finds.begin(), contents.finds.end(), [&](auto& r) { return ahead(r.measured_at); }) +
      std::count_if(contents.kernels.begin(), contents.kernels.end(), [&](auto& r) { return ahead(r.last_used); }) +
      std::count_if(contents.verdicts.begin(), contents.verdicts.end(), [&](auto& r) { return ahead(r.at); }) +
      std::count_if(contents.incidents.begin(), contents.incidents.end(), [&](auto& r) { return ahead(r.at); });
  if (early > 0) findings.push_back(fmt::format("{}: {} rows are dated in the future", database.path(), early));
  return {};
}

Result<void> verify_integrity(Database& database, std::vector<std::string>& findings) {
  CONVOY_TRY(Statement check, Statement::prepare(database, "PRAGMA integrity_check"));
  return check.each([&](const Row& row) {
    const std::string line = row.text(0).value_or("unreadable answer");
    if (line != "ok") findings.push_back(fmt::format("{}: {}", database.path(), line));
  });
}

// Reads past the shelf: what is found damaged here is to be reported, not repaired.
template <typename Rows>
void verify_file(Database* database, const FileSpec& spec, std::int64_t now, std::vector<std::string>& findings) {
  if (database == nullptr) return;
  const auto check = [&]() -> Result<void> {
    CONVOY_CHECK(verify_integrity(*database, findings));
    CONVOY_TRY(const SchemaState state, schema_state(*database, spec.steps));
    if (state != SchemaState::matches) findings.push_back(database->path() + ": the schema is not ours");
    return verify_rows<Rows>(*database, now, findings);
  };
  if (auto done = check(); !done) findings.push_back(done.error().message);
}

}  // namespace

Result<Store::Contents> FileStore::contents() {
  Contents contents;
  int senseless = 0;
  {
    const std::lock_guard lock(cache_mutex_);
    CONVOY_CHECK(cache_.read_own([&](CacheRows& rows) { return rows.read_all(contents, senseless); }));
  }
  const std::lock_guard lock(ledger_mutex_);
  CONVOY_CHECK(ledger_.read_own([&](LedgerRows& rows) { return rows.read_all(contents, senseless); }));
  if (senseless > 0) log(LogLevel::warning, "store: {} rows make no sense and were skipped", senseless);
  return contents;
}

Result<std::string> FileStore::export_lines(Kernels kernels) {
  CONVOY_TRY(const Contents all, contents());
  std::string lines = write_lines(all);
  if (kernels == Kernels::left_out) return lines;
  const std::lock_guard lock(cache_mutex_);
  CONVOY_CHECK(cache_.read_own([&](CacheRows& rows) -> Result<void> {
    if (!is_users(rows.path()) || !code_trusted(rows.path())) return {};
    return rows.kernels().each([&](const PackedKernel& kernel) {
      if (unpack(kernel)) lines += write_line(kernel);
    });
  }));
  return lines;
}

Result<Store::ImportCounts> FileStore::import_lines(std::string_view text, std::string_view source, Kernels kernels) {
  CONVOY_TRY(const Decisions decisions, read_lines(text, source, kernels));
  const Contents& contents = decisions.contents;
  // Each is counted anew when its transaction is tried again.
  ImportCounts cached;
  ImportCounts others;
  const auto import_cached = [&](CacheRows& rows) -> Result<void> {
    cached = {};
    for (const FindRecord& record : contents.finds) {
      CONVOY_TRY(const bool added, rows.merge(record));
      ++(added ? cached.finds : cached.already_there);
    }
    for (const PackedKernel& kernel : decisions.kernels) {
      CONVOY_TRY(const bool added, rows.kernels().merge(kernel));
      ++(added ? cached.kernels : cached.already_there);
    }
    return rows.kernels().evict_over(config_.kernel_limit);
  };
  const bool nothing_cached = contents.finds.empty() && decisions.kernels.empty();
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  // The cache's transaction inside the ledger's: when its rows cannot be written, nothing is.
  CONVOY_CHECK(ledger_.change([&](LedgerRows& rows) -> Result<void> {
    others = {};
    for (const VerdictRecord& record : contents.verdicts) {
      CONVOY_TRY(const bool added, rows.merge_verdict(record));
      ++(added ? others.verdicts : others.already_there);
    }
    for (const Incident& incident : contents.incidents) {
      CONVOY_TRY(const bool added, rows.merge_incident(incident));
      ++(added ? others.incidents : others.already_there);
    }
    return nothing_cached ? Result<void>() : cache_.change(import_cached);
  }));
  others.finds = cached.finds;
  others.kernels = cached.kernels;
  others.already_there += cached.already_there;
  others.kernels_left_out = decisions.kernels_left_out;
  return others;
}

Result<Store::PruneCounts> FileStore::prune(std::chrono::hours age) {
  PruneCounts counts;
  const std::int64_t before = seconds_ago(age);
  const std::int64_t forgiven = std::min(before, seconds_ago(config_.forgiveness));
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  CONVOY_CHECK(cache_.change([&](CacheRows& rows) -> Result<void> {
    CONVOY_TRY(counts.finds, rows.remove_older_than(before));
    CONVOY_TRY(counts.kernels, rows.kernels().remove_unused_since(before));
    return rows.kernels().evict_over(config_.kernel_limit);
  }));
  CONVOY_CHECK(ledger_.change([&](LedgerRows& rows) -> Result<void> {
    CONVOY_TRY(counts.verdicts, rows.remove_verdicts_older_than(before));
    CONVOY_TRY(counts.incidents, rows.remove_incidents_older_than(forgiven));
    return {};
  }));
  compact(cache_.file());
  compact(ledger_.file());
  return counts;
}

Result<std::vector<std::string>> FileStore::verify() {
  std::vector<std::string> findings;
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  cache_.open();
  ledger_.open();
  if (cache_.file() == nullptr && ledger_.file() == nullptr) {
    std::vector<std::string> reasons = cache_.notes();
    for (std::string& note : ledger_.notes()) reasons.push_back(std::move(note));
    return fail(ErrorCode::io, fmt::format("there is no file to check: {}", fmt::join(reasons, "; ")));
  }
  verify_file<CacheRows>(cache_.file(), cache_spec(), now(), findings);
  verify_file<LedgerRows>(ledger_.file(), ledger_spec(), now(), findings);
  return findings;
}

Result<int> FileStore::forget(std::string_view what) {
  if (what.empty()) return fail(ErrorCode::invalid_argument, "nothing to forget was named");
  int removed = 0;
  int cached = 0;
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  if (what != "kernels") {
    CONVOY_CHECK(ledger_.change([&](LedgerRows& rows) -> Result<void> {
      CONVOY_TRY(removed, what == "all" ? rows.forget_all() : rows.forget(what));
      return {};
    }));
  }
  if (what != "kernels" && what != "all") return removed;
  CONVOY_CHECK(cache_.change([&](CacheRows& rows) -> Result<void> {
    CONVOY_TRY(cached, what == "all" ? rows.forget_all() : rows.kernels().forget_all());
    return {};
  }));
  return removed + cached;
}

std::vector<std::string> FileStore::notes() const {
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  auto lines = cache_.notes();
  if (const std::string path = place_.files.path(cache_spec()); cache_.writable()) {
    const std::string why = why_code_distrusted(path, CodeOwner::user_or_root);
    if (!why.empty()) lines.push_back(fmt::format("kernels: not used: {}", why));
  }
  for (auto& line : ledger_.notes()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace convoy
