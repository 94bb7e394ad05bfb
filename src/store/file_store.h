// The store: two shelves, each with its own lock, so that a find never waits for the fsync of an intent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/cache_rows.h"
#include "store/fork_guard.h"
#include "store/ledger_rows.h"
#include "store/shelf.h"
#include "store/store.h"

namespace convoy {

// Where the user's files are to be, or why there is no such place.
struct StorePlace {
  FilePlace files;
  std::string refusal;
};

class FileStore final : public Store, private ForkAware {
 public:
  explicit FileStore(const StoreConfig& config);
  ~FileStore() override;

  std::vector<FindRecord> find_records(std::string_view problem, std::string_view device) override;
  void put_find(const FindRecord& record) override;
  std::optional<SearchTurn> take_search_turn(std::chrono::milliseconds patience) override;

  std::optional<std::string> find_kernel(std::string_view key) override;
  void put_kernel(KernelInfo kernel, std::string_view binary) override;

  std::int64_t begin_intent(const TrialKey& key) override;
  void close_intent(std::int64_t intent, const VerdictRecord& record, int signal, std::string_view reason) override;
  void cancel_intent(std::int64_t intent) override;
  void add_incident(const TrialKey& key, Verdict verdict, int strikes, std::string_view reason) override;
  std::optional<VerdictRecord> passed_before(const TrialKey& key) override;
  std::vector<Incident> incidents(const TrialKey& key) override;
  std::vector<Incident> incidents_of_solver(std::string_view solver, std::string_view device,
                                            std::string_view library) override;

  Result<Contents> contents() override;
  Result<std::string> export_lines(Kernels kernels) override;
  Result<ImportCounts> import_lines(std::string_view text, std::string_view source, Kernels kernels) override;
  Result<PruneCounts> prune(std::chrono::hours age) override;
  Result<std::vector<std::string>> verify() override;
  Result<int> forget(std::string_view what) override;
  std::vector<std::string> notes() const override;

 private:
  void before_fork() override;
  void after_fork() override;

  std::int64_t now() const { return config_.now(); }
  std::int64_t seconds_ago(std::chrono::hours age) const;
  Window young() const;
  // Needs ledger_mutex_. Also removes the intents in unclosed_.
  template <typename Write>
  bool write_ledger(Write&& write);
  Result<void> recover(Database& database, LedgerRows& rows) const;
  Incident incident_of(const TrialKey& key, Verdict verdict, int strikes) const;

  // kernel_store.cc. All need cache_mutex_.
  bool is_users(const std::string& path) const;
  // Says so once where not.
  bool code_trusted(const std::string& path) const;
  // Also writes used_. False: it could not be written.
  bool write_kernels(const std::function<Result<void>(KernelRows&)>& write);
  void write_uses();
  void note_use(const KernelInfo& kernel);

  StoreConfig config_;
  StorePlace place_;
  mutable std::mutex cache_mutex_;
  mutable std::mutex ledger_mutex_;
  Shelf<CacheRows> cache_;
  Shelf<LedgerRows> ledger_;
  std::set<std::string> used_;  // kernels whose last use is to be written
  // Intents that have ended and are still in the file. They outlive a failed write: else they would count as
  // crashes.
  std::vector<OpenIntent> unclosed_;
};

}  // namespace convoy
