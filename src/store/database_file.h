// Opens the database files of a folder, whatever state they are in: brings the schema up to date, sets aside
// what cannot be used, saves what can be read of a damaged ledger, falls back to reading only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/schema.h"
#include "store/sqlite.h"

namespace convoy {

// What makes the cache differ from the ledger.
struct FileSpec {
  std::string_view name;  // "cache", "ledger"
  SchemaSteps steps;
  // Copies what can be read of a damaged file into a fresh one and returns the rows saved; null for a
  // disposable file.
  Result<int> (*salvage)(Database& damaged, Database& fresh);
  int asides_kept;

  bool precious() const { return salvage != nullptr; }
  std::int64_t version() const { return static_cast<std::int64_t>(steps.size()); }
};
const FileSpec& cache_spec();
const FileSpec& ledger_spec();

struct FilePlace {
  std::string folder;  // without links
  std::string host;
  bool network = false;
  std::chrono::milliseconds busy_timeout{};

  // On a network file system each host has its own file.
  std::string path(const FileSpec& spec) const;
};

struct OpenedFile {
  std::unique_ptr<Database> database;  // null: there is no file to use
  bool writable = false;
  std::string note;  // "/path/cache.db (WAL)", or why there is none or why it is not written
};
// The user's file; created, migrated or replaced as needed. `now` dates what is set aside.
OpenedFile open_user_file(const FileSpec& spec, const FilePlace& place, std::int64_t now);
// For a file that turned out damaged while `damaged` was using it: sets it aside, unless another process has
// done so.
Result<void> replace_damaged(const FileSpec& spec, const FilePlace& place, const Database& damaged, std::int64_t now);
// A file that we only read: the database is null when it is missing, of another version or damaged.
OpenedFile open_layer(const FileSpec& spec, const std::string& path);

}  // namespace convoy
