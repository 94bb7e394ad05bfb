// SQLite's C calls, each in one place.
#include "store/sqlite.h"

#include <sqlite3.h>

#include <fmt/format.h>

namespace convoy {
namespace {

// A value over this is not even loaded: the query fails. Far above k_max_text, so that a merely long text
// spoils its own row and not the whole query, and above k_max_stored_kernel_bytes (records.h).
constexpr int k_max_value = 16 * 1024 * 1024;

// A path inside a URI: everything that could mean something else is escaped.
std::string uri_of(const std::string& path, std::string_view query) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                       c == '.' || c == '-' || c == '_';
    if (plain) {
      uri += c;
    } else {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return uri.append(query);
}

void distrust(sqlite3* handle) {
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, k_max_value);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open_uri(const std::string& uri, const std::string& path, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle == nullptr) return fail(ErrorCode::out_of_memory, fmt::format("{}: no memory to open it", path));
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->error(code, "opening");
  distrust(handle);
  return database;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode,
                                                 std::chrono::milliseconds busy_timeout) {
  // Links are refused in what we write to. A read-only layer may well be reached through one.
  const int flags = mode == Mode::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW
                                             : SQLITE_OPEN_READONLY;
  CONVOY_TRY(auto database, open_uri(uri_of(path, mode == Mode::immutable ? "?immutable=1" : ""), path, flags));
  sqlite3_busy_timeout(database->handle_, static_cast<int>(busy_timeout.count()));
  // VACUUM and sorting must not need room in /tmp.
  CONVOY_CHECK(database->execute("PRAGMA temp_store=MEMORY"));
  return database;
}

Result<std::unique_ptr<Database>> Database::open_memory() {
  return open_uri("file::memory:", "memory", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

// close_v2 also where a statement is still alive: it then closes with that statement.
Database::~Database() {
  sqlite3_close_v2(handle_);
}

tl::unexpected<Error> Database::error(int code, std::string_view doing) {
  last_failure_ = code;
  // The handle's message belongs to its latest call; where that was another one, the code's own text is the
  // truth.
  const bool current = sqlite3_extended_errcode(handle_) == code;
  const ErrorCode kind = (code & 0xff) == SQLITE_NOMEM ? ErrorCode::out_of_memory : ErrorCode::io;
  return fail(kind, fmt::format("{}: {}: {} (SQLite {})", path_, doing,
                                current ? sqlite3_errmsg(handle_) : sqlite3_errstr(code), code));
}

bool Database::damaged() const {
  const int code = last_failure_ & 0xff;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

bool Database::busy() const {
  return (last_failure_ & 0xff) == SQLITE_BUSY;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, sql.substr(0, 40));
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  CONVOY_TRY(Statement statement, Statement::prepare(*this, sql));
  std::optional<std::int64_t> value;
  CONVOY_CHECK(statement.each([&](const Row& row) { value = value ? value : row.integer(0); }));
  if (!value) return error(SQLITE_MISMATCH, sql);
  return *value;
}

Result<std::string> Database::text(std::string_view sql) {
  CONVOY_TRY(Statement statement, Statement::prepare(*this, sql));
  std::optional<std::string> value;
  CONVOY_CHECK(statement.each([&](const Row& row) { value = value ? value : row.text(0); }));
  if (!value) return error(SQLITE_MISMATCH, sql);
  return *value;
}

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(handle_);
}
int Database::changes() const {
  return sqlite3_changes(handle_);
}
bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}
bool Database::read_only() const {
  return sqlite3_db_readonly(handle_, "main") == 1;
}

bool Database::moved() const {
  int moved = 0;
  return sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

void Database::checkpoint_on_close(bool enable) {
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, enable ? 0 : 1, nullptr);
}

std::optional<std::string> Row::text(int column) const {
  if (sqlite3_column_type(statement_, column) != SQLITE_TEXT) return std::nullopt;
  const auto* bytes = sqlite3_column_text(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  if (bytes == nullptr || size > k_max_text) return std::nullopt;
  return std::string(bytes, bytes + size);
}

std::optional<std::int64_t> Row::integer(int column) const {
  if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) return std::nullopt;
  return sqlite3_column_int64(statement_, column);
}

std::optional<double> Row::real(int column) const {
  const int type = sqlite3_column_type(statement_, column);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) return std::nullopt;
  return sqlite3_column_double(statement_, column);
}

std::optional<std::string> Row::blob(int column) const {
  if (sqlite3_column_type(statement_, column) != SQLITE_BLOB) return std::nullopt;
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

Result<Statement> Statement::prepare(Database& database, std::string_view sql) {
  Statement statement;
  statement.database_ = &database;
  const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement.handle_, nullptr);
  if (code != SQLITE_OK) return database.error(code, sql.substr(0, 40));
  return statement;
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}
Statement::Rewind::~Rewind() {
  sqlite3_reset(handle);
}

int Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL, not the empty text.
  const char* bytes = value.data() == nullptr ? "" : value.data();
  return sqlite3_bind_text64(handle_, index, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8);
}
int Statement::bind(int index, Blob value) {
  return sqlite3_bind_blob64(handle_, index, value.bytes.data(), value.bytes.size(), SQLITE_STATIC);
}
int Statement::bind(int index, std::int64_t value) {
  return sqlite3_bind_int64(handle_, index, value);
}
int Statement::bind(int index, double value) {
  return sqlite3_bind_double(handle_, index, value);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->error(code, std::string_view(sqlite3_sql(handle_)).substr(0, 40));
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  CONVOY_CHECK(database.execute(kind == Kind::immediate ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(database);
}

Transaction::~Transaction() {
  // SQLite has already rolled back after some failures. A failing rollback leaves nothing to do: the next
  // BEGIN reports.
  if (database_ != nullptr && database_->in_transaction()) {
    sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<void> Transaction::commit() {
  CONVOY_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace convoy
