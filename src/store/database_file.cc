// From a path to a database that can be relied on, or a sentence why there is none.
#include "store/database_file.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "store/aside.h"
#include "store/salvage.h"

namespace convoy {
namespace {

enum class Condition { usable, unavailable, newer, outdated, damaged };

struct Examined {
  Condition condition = Condition::unavailable;
  std::unique_ptr<Database> database;  // only when usable
  std::string why;                     // unless usable
  std::int64_t version = 0;
};

Examined failed(const Database& database, const Error& error) {
  return {database.damaged() ? Condition::damaged : Condition::unavailable, nullptr, error.message, 0};
}

// WAL on local disks. Entering it needs a moment without other connections, for which SQLite does not always
// wait.
Result<void> set_journal(Database& database, const FileSpec& spec, const FilePlace& place) {
  const std::string wanted = place.network ? "delete" : "wal";
  const auto deadline = std::chrono::steady_clock::now() + place.busy_timeout;
  for (;;) {
    const auto mode = database.text("PRAGMA journal_mode=" + wanted);
    if (mode) break;  // or another one, where the file system cannot do WAL: slower, as safe
    if (!database.busy() || std::chrono::steady_clock::now() > deadline) {
      return tl::unexpected<Error>(mode.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // An intent must survive the power cut that a driver may cause; a find result is only measured again.
  return database.execute(spec.precious() ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
}

// Opens the file and brings it up to date, or says what is wrong with it.
Examined examine(const FileSpec& spec, const FilePlace& place) {
  const std::string path = place.path(spec);
  if (auto why = why_not_plain(path); !why.empty()) return {Condition::unavailable, nullptr, std::move(why), 0};
  auto opened = Database::open(path, Database::Mode::read_write, place.busy_timeout);
  if (!opened) return {Condition::unavailable, nullptr, opened.error().message, 0};
  Database& database = **opened;
  if (database.read_only()) return {Condition::unavailable, nullptr, path + " is read-only", 0};
  // Until we know that it is ours, closing must not write to it either.
  database.checkpoint_on_close(false);

  const auto version = database.integer("PRAGMA user_version");
  if (!version) return failed(database, version.error());
  if (*version > spec.version()) {
    return {Condition::newer, nullptr,
            fmt::format("{} was written by a newer Convoy (schema {}, we know {})", path, *version, spec.version()),
            *version};
  }
  if (!spec.precious() && *version > 0 && *version < spec.version()) {
    return {Condition::outdated, nullptr, fmt::format("{} has the old schema {}", path, *version), *version};
  }
  if (auto set = set_journal(database, spec, place); !set) return failed(database, set.error());
  if (auto migrated = migrate(database, spec.steps); !migrated) return failed(database, migrated.error());
  const auto state = schema_state(database, spec.steps);
  if (!state) return failed(database, state.error());
  if (*state == SchemaState::other_version) {
    return {Condition::newer, nullptr, path + " was just migrated by a newer Convoy", 0};
  }
  if (*state == SchemaState::differs) return {Condition::damaged, nullptr, path + " has a foreign schema", 0};
  database.checkpoint_on_close(true);
  return {Condition::usable, *std::move(opened), {}, *version};
}

bool needs_replacement(const FileSpec& spec, Condition condition) {
  if (condition == Condition::damaged) return true;
  return !spec.precious() && (condition == Condition::newer || condition == Condition::outdated);
}

// A fresh ledger beside the damaged one, holding what could be saved. Returns its path.
Result<std::string> build_successor(const FileSpec& spec, const FilePlace& place) {
  const std::string damaged_path = place.path(spec);
  const std::string path = damaged_path + ".new";
  ::unlink(path.c_str());  // of a repair that was interrupted; we hold the lock
  CONVOY_TRY(auto fresh, Database::open(path, Database::Mode::read_write, place.busy_timeout));
  CONVOY_CHECK(migrate(*fresh, spec.steps));
  auto damaged = Database::open(damaged_path, Database::Mode::read_write, place.busy_timeout);
  int saved = 0;
  if (damaged) {
    (*damaged)->checkpoint_on_close(false);
    CONVOY_TRY(saved, spec.salvage(**damaged, *fresh));
  }
  log_once(LogLevel::warning, fmt::format("store: {} is damaged: {} rows saved, the file is kept aside as {}.corrupt-*",
                                          damaged_path, saved, damaged_path));
  return path;
}

Result<void> replace(const FileSpec& spec, const FilePlace& place, const Examined& found, std::int64_t now) {
  Aside aside;
  aside.kept = spec.asides_kept;
  if (found.condition == Condition::damaged) {
    aside.suffix = fmt::format("corrupt-{}", now);
    if (spec.precious()) {
      CONVOY_TRY(aside.successor, build_successor(spec, place));
    }
  } else {
    aside.suffix = fmt::format("old-{}", found.version);
  }
  CONVOY_CHECK(set_aside(place.path(spec), aside));
  if (!spec.precious()) {
    log_once(LogLevel::warning, fmt::format("store: {}: set aside as .{}, starting over", found.why, aside.suffix));
  }
  return {};
}

// Replaces what cannot be used, one process at a time; whoever waited finds the work done.
Examined repair(const FileSpec& spec, const FilePlace& place, std::int64_t now) {
  const auto lock = take_repair_lock(place.path(spec), place.busy_timeout);
  if (!lock) return {Condition::unavailable, nullptr, lock.error().message, 0};
  Examined found = examine(spec, place);
  if (!needs_replacement(spec, found.condition)) return found;
  if (auto replaced = replace(spec, place, found, now); !replaced) {
    return {Condition::unavailable, nullptr, fmt::format("{}; {}", found.why, replaced.error().message), 0};
  }
  return examine(spec, place);
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

OpenedFile open_layer_as(const FileSpec& spec, const std::string& path, Database::Mode mode) {
  auto opened = Database::open(path, mode, std::chrono::milliseconds(100));
  if (!opened) return {nullptr, false, opened.error().message};
  const auto state = schema_state(**opened, spec.steps);
  if (!state) return {nullptr, false, state.error().message};
  if (*state != SchemaState::matches) return {nullptr, false, path + " has another schema and is not read"};
  return {*std::move(opened), false, path + " (read-only)"};
}

std::string describe(Database& database, bool network) {
  const std::string mode = database.text("PRAGMA journal_mode").value_or("?");
  if (network) return database.path() + " (network file system, no WAL)";
  return mode == "wal" ? database.path() + " (WAL)" : database.path() + " (no WAL)";
}

}  // namespace

const FileSpec& cache_spec() {
  static const FileSpec spec{"cache", cache_schema(), nullptr, 1};
  return spec;
}

const FileSpec& ledger_spec() {
  static const FileSpec spec{"ledger", ledger_schema(), salvage_ledger, 3};
  return spec;
}

std::string FilePlace::path(const FileSpec& spec) const {
  if (!network) return fmt::format("{}/{}.db", folder, spec.name);
  std::string name = host.substr(0, 64);
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_'; }, '_');
  return fmt::format("{}/{}-{}.db", folder, spec.name, name.empty() ? "unknown" : name);
}

OpenedFile open_user_file(const FileSpec& spec, const FilePlace& place, std::int64_t now) {
  Examined found = examine(spec, place);
  if (needs_replacement(spec, found.condition)) found = repair(spec, place, now);
  if (found.condition == Condition::usable) {
    std::string note = describe(*found.database, place.network);
    return {std::move(found.database), true, std::move(note)};
  }
  log_once(LogLevel::warning,
           fmt::format("store: {}; what is new is kept in memory and ends with this process", found.why));
  // Perhaps it can still be read: a read-only file system, a disk without room for SQLite's journals.
  OpenedFile layer = open_layer(spec, place.path(spec));
  layer.note = fmt::format("in memory{}: {}", layer.database ? " over what is on disk" : "", found.why);
  return layer;
}

Result<void> replace_damaged(const FileSpec& spec, const FilePlace& place, const Database& damaged, std::int64_t now) {
  CONVOY_TRY(const Descriptor lock, take_repair_lock(place.path(spec), place.busy_timeout));
  if (damaged.moved()) return {};
  return replace(spec, place, {Condition::damaged, nullptr, place.path(spec) + " is damaged", 0}, now);
}

OpenedFile open_layer(const FileSpec& spec, const std::string& path) {
  struct stat status {};
  // Anything but a plain file might never answer open().
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {nullptr, false, path + " is missing"};
  // A layer is shipped, not worked on, unless a journal stands beside it: then locks are needed, if they can
  // be had.
  if (exists(path + "-wal") || exists(path + "-journal")) {
    if (OpenedFile opened = open_layer_as(spec, path, Database::Mode::read_only); opened.database) return opened;
  }
  return open_layer_as(spec, path, Database::Mode::immutable);
}

}  // namespace convoy
