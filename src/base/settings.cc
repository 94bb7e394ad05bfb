// The table of settings and where values come from; what a value may look like is in setting_value.cc.
// A setting that MIOpen owns keeps MIOpen's name, spelling and default: people have them in scripts that must
// go on working.
#include "base/settings.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/edit_distance.h"
#include "base/environment.h"
#include "base/file.h"
#include "base/setting_value.h"

namespace convoy {
namespace {

using enum SettingKind;
constexpr std::uint64_t k_file_limit = 65536;
constexpr std::int64_t k_any = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view k_log_levels = "quiet=1|error=2|error=3|warning=4|info=5|debug=6|trace=7";

// clang-format off
constexpr SettingRow k_rows[] = {
    // key, environment, kind, fallback, choices, minimum, maximum, meaning
    {"strategy", "CONVOY_STRATEGY", choice, "auto", "auto|implicit_gemm|gemm|selective|cpu|vendor", 0, 0,
     "Which solvers are tried, and in which order; auto takes the fastest that proves right."},
    {"size_threshold", "CONVOY_SIZE_THRESHOLD", integer, "42", "", 0, 1'000'000'000,
     "For strategy selective: the largest spatial size, in elements along one side, that is left to the vendor's library; 0 leaves it nothing."},
    {"find", "CONVOY_FIND", choice, "auto", "auto|find|dynamic_hybrid|immediate", 0, 0,
     "Measure all alternatives (find), those that need no compilation (dynamic_hybrid), or none (immediate); auto does what MIOPEN_FIND_MODE says, else dynamic_hybrid."},
    {"verify", "CONVOY_VERIFY", choice, "sample", "off|sample|full", 0, 0,
     "How many output elements of an untried solver are compared with the reference: none, a sample, or all."},
    {"trial", "CONVOY_TRIAL", choice, "auto", "auto|always|never", 0, 0,
     "When an untried solver first runs in a child process: auto for suspects only, always, or never."},
    {"deadline_ms", "CONVOY_DEADLINE_MS", integer, "0", "", 0, 86'400'000,
     "Milliseconds that one trial may take; 0 derives them from the problem's arithmetic."},
    {"fault", "CONVOY_FAULT", text, "", "", 0, 0,
     "Faults to inject for tests, as solver:kind[@condition], separated by commas; example miopen:hang@hw>42."},
    {"deterministic", "CONVOY_DETERMINISTIC", boolean, "false", "", 0, 0,
     "Only what gives the same bits in every run: MIOpen gets its deterministic attribute. Convoy's own solvers always do."},
    {"threads", "CONVOY_THREADS", integer, "0", "", 0, 4096,
     "CPU threads that solvers on the host use; 0 uses all cores that the process may run on."},
    {"memory_limit", "CONVOY_MEMORY_LIMIT", bytes, "0", "", 0, k_any,
     "Bytes of host or device memory that one convolution may take; 0 allows 80 % of what is available."},
    {"workspace_limit", "CONVOY_WORKSPACE_LIMIT", bytes, "0", "", 0, k_any,
     "Bytes of workspace that one solver may take; 0 chooses by the memory that is available."},
    {"cache_dir", "CONVOY_CACHE_DIR", path, "", "", 0, 0,
     "Folder of cache.db and ledger.db; empty uses convoy/ in $XDG_CACHE_HOME or ~/.cache."},
    {"system_cache_dirs", "CONVOY_SYSTEM_CACHE_DIRS", path, "/var/lib/convoy:/usr/share/convoy", "", 0, 0,
     "Folders with read-only databases under the user's, strongest first, separated by colons."},
    {"miopen_library", "CONVOY_MIOPEN_LIBRARY", path, "", "", 0, 0,
     "The MIOpen that the tier vendor uses on AMD GPUs; empty takes the one that the program has loaded, else the system's."},
    {"rules", "CONVOY_RULES", path, "", "", 0, 0,
     "A further file of device rules (docs/rules.md), above /etc/convoy/rules.json and ~/.config/convoy/rules.json."},
    {"kernel_cache_limit", "CONVOY_KERNEL_CACHE_LIMIT", bytes, "1073741824", "", 0, k_any,
     "Bytes of compiled kernels that cache.db may hold; the least recently used go first, 0 keeps none."},
    {"forgiveness_days", "CONVOY_FORGIVENESS_DAYS", integer, "30", "", 0, 36'500,
     "Days after which a solver's crash, hang or wrong result no longer counts against it."},
    {"log_level", "CONVOY_LOG_LEVEL", choice, "quiet", k_log_levels, 0, 0,
     "How much is logged, by name or by MIOpen's number; MIOPEN_LOG_LEVEL is obeyed where CONVOY_LOG_LEVEL is not set."},
    {"probe", "CONVOY_PROBE", path, "", "", 0, 0,
     "Program that is started for trials; empty uses the one installed beside the library."},
    {"disable", "CONVOY_DISABLE", boolean, "false", "", 0, 0,
     "True: the first solver that fits is used: no trials, no measuring, no checks, nothing read from or written to disk."},

    {"miopen.find_mode", "MIOPEN_FIND_MODE", choice, "",
     "normal=1|fast=2|hybrid=3|dynamic_hybrid=5|trust_verify=6|trust_verify_full=7", 0, 0,
     "MIOpen's find mode; for setting find = auto, fast means immediate, dynamic_hybrid itself and every other mode find."},
    {"miopen.find_enforce", "MIOPEN_FIND_ENFORCE", choice, "",
     "none=1|db_update=2|search=3|search_db_update=4|db_clean=5", 0, 0,
     "Anything but none: measure again although a find record exists, whatever miopen.find_mode says."},
    {"miopen.conv_gemm", "MIOPEN_DEBUG_CONV_GEMM", boolean, "true", "", 0, 0,
     "False: no algorithm of the GEMM family."},
    {"miopen.conv_direct", "MIOPEN_DEBUG_CONV_DIRECT", boolean, "true", "", 0, 0,
     "False: no algorithm of the direct family; the reference stays available."},
    {"miopen.conv_winograd", "MIOPEN_DEBUG_CONV_WINOGRAD", boolean, "true", "", 0, 0,
     "False: no algorithm of the Winograd family."},
    {"miopen.conv_fft", "MIOPEN_DEBUG_CONV_FFT", boolean, "true", "", 0, 0,
     "False: no algorithm of the FFT family."},
    {"miopen.conv_implicit_gemm", "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", boolean, "true", "", 0, 0,
     "False: no algorithm of the implicit GEMM family; true forces nothing."},
    {"miopen.disable_find_db", "MIOPEN_DEBUG_DISABLE_FIND_DB", boolean, "false", "", 0, 0,
     "True: find records are neither read nor written."},
    {"miopen.find_only_solver", "MIOPEN_DEBUG_FIND_ONLY_SOLVER", text, "", "", 0, 0,
     "A Convoy solver's id: no other solver is tried but the reference; MIOpen's own names concern MIOpen alone."},
    {"miopen.log_level", "MIOPEN_LOG_LEVEL", integer, "0", "", 0, 7,
     "MIOpen's log level, 1 quiet to 7 trace; 0 leaves it to log_level."},
    {"miopen.enable_logging_cmd", "MIOPEN_ENABLE_LOGGING_CMD", boolean, "false", "", 0, 0,
     "True: each convolution is logged as the MIOpenDriver command that repeats it."},
};
// clang-format on

const SettingRow* find_row(std::string_view key) {
  const auto* row = std::ranges::find(k_rows, key, &SettingRow::key);
  return row == std::end(k_rows) ? nullptr : row;
}

// The same value makes MIOpen itself fail: whoever reads our line should learn why the program stops.
std::string_view miopen_reaction(const SettingRow& row, std::string_view value) {
  if (!row.environment.starts_with("MIOPEN_")) return "";
  if (row.kind == boolean) return "; newer versions of MIOpen throw on it";
  if (row.kind == choice && !parse_integer(value)) {
    return "; MIOpen itself answers it with error text \"stoul\" and status 7";
  }
  return "";
}

// The name (a key or a variable, as `member` says) that `wrong` was probably meant to be; empty when nothing
// is near.
std::string_view nearest_name(std::string_view wrong, std::string_view SettingRow::*member) {
  constexpr std::size_t k_longest = 64;
  if (wrong.size() > k_longest) return {};
  const auto* best =
      std::ranges::min_element(k_rows, {}, [&](const SettingRow& row) { return edit_distance(wrong, row.*member); });
  return edit_distance(wrong, best->*member) <= 1 + wrong.size() / 5 ? best->*member : std::string_view{};
}

// Variables of the simulator, of the library in front of MIOpen and of the Python package, which read them themselves.
bool is_read_elsewhere(std::string_view name) {
  return name.starts_with("CONVOY_SIM_") || name.starts_with("CONVOY_TORCH_") || name == "CONVOY_STATISTICS_DIR";
}

std::string user_folder() {
  const std::string folder = Settings::environment("XDG_CONFIG_HOME");
  if (folder.starts_with('/')) return folder + "/convoy";
  const std::string home = Settings::environment("HOME");
  return home.starts_with('/') ? home + "/.config/convoy" : "";
}

}  // namespace

std::span<const SettingRow> setting_rows() {
  return k_rows;
}

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::built_in: return "built in";
    case Origin::system_file: return "system file";
    case Origin::user_file: return "user file";
    case Origin::environment: return "environment";
    case Origin::command_line: return "command line";
  }
  return "built in";
}

std::string Settings::environment(std::string_view name) {
  const char* value = ::secure_getenv(std::string(name).c_str());
  return value == nullptr ? "" : value;
}

std::vector<std::string> Settings::configuration_folders() {
  std::vector<std::string> folders{"/etc/convoy"};
  if (std::string folder = user_folder(); !folder.empty()) folders.push_back(std::move(folder));
  return folders;
}

std::vector<std::pair<std::string, std::string>> Settings::environment_with(
    std::span<const std::string_view> prefixes) {
  std::vector<std::pair<std::string, std::string>> found;
  if (::getauxval(AT_SECURE) != 0) return found;
  for (const char* const* entry = environment_entries(); *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    const auto begins = [&](std::string_view prefix) { return text.substr(0, equals).starts_with(prefix); };
    if (equals == std::string_view::npos || std::ranges::none_of(prefixes, begins)) continue;
    found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  std::ranges::sort(found);
  return found;
}

Settings::Settings() {
  for (const SettingRow& row : k_rows) {
    values_.emplace(row.key, Value{std::string(row.fallback), Origin::built_in, "built in"});
  }
}

Settings Settings::load() {
  Settings settings;
  settings.load_file("/etc/convoy/convoy.conf", Origin::system_file);
  if (const std::string folder = user_folder(); !folder.empty())
    settings.load_file(folder + "/convoy.conf", Origin::user_file);
  settings.load_environment();
  return settings;
}

void Settings::load_file(const std::string& path, Origin origin) {
  const auto content = read_configuration(path, k_file_limit);
  if (!content) problems_.push_back(content.error().message);
  if (!content || !*content) return;
  std::string_view rest = **content;
  for (int number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    load_line(rest.substr(0, end), fmt::format("{}:{}", path, number), origin);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void Settings::load_line(std::string_view line, const std::string& place, Origin origin) {
  // A # inside a word belongs to the value: folders may be called a#b.
  for (auto hash = line.find('#'); hash != std::string_view::npos; hash = line.find('#', hash + 1)) {
    if (hash == 0 || line[hash - 1] == ' ' || line[hash - 1] == '\t') line = line.substr(0, hash);
  }
  line = trimmed(line);
  if (line.empty()) return;
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) {
    problems_.push_back(fmt::format("{}: \"{}\" has no '='; write key = value", place, shown(line)));
    return;
  }
  const auto done = set(trimmed(line.substr(0, equals)), line.substr(equals + 1), origin, place);
  if (!done) problems_.push_back(fmt::format("{}: {}", place, done.error().message));
}

void Settings::load_environment() {
  for (const SettingRow& row : k_rows) {
    const std::string value = environment(row.environment);
    if (value.empty()) continue;
    const auto done = set(row.key, value, Origin::environment, row.environment);
    if (!done) {
      problems_.push_back(
          fmt::format("{}: {}{}", row.environment, done.error().message, miopen_reaction(row, trimmed(value))));
    }
  }
  if (origin("log_level") != Origin::environment && integer("miopen.log_level") > 0) {
    const Value& theirs = find("miopen.log_level");
    values_.insert_or_assign("log_level",
                             Value{*accepted_value(*find_row("log_level"), theirs.text), theirs.origin, theirs.place});
  }
  // A misspelt variable would be silently ignored for ever.
  for (const char* const* entry = environment_entries(); *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
    if (!name.starts_with("CONVOY_") || is_read_elsewhere(name)) continue;
    const std::string_view meant = nearest_name(name, &SettingRow::environment);
    if (!meant.empty() && meant != name) {
      problems_.push_back(fmt::format("{}: no such variable; did you mean {}?", shown(name), meant));
    }
  }
}

Result<void> Settings::set(std::string_view key, std::string_view value, Origin origin, std::string_view place) {
  const SettingRow* row = find_row(key);
  if (row == nullptr) {
    const std::string_view meant = nearest_name(key, &SettingRow::key);
    const std::string cure = meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant);
    return fail(ErrorCode::invalid_argument, fmt::format("no setting is called \"{}\"{}", shown(key), cure));
  }
  auto accepted = accepted_value(*row, trimmed(value));
  if (!accepted) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} = \"{}\" is not accepted; use {}", key, shown(value), accepted_values(*row)));
  }
  values_.insert_or_assign(std::string(key), Value{*std::move(accepted), origin, std::string(place)});
  return {};
}

const Settings::Value& Settings::find(std::string_view key) const {
  const auto value = values_.find(key);
  assert(value != values_.end() && "no such setting");
  static const Value nothing{"", Origin::built_in, "built in"};
  return value == values_.end() ? nothing : value->second;
}

const std::string& Settings::text(std::string_view key) const {
  return find(key).text;
}

std::int64_t Settings::integer(std::string_view key) const {
  const std::optional<std::int64_t> value = parse_integer(find(key).text);
  assert(value && "a setting of another kind");
  return value.value_or(0);
}

bool Settings::boolean(std::string_view key) const {
  const std::string& value = find(key).text;
  assert((value == "true" || value == "false") && "a setting of another kind");
  return value == "true";
}

Origin Settings::origin(std::string_view key) const {
  return find(key).origin;
}

const std::string& Settings::place(std::string_view key) const {
  return find(key).place;
}

LogLevel log_level_of(const Settings& settings, LogLevel unless_set) {
  if (settings.origin("log_level") == Origin::built_in) return unless_set;
  const std::string& text = settings.text("log_level");
  if (text == "error") return LogLevel::error;
  if (text == "warning") return LogLevel::warning;
  if (text == "info") return LogLevel::info;
  if (text == "debug") return LogLevel::debug;
  if (text == "trace") return LogLevel::trace;
  return LogLevel::quiet;
}

}  // namespace convoy
