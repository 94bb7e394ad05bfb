// What Convoy remembers on disk.
//
// Two SQLite files in one folder. cache.db (find results, compiled kernels) may vanish: a file of
// another version or a corrupt one is renamed aside and started over. ledger.db (verdicts, incidents, open
// intents) is precious: it is migrated, never dropped; a newer schema is left alone and we run without it; a
// corrupt one is kept aside and what can be read is saved.
//
// WAL on local disks. On network file systems no WAL (its shared memory does not cross hosts) and one file
// per host (ledger-<host>.db). Read-only system layers lie under the user's files. Where nothing is writable
// everything is kept in memory, and written when it becomes writable. A failure of the store never fails a
// convolution: it is logged once and the call says "don't know". The program may fork: connections are closed
// before and opened again after it (fork_guard.h).
//
// An intent is committed before the first launch of an untried (solver, problem, device, library) and removed
// with its verdict in one transaction. An intent whose process is gone is a crash: the next open() turns it
// into an incident. Quarantine is not stored: it is the sum of strikes of incidents that are young enough.
//
// Machine code is believed less than decisions: kernels come only from a cache.db that nobody but the user or
// root can have written, of system layers only from root's (trust.h), and move between machines only when the
// user says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/settings.h"
#include "base/verdict.h"
#include "store/search_turn.h"

namespace convoy {

struct StoreConfig {
  std::string folder;                       // the user's; empty: memory only
  std::vector<std::string> system_folders;  // read-only layers, strongest first; missing ones are skipped
  std::chrono::milliseconds busy_timeout{2000};
  std::chrono::hours forgiveness{24 * 30};              // incidents older than this no longer count
  std::uint64_t kernel_limit = std::uint64_t{1} << 30;  // bytes of the user's cache.db; the least recently used go
  std::function<std::int64_t()> now;                    // seconds since the epoch; empty: the system's clock
  std::string host;                                     // empty: this machine's name
  bool assume_network_filesystem = false;               // for tests: as if on_network_filesystem(folder)
};

// The user's folder: setting cache_dir, else $XDG_CACHE_HOME/convoy, else $HOME/.cache/convoy, else none.
StoreConfig store_config(const Settings& settings);

// What a verdict is about. `problem_class` is the problem without its batch size (quarantine spans batch
// sizes); `device` names hardware architecture and driver; `library` the solver's library and version. Empty
// fields never match by wildcard.
struct TrialKey {
  std::string solver;
  std::string problem;
  std::string problem_class;
  std::string device;
  std::string library;
};

struct FindRecord {
  std::string problem;
  std::string device;
  std::string library;
  std::string solver;
  std::string params;  // the solver's own choice among its algorithms; empty for its default
  double time_ms = 0;
  std::uint64_t workspace_bytes = 0;
  std::int64_t measured_at = 0;  // seconds since the epoch
};

// A compiled program, without its machine code.
struct KernelInfo {
  std::string key;  // says everything that shaped the code; made by whoever compiles
  std::string name;
  std::string architecture;
  std::uint64_t bytes = 0;
  std::uint64_t stored_bytes = 0;  // compressed, as it lies in the file
  double compile_ms = 0;
  std::int64_t created = 0;
  std::int64_t last_used = 0;  // exact to a day
};

// Whether compiled programs go along when decisions move.
enum class Kernels { left_out, included };

struct VerdictRecord {
  TrialKey key;
  Verdict verdict = Verdict::passed;
  double error = 0;
  double tolerance = 0;
  std::int64_t at = 0;
};

struct Incident {
  std::int64_t id = 0;
  TrialKey key;
  Verdict verdict = Verdict::failed;
  int strikes = 0;
  int signal = 0;
  std::string reason;
  std::string host;
  std::int64_t at = 0;
};

struct OpenIntent {
  std::int64_t id = 0;
  TrialKey key;
  std::int64_t pid = 0;
  std::string host;
  std::int64_t at = 0;
};

// 2: nothing else ran when it happened, guilt is certain. 1: it may have been something else. Two strikes
// quarantine.
inline constexpr int k_quarantine_strikes = 2;
int strikes_of(Verdict verdict);  // wrong_result, crashed, timed_out: 2; failed: 1; others 0

// Thread-safe. Any number of processes may share the folder.
class Store {
 public:
  // Never fails; what went wrong is logged once and shown by notes().
  static std::unique_ptr<Store> open(const StoreConfig& config);
  virtual ~Store() = default;

  // --- cache: find results ---
  // Fastest record first; the user's layer wins over system layers for the same (problem, device, library,
  // solver, params).
  virtual std::vector<FindRecord> find_records(std::string_view problem, std::string_view device) = 0;
  // Replaces the record of the same (problem, device, library, solver, params). `measured_at` 0 means now.
  virtual void put_find(const FindRecord& record) = 0;
  // The right to search, one process at a time: several that meet the same problem at once would all measure it, each
  // disturbed by the others. Nothing when another still searches after `patience`. What cannot be locked is ours.
  virtual std::optional<SearchTurn> take_search_turn(std::chrono::milliseconds patience) = 0;

  // --- cache: compiled programs ---
  // The machine code that was put, bit for bit, or nothing: a damaged one is removed and counts as none.
  virtual std::optional<std::string> find_kernel(std::string_view key) = 0;
  // Replaces the one with the same key. The sizes and `last_used` are set here, and `created` where it is 0. What
  // cannot be written is dropped.
  virtual void put_kernel(KernelInfo kernel, std::string_view binary) = 0;

  // --- ledger ---
  // Commits (fsync) an open intent. 0 when the ledger is not writable.
  virtual std::int64_t begin_intent(const TrialKey& key) = 0;
  // Closes `intent` (0 allowed) and records the verdict, in one transaction. An incident is added for
  // verdicts with strikes. Each key has one verdict record, the last; a pass clears the strikes of exactly its key (an
  // orphaned intent may have been a user's kill). `record.at` 0 means now. `reason` is one line.
  virtual void close_intent(std::int64_t intent, const VerdictRecord& record, int signal, std::string_view reason) = 0;
  // Removes the intent without a verdict (refused, interrupted by the user).
  virtual void cancel_intent(std::int64_t intent) = 0;
  // Records an incident at once while its intent stays open (the watchdog's use: the call still hangs).
  virtual void add_incident(const TrialKey& key, Verdict verdict, int strikes, std::string_view reason) = 0;
  // The verdict for exactly this key if it is `passed`: a later verdict of another kind takes the trust away.
  virtual std::optional<VerdictRecord> passed_before(const TrialKey& key) = 0;
  // Young incidents for (solver, problem_class, device, library), newest first. Sum their strikes to decide
  // on quarantine.
  virtual std::vector<Incident> incidents(const TrialKey& key) = 0;
  // Young incidents of the solver on (device, library), any problem: is the solver a suspect in general?
  virtual std::vector<Incident> incidents_of_solver(std::string_view solver, std::string_view device,
                                                    std::string_view library) = 0;

  // --- maintenance: `convoy db`. Of the user's own files (and what waits in memory), not of the system
  // layers. ---
  struct Contents {
    std::vector<FindRecord> finds;
    std::vector<KernelInfo> kernels;
    std::vector<VerdictRecord> verdicts;
    std::vector<Incident> incidents;  // of any age
    std::vector<OpenIntent> intents;
  };
  virtual Result<Contents> contents() = 0;
  // JSON lines: first {"format":"convoy-decisions","version":1}, then one object per find, verdict and
  // incident, and of each sound kernel when they are included.
  virtual Result<std::string> export_lines(Kernels kernels) = 0;
  struct ImportCounts {
    int finds = 0, verdicts = 0, incidents = 0, kernels = 0, already_there = 0;
    int kernels_left_out = 0;
  };
  // All or nothing, one transaction per file. An Error names the line and the field. `source` names the input
  // in errors.
  virtual Result<ImportCounts> import_lines(std::string_view text, std::string_view source, Kernels kernels) = 0;
  struct PruneCounts {
    int finds = 0, verdicts = 0, incidents = 0, kernels = 0;
  };
  // Drops finds and verdicts older than `age`, kernels not used for so long, and incidents past forgiveness and
  // older than `age`, then compacts.
  virtual Result<PruneCounts> prune(std::chrono::hours age) = 0;
  // SQLite's integrity check of both files plus our own invariants, every kernel's checksum included; one line per finding, empty when sound.
  virtual Result<std::vector<std::string>> verify() = 0;
  // Forgets incidents and verdicts whose solver, problem, problem class or incident id equals `what`; "all"
  // forgets all of them, the find results and the kernels; "kernels" the kernels alone. Intents stay: their trials are running. Returns rows removed.
  virtual Result<int> forget(std::string_view what) = 0;

  // "cache: /path (WAL)", "ledger: in memory, /path is read-only", ... for `convoy db list` and doctor.
  virtual std::vector<std::string> notes() const = 0;
};

}  // namespace convoy
