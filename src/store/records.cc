// Rules for rows, and rows into records.
#include "store/records.h"

#include <algorithm>
#include <cmath>

namespace convoy {
namespace {

constexpr std::int64_t k_last_second = 253402300799;  // of the year 9999
constexpr std::size_t k_max_reason = 4096;
constexpr double k_max_time_ms = 1e9;

// Length of the UTF-8 sequence at the front of `text`; 0 where there is none (RFC 3629: no surrogates,
// nothing overlong).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) > 0x9f;
    return !overlong && !surrogate && follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool beyond = first == 0xf4 && byte(1) > 0x8f;
    return !overlong && !beyond && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::optional<std::string_view> flaw_of_text(std::string_view text) {
  if (text.size() > k_max_text) return "is longer than 64 KiB";
  if (std::any_of(text.begin(), text.end(), is_control)) return "holds control characters";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return "is not UTF-8";
    i += length;
  }
  return std::nullopt;
}

struct NamedText {
  std::string_view field;
  std::string_view text;
  bool needed;
};

std::optional<Flaw> flaw_of_texts(std::initializer_list<NamedText> texts) {
  for (const auto& [field, text, needed] : texts) {
    if (needed && text.empty()) return Flaw{field, "is empty"};
    if (const auto what = flaw_of_text(text)) return Flaw{field, *what};
  }
  return std::nullopt;
}

std::optional<Flaw> flaw_of_time(std::string_view field, std::int64_t seconds) {
  if (seconds < 0 || seconds > k_last_second) return Flaw{field, "is not a time between 1970 and 9999"};
  return std::nullopt;
}

// The five columns of a trial, from `column` on.
std::optional<TrialKey> read_key(const Row& row, int column) {
  auto solver = row.text(column);
  auto problem = row.text(column + 1);
  auto problem_class = row.text(column + 2);
  auto device = row.text(column + 3);
  auto library = row.text(column + 4);
  if (!solver || !problem || !problem_class || !device || !library) return std::nullopt;
  return TrialKey{*std::move(solver), *std::move(problem), *std::move(problem_class), *std::move(device),
                  *std::move(library)};
}

std::optional<Verdict> read_verdict_name(const Row& row, int column) {
  const auto name = row.text(column);
  return name ? verdict_from_string(*name) : std::nullopt;
}

template <typename Record>
std::optional<Record> unless_flawed(Record record) {
  if (flaw_of(record)) return std::nullopt;
  return record;
}

}  // namespace

std::optional<Flaw> flaw_of(const FindRecord& r) {
  if (auto flaw = flaw_of_texts({{"problem", r.problem, true},
                                 {"device", r.device, false},
                                 {"library", r.library, false},
                                 {"solver", r.solver, true},
                                 {"params", r.params, false}})) {
    return flaw;
  }
  // Written so that NaN is refused.
  if (!(r.time_ms >= 0 && r.time_ms <= k_max_time_ms)) return Flaw{"time_ms", "is not between 0 and 1e9"};
  if (r.workspace_bytes > INT64_MAX) return Flaw{"workspace_bytes", "is not between 0 and 2^63-1"};
  return flaw_of_time("measured_at", r.measured_at);
}

std::optional<Flaw> flaw_of(const KernelInfo& k) {
  if (auto flaw =
          flaw_of_texts({{"key", k.key, true}, {"name", k.name, true}, {"architecture", k.architecture, false}})) {
    return flaw;
  }
  if (k.bytes == 0 || k.bytes > k_max_kernel_bytes) return Flaw{"bytes", "is not between 1 and 64 MiB"};
  if (k.stored_bytes > k_max_stored_kernel_bytes) return Flaw{"stored_bytes", "is not between 0 and 15 MiB"};
  if (!(k.compile_ms >= 0 && k.compile_ms <= k_max_time_ms)) return Flaw{"compile_ms", "is not between 0 and 1e9"};
  if (auto flaw = flaw_of_time("created", k.created)) return flaw;
  return flaw_of_time("last_used", k.last_used);
}

std::optional<Flaw> flaw_of(const TrialKey& key) {
  return flaw_of_texts({{"solver", key.solver, true},
                        {"problem", key.problem, true},
                        {"problem_class", key.problem_class, false},
                        {"device", key.device, false},
                        {"library", key.library, false}});
}

std::optional<Flaw> flaw_of(const VerdictRecord& r) {
  if (auto flaw = flaw_of(r.key)) return flaw;
  if (!(r.error >= 0)) return Flaw{"error", "is not a number >= 0"};  // infinity is: no number came out
  if (!(r.tolerance >= 0 && std::isfinite(r.tolerance))) return Flaw{"tolerance", "is not a finite number >= 0"};
  return flaw_of_time("at", r.at);
}

std::optional<Flaw> flaw_of(const Incident& i) {
  if (auto flaw = flaw_of(i.key)) return flaw;
  if (i.strikes < 0 || i.strikes > k_max_strikes) return Flaw{"strikes", "is not between 0 and 100"};
  if (i.signal < 0 || i.signal > k_max_signal) return Flaw{"signal", "is not between 0 and 128"};
  if (auto flaw = flaw_of_texts({{"reason", i.reason, false}, {"host", i.host, false}})) return flaw;
  return flaw_of_time("at", i.at);
}

std::optional<Flaw> flaw_of(const IntentRow& row) {
  if (auto flaw = flaw_of(row.intent.key)) return flaw;
  if (row.intent.pid <= 0 || row.intent.pid > INT32_MAX) return Flaw{"pid", "is not a process number"};
  if (row.process_started < 0) return Flaw{"process_started", "is negative"};
  if (auto flaw = flaw_of_texts(
          {{"pid_namespace", row.pid_namespace, false}, {"boot", row.boot, false}, {"host", row.intent.host, false}})) {
    return flaw;
  }
  return flaw_of_time("at", row.intent.at);
}

std::optional<FindRecord> read_find(const Row& row) {
  auto problem = row.text(0);
  auto device = row.text(1);
  auto library = row.text(2);
  auto solver = row.text(3);
  auto params = row.text(4);
  const auto time_ms = row.real(5);
  const auto workspace = row.integer(6);
  const auto measured_at = row.integer(7);
  if (!problem || !device || !library || !solver || !params || !time_ms || !workspace || !measured_at) {
    return std::nullopt;
  }
  return unless_flawed(FindRecord{*std::move(problem), *std::move(device), *std::move(library), *std::move(solver),
                                  *std::move(params), *time_ms, static_cast<std::uint64_t>(*workspace), *measured_at});
}

std::optional<KernelInfo> read_kernel(const Row& row) {
  auto key = row.text(0);
  auto name = row.text(1);
  auto architecture = row.text(2);
  const auto bytes = row.integer(3);
  const auto stored_bytes = row.integer(4);
  const auto compile_ms = row.real(5);
  const auto created = row.integer(6);
  const auto last_used = row.integer(7);
  if (!key || !name || !architecture || !bytes || !stored_bytes || !compile_ms || !created || !last_used) {
    return std::nullopt;
  }
  return unless_flawed(KernelInfo{*std::move(key), *std::move(name), *std::move(architecture),
                                  static_cast<std::uint64_t>(*bytes), static_cast<std::uint64_t>(*stored_bytes),
                                  *compile_ms, *created, *last_used});
}

std::optional<VerdictRecord> read_verdict(const Row& row) {
  auto key = read_key(row, 0);
  const auto verdict = read_verdict_name(row, 5);
  const auto error = row.real(6);
  const auto tolerance = row.real(7);
  const auto at = row.integer(8);
  if (!key || !verdict || !error || !tolerance || !at) return std::nullopt;
  return unless_flawed(VerdictRecord{*std::move(key), *verdict, *error, *tolerance, *at});
}

std::optional<Incident> read_incident(const Row& row) {
  const auto id = row.integer(0);
  auto key = read_key(row, 1);
  const auto verdict = read_verdict_name(row, 6);
  const auto strikes = row.integer(7);
  const auto signal = row.integer(8);
  auto reason = row.text(9);
  auto host = row.text(10);
  const auto at = row.integer(11);
  if (!id || !key || !verdict || !strikes || !signal || !reason || !host || !at) return std::nullopt;
  // Before they become ints.
  if (*strikes < 0 || *strikes > k_max_strikes || *signal < 0 || *signal > k_max_signal) return std::nullopt;
  return unless_flawed(Incident{*id, *std::move(key), *verdict, static_cast<int>(*strikes), static_cast<int>(*signal),
                                *std::move(reason), *std::move(host), *at});
}

std::optional<IntentRow> read_intent(const Row& row) {
  const auto id = row.integer(0);
  auto key = read_key(row, 1);
  const auto pid = row.integer(6);
  const auto started = row.integer(7);
  auto pid_namespace = row.text(8);
  auto boot = row.text(9);
  auto host = row.text(10);
  const auto at = row.integer(11);
  if (!id || !key || !pid || !started || !pid_namespace || !boot || !host || !at) return std::nullopt;
  return unless_flawed(IntentRow{OpenIntent{*id, *std::move(key), *pid, *std::move(host), *at}, *started,
                                 *std::move(pid_namespace), *std::move(boot)});
}

std::string one_line(std::string_view text) {
  std::string line;
  for (std::size_t i = 0; i < text.size() && line.size() < k_max_reason;) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0 || is_control(text[i])) {
      line += length == 0 ? '?' : ' ';
      ++i;
    } else {
      line.append(text, i, length);
      i += length;
    }
  }
  return line;
}

}  // namespace convoy
