// A thin owner of SQLite 3 handles: Database, Statement, Transaction. Every failure is a Result; the file and
// what SQLite said about it are in the message. Files are opened as if from elsewhere: no links, no trusted
// schema, no huge values. Not thread-safe: whoever owns a Database serialises its use.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace convoy {

// The longest text that is read from a row; a longer one is taken for damage.
inline constexpr std::size_t k_max_text = 64 * 1024;

// Bytes to be bound as such, where a std::string_view is text.
struct Blob {
  std::string_view bytes;
};

class Database {
 public:
  // immutable: no locks and no files beside it, for what nobody writes to while we read it.
  enum class Mode { read_write, read_only, immutable };
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode,
                                                std::chrono::milliseconds busy_timeout);
  static Result<std::unique_ptr<Database>> open_memory();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  // Any number of statements; rows are ignored.
  Result<void> execute(const std::string& sql);
  // The first column of the first row; an Error when there is none or it is of another type.
  Result<std::int64_t> integer(std::string_view sql);
  Result<std::string> text(std::string_view sql);

  std::int64_t last_insert_id() const;
  int changes() const;
  bool in_transaction() const;
  bool read_only() const;
  // The file was renamed or deleted under us: what we write now is lost.
  bool moved() const;
  // The latest failure said that the file's content is damaged or that it is no database.
  bool damaged() const;
  // The latest failure said that somebody else held the file all the time that we waited.
  bool busy() const;
  void checkpoint_on_close(bool enable);

  // Makes an Error of SQLite's answer to `doing` and remembers the answer for damaged().
  tl::unexpected<Error> error(int code, std::string_view doing);
  sqlite3* handle() const { return handle_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  static Result<std::unique_ptr<Database>> open_uri(const std::string& uri, const std::string& path, int flags);
  sqlite3* handle_;
  std::string path_;
  int last_failure_ = 0;
};

// The current row of a query. A column of another type, or text over k_max_text, reads as nothing.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::optional<std::string> text(int column) const;
  std::optional<std::int64_t> integer(int column) const;
  std::optional<double> real(int column) const;
  // Of any length that SQLite loads.
  std::optional<std::string> blob(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// A prepared statement. Bound texts and blobs need to live for the call only.
class Statement {
 public:
  Statement() = default;
  static Result<Statement> prepare(Database& database, std::string_view sql);
  Statement(Statement&& other) noexcept { swap(other); }
  Statement& operator=(Statement&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Statement();

  template <typename... Values>
  Result<void> execute(const Values&... values) {
    return each([](const Row&) {}, values...);
  }
  // Calls visit(const Row&) for each row.
  template <typename Visit, typename... Values>
  Result<void> each(Visit&& visit, const Values&... values) {
    const Rewind rewind{handle_};
    int index = 0;
    int code = 0;
    ((code = code == 0 ? bind(++index, values) : code), ...);
    if (code != 0) return database_->error(code, "binding a value");
    for (;;) {
      CONVOY_TRY(const bool row, step());
      if (!row) return {};
      visit(Row(handle_));
    }
  }

 private:
  // Ends the query whatever happens, so that it holds no lock.
  struct Rewind {
    sqlite3_stmt* handle;
    ~Rewind();
  };
  void swap(Statement& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(handle_, other.handle_);
  }
  int bind(int index, std::string_view value);
  int bind(int index, Blob value);
  int bind(int index, std::int64_t value);
  int bind(int index, double value);
  Result<bool> step();

  Database* database_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
};

// Rolls back unless committed.
class Transaction {
 public:
  // immediate: the write lock now, so that what is read inside stays true until the commit.
  enum class Kind { deferred, immediate };
  static Result<Transaction> begin(Database& database, Kind kind = Kind::immediate);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&& other) noexcept {
    std::swap(database_, other.database_);
    return *this;
  }
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace convoy
