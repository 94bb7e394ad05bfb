// The store's everyday calls. Those for kernels stand in kernel_store.cc, maintenance in maintenance.cc.
#include "store/file_store.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "store/process_identity.h"
#include "store/recovery.h"

namespace convoy {
namespace {

constexpr std::int64_t k_clock_tolerance = std::int64_t{24} * 3600;

StoreConfig completed(StoreConfig config) {
  if (!config.now) {
    config.now = [] {
      const auto since = std::chrono::system_clock::now().time_since_epoch();
      return std::chrono::duration_cast<std::chrono::seconds>(since).count();
    };
  }
  if (config.host.empty()) config.host = host_name();
  return config;
}

// The user's folder, fit for private files, or why there is none.
StorePlace place_of(const StoreConfig& config) {
  if (config.folder.empty()) return {{}, "no folder is set (cache_dir, XDG_CACHE_HOME or HOME)"};
  if (auto made = make_private_folder(config.folder); !made) {
    log_once(LogLevel::warning,
             fmt::format("store: {}; what is learned is kept in memory and ends with this process. Cure: set "
                         "CONVOY_CACHE_DIR to a folder of your own",
                         made.error().message));
    return {{}, made.error().message};
  }
  // Parents may well be links (/home on another disk); SQLite is told to follow none.
  std::error_code error;
  const auto folder = std::filesystem::canonical(config.folder, error);
  if (error) return {{}, fmt::format("{}: {}", config.folder, error.message())};
  const bool network = config.assume_network_filesystem || on_network_filesystem(folder);
  return {{folder, config.host, network, config.busy_timeout}, {}};
}

ShelfPlan plan_of(const StoreConfig& config, const StorePlace& place, const FileSpec& spec) {
  ShelfPlan plan{&spec, place.files, place.refusal, {}, config.now};
  for (const auto& folder : config.system_folders) {
    plan.system_paths.push_back(fmt::format("{}/{}.db", folder, spec.name));
  }
  return plan;
}

// What no file would accept is dropped: it comes from a bug or from a device that names itself in control
// characters.
template <typename Record>
bool acceptable(const Record& record) {
  const auto flaw = flaw_of(record);
  if (flaw) log_once(LogLevel::warning, fmt::format("store: not recorded: {} {}", flaw->field, flaw->what));
  return !flaw;
}

std::vector<Incident> newest_first(std::vector<Incident> incidents) {
  std::stable_sort(incidents.begin(), incidents.end(), [](const auto& a, const auto& b) { return a.at > b.at; });
  return incidents;
}

auto identity_of(const FindRecord& r) {
  return std::tie(r.problem, r.device, r.library, r.solver, r.params);
}

}  // namespace

std::unique_ptr<Store> Store::open(const StoreConfig& config) {
  return std::make_unique<FileStore>(config);
}

int strikes_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::wrong_result:
    case Verdict::crashed:
    case Verdict::timed_out: return 2;
    case Verdict::failed: return 1;
    case Verdict::passed:
    case Verdict::refused: return 0;
  }
  return 0;
}

FileStore::FileStore(const StoreConfig& config)
    : config_(completed(config)),
      place_(place_of(config_)),
      cache_(plan_of(config_, place_, cache_spec()), nullptr),
      ledger_(plan_of(config_, place_, ledger_spec()),
              [this](Database& database, LedgerRows& rows) { return recover(database, rows); }) {
  register_fork_aware(*this);
  const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
  cache_.open();
  ledger_.open();
}

FileStore::~FileStore() {
  {
    const std::scoped_lock lock(cache_mutex_, ledger_mutex_);
    const auto nothing = [](auto&) -> Result<void> { return {}; };
    cache_.stop_pausing();
    if (cache_.waiting()) static_cast<void>(cache_.write_file(nothing));
    write_uses();
    ledger_.stop_pausing();
    if (ledger_.waiting() || !unclosed_.empty()) write_ledger(nothing);
    cache_.close();
    ledger_.close();
  }
  unregister_fork_aware(*this);  // last: until here a fork would have inherited open files
}

void FileStore::before_fork() {
  cache_mutex_.lock();
  ledger_mutex_.lock();
  cache_.close_quickly();
  ledger_.close_quickly();
}

void FileStore::after_fork() {
  ledger_mutex_.unlock();
  cache_mutex_.unlock();
}

Result<void> FileStore::recover(Database& database, LedgerRows& rows) const {
  CONVOY_TRY(const int count, recover_intents(database, rows, this_process(config_.host), now()));
  if (count > 0) log(LogLevel::info, "store: {} trials ended without a verdict", count);
  return {};
}

std::int64_t FileStore::seconds_ago(std::chrono::hours age) const {
  // In double: an age of thousands of years must not wrap round.
  const double seconds = std::chrono::duration<double>(age).count();
  return seconds >= static_cast<double>(now()) ? 0 : now() - static_cast<std::int64_t>(seconds);
}

Window FileStore::young() const {
  return {seconds_ago(config_.forgiveness), now() + k_clock_tolerance};
}

template <typename Write>
bool FileStore::write_ledger(Write&& write) {
  const auto done = ledger_.write_file([&](LedgerRows& rows) -> Result<void> {
    for (const OpenIntent& intent : unclosed_) CONVOY_CHECK(rows.remove_intent(intent.id, intent.pid));
    return write(rows);
  });
  if (done) unclosed_.clear();
  return done.has_value();
}

std::vector<FindRecord> FileStore::find_records(std::string_view problem, std::string_view device) {
  std::vector<FindRecord> records;
  {
    const std::lock_guard lock(cache_mutex_);
    cache_.read([&](CacheRows& rows) { return rows.find(problem, device, records); });
  }
  // Of the same choice the strongest layer's record stays, which was read first.
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return identity_of(a) < identity_of(b); });
  const auto same = [](const auto& a, const auto& b) { return identity_of(a) == identity_of(b); };
  records.erase(std::unique(records.begin(), records.end(), same), records.end());
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.time_ms < b.time_ms; });
  return records;
}

void FileStore::put_find(const FindRecord& record) {
  FindRecord row = record;
  if (row.measured_at == 0) row.measured_at = now();
  if (!acceptable(row)) return;
  const auto write = [&](CacheRows& rows) { return rows.put(row); };
  const std::lock_guard lock(cache_mutex_);
  if (!cache_.write_file(write)) cache_.write_memory(write);
}

std::optional<SearchTurn> FileStore::take_search_turn(std::chrono::milliseconds patience) {
  if (place_.files.folder.empty()) return SearchTurn();
  return convoy::take_search_turn(place_.files.folder, patience);
}

std::int64_t FileStore::begin_intent(const TrialKey& key) {
  if (!acceptable(key)) return 0;
  const ProcessIdentity self = this_process(config_.host);
  const IntentRow row{{0, key, self.pid, self.host, now()}, self.started, self.pid_namespace, self.boot};
  std::int64_t id = 0;
  const std::lock_guard lock(ledger_mutex_);
  // Never in memory: an intent that ends with the process says nothing.
  const bool written = write_ledger([&](LedgerRows& rows) -> Result<void> {
    CONVOY_TRY(id, rows.add_intent(row));
    return {};
  });
  return written ? id : 0;
}

void FileStore::close_intent(std::int64_t intent, const VerdictRecord& record, int signal, std::string_view reason) {
  VerdictRecord row = record;
  if (row.at == 0) row.at = now();
  // Not a number is worse than any error, and a file cannot hold it.
  if (std::isnan(row.error)) row.error = HUGE_VAL;
  if (!acceptable(row)) return cancel_intent(intent);
  Incident incident = incident_of(row.key, row.verdict, strikes_of(row.verdict));
  incident.signal = std::clamp(signal, 0, k_max_signal);
  incident.reason = one_line(reason);
  incident.at = row.at;
  const auto write = [&](LedgerRows& rows) -> Result<void> {
    CONVOY_CHECK(rows.put_verdict(row));
    if (incident.strikes > 0) CONVOY_CHECK(rows.add_incident(incident));
    if (row.verdict == Verdict::passed) CONVOY_CHECK(rows.clear_strikes(row.key));
    return {};
  };
  const std::lock_guard lock(ledger_mutex_);
  if (intent != 0) unclosed_.push_back({intent, {}, ::getpid(), {}, 0});
  if (!write_ledger(write)) ledger_.write_memory(write);
}

void FileStore::cancel_intent(std::int64_t intent) {
  if (intent == 0) return;
  const std::lock_guard lock(ledger_mutex_);
  unclosed_.push_back({intent, {}, ::getpid(), {}, 0});
  write_ledger([](LedgerRows&) -> Result<void> { return {}; });
}

void FileStore::add_incident(const TrialKey& key, Verdict verdict, int strikes, std::string_view reason) {
  Incident incident = incident_of(key, verdict, std::clamp(strikes, 0, k_max_strikes));
  incident.reason = one_line(reason);
  if (!acceptable(incident)) return;
  const auto write = [&](LedgerRows& rows) { return rows.add_incident(incident); };
  const std::lock_guard lock(ledger_mutex_);
  if (!write_ledger(write)) ledger_.write_memory(write);
}

Incident FileStore::incident_of(const TrialKey& key, Verdict verdict, int strikes) const {
  return {0, key, verdict, strikes, 0, {}, config_.host, now()};
}

std::optional<VerdictRecord> FileStore::passed_before(const TrialKey& key) {
  std::optional<VerdictRecord> known;
  const std::lock_guard lock(ledger_mutex_);
  ledger_.read([&](LedgerRows& rows) -> Result<void> {
    if (known) return {};  // the strongest layer that knows the key decides
    CONVOY_TRY(known, rows.verdict(key));
    return {};
  });
  if (known && known->verdict != Verdict::passed) known.reset();
  return known;
}

std::vector<Incident> FileStore::incidents(const TrialKey& key) {
  std::vector<Incident> found;
  const Window window = young();
  {
    const std::lock_guard lock(ledger_mutex_);
    ledger_.read([&](LedgerRows& rows) { return rows.incidents(key, window, found); });
  }
  return newest_first(std::move(found));
}

std::vector<Incident> FileStore::incidents_of_solver(std::string_view solver, std::string_view device,
                                                     std::string_view library) {
  std::vector<Incident> found;
  const Window window = young();
  {
    const std::lock_guard lock(ledger_mutex_);
    ledger_.read([&](LedgerRows& rows) { return rows.incidents_of_solver({solver, device, library}, window, found); });
  }
  return newest_first(std::move(found));
}

}  // namespace convoy
