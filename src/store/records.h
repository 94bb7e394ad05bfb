// What a row must look like to be believed, whether it comes from a file, an import or a caller. One rule for
// all three: a row that this process would not write is not read either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/sqlite.h"
#include "store/store.h"

namespace convoy {

inline constexpr int k_max_strikes = 100;
inline constexpr int k_max_signal = 128;
// Far more than any compiler makes of one source. The second is below what sqlite.cc loads.
inline constexpr std::uint64_t k_max_kernel_bytes = std::uint64_t{64} << 20;
inline constexpr std::uint64_t k_max_stored_kernel_bytes = std::uint64_t{15} << 20;

// The first field that makes no sense, and why: "time_ms", "is not between 0 and 1e9".
struct Flaw {
  std::string_view field;
  std::string_view what;
};
std::optional<Flaw> flaw_of(const FindRecord& record);
std::optional<Flaw> flaw_of(const KernelInfo& kernel);
std::optional<Flaw> flaw_of(const TrialKey& key);
std::optional<Flaw> flaw_of(const VerdictRecord& record);
std::optional<Flaw> flaw_of(const Incident& incident);

// An open intent with what is needed to judge whether its process lives.
struct IntentRow {
  OpenIntent intent;
  std::int64_t process_started = 0;  // clock ticks since boot; 0: unknown
  std::string pid_namespace;
  std::string boot;
};
std::optional<Flaw> flaw_of(const IntentRow& row);

// Column lists in the order that the readers expect.
inline constexpr std::string_view k_find_columns =
    "problem, device, library, solver, params, time_ms, workspace_bytes, measured_at";
inline constexpr std::string_view k_kernel_columns =
    "key, name, architecture, bytes, stored_bytes, compile_ms, created, last_used";
inline constexpr std::string_view k_verdict_columns =
    "solver, problem, problem_class, device, library, verdict, error, tolerance, at";
inline constexpr std::string_view k_incident_columns =
    "id, solver, problem, problem_class, device, library, verdict, strikes, signal, reason, host, at";
inline constexpr std::string_view k_intent_columns =
    "id, solver, problem, problem_class, device, library, pid, process_started, pid_namespace, boot, host, "
    "at";

// Nothing for a row that makes no sense.
std::optional<FindRecord> read_find(const Row& row);
std::optional<KernelInfo> read_kernel(const Row& row);
std::optional<VerdictRecord> read_verdict(const Row& row);
std::optional<Incident> read_incident(const Row& row);
std::optional<IntentRow> read_intent(const Row& row);

// Text from elsewhere (a driver's message, a child's last words) as one printable line of bounded length.
std::string one_line(std::string_view text);

}  // namespace convoy
