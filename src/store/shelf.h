// One of the two databases as a process sees it: the user's file, what could not be written to it (in
// memory), and the read-only layers beneath. Nothing here fails: what cannot be read is not known, what
// cannot be written stays in memory. Not thread-safe: the store serialises each shelf.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "store/database_file.h"

namespace convoy {

struct ShelfPlan {
  const FileSpec* spec = nullptr;
  FilePlace place;      // an empty folder: no file
  std::string refusal;  // why there is no file
  std::vector<std::string> system_paths;
  std::function<std::int64_t()> now;
};

template <typename Rows>  // CacheRows or LedgerRows
class Shelf {
 public:
  // `recover` runs over the user's file each time it is opened for writing.
  using Recover = std::function<Result<void>(Database&, Rows&)>;
  Shelf(ShelfPlan plan, Recover recover)
      : plan_(std::move(plan)), recover_(std::move(recover)), note_("in memory: " + plan_.refusal) {}
  ~Shelf() { drop_if_forked(); }
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;

  // Opens what is not open: at first and after close(). Every access below does it.
  void open();
  // Closes all files; what waits in memory stays.
  void close();
  // The same in no time, for fork(): the log is left for the next to copy into the file.
  void close_quickly();

  // Calls read(Rows&) -> Result<void> for what waits in memory, the user's file and the layers, strongest
  // first.
  template <typename Read>
  void read(Read&& read);
  // The same without the layers, and the first failure is returned.
  template <typename Read>
  Result<void> read_own(Read&& read);

  // Calls write(Rows&) -> Result<void> in a transaction on the user's file, which also takes what waits in
  // memory.
  template <typename Write>
  Result<void> write_file(Write&& write);
  // Calls write(Rows&) in memory: for what write_file() could not take.
  template <typename Write>
  void write_memory(Write&& write);
  // For maintenance, which wants to be told: on the file, or in memory when there is to be no file at all.
  template <typename Write>
  Result<void> change(Write&& write);

  // Rows wait in memory for the file to become writable.
  bool waiting() const { return has_folder() && memory_.rows != nullptr; }
  // The next write tries the file, however recently it failed.
  void stop_pausing() { failed_at_.reset(); }
  // Null where there is no file.
  Database* file() { return user_.database.get(); }
  bool writable() const { return writable_; }
  std::vector<std::string> notes() const;

 private:
  // A failed write may have cost the whole busy timeout: not again with every convolution.
  static constexpr std::int64_t k_pause_seconds = 30;

  struct Layer {
    std::unique_ptr<Database> database;
    std::unique_ptr<Rows> rows;  // goes before its database
  };
  bool has_folder() const { return !plan_.place.folder.empty(); }
  Result<void> attach(Layer& layer, std::unique_ptr<Database> database);
  void open_user();
  void close_user();
  void open_system();
  void drop_if_forked();
  bool pausing() const;
  Result<void> repair_if_damaged();
  template <typename Write>
  Result<void> try_write(Write&& write);
  void report(const Error& error) const { log_once(LogLevel::warning, fmt::format("store: {}", error.message)); }

  ShelfPlan plan_;
  Recover recover_;
  Layer user_;
  Layer memory_;
  std::vector<Layer> system_;
  bool opened_ = false;
  bool writable_ = false;
  bool repaired_ = false;  // once per process: a disk that damages what it is given is not fed for ever
  pid_t owner_ = 0;
  std::optional<std::int64_t> failed_at_;
  std::string note_;
  std::string last_failure_;
};

template <typename Rows>
Result<void> Shelf<Rows>::attach(Layer& layer, std::unique_ptr<Database> database) {
  CONVOY_TRY(Rows rows, Rows::over(*database));
  layer.rows = std::make_unique<Rows>(std::move(rows));
  layer.database = std::move(database);
  return {};
}

template <typename Rows>
void Shelf<Rows>::open() {
  drop_if_forked();
  if (opened_) return;
  opened_ = true;
  owner_ = ::getpid();
  open_user();
  open_system();
}

template <typename Rows>
void Shelf<Rows>::open_user() {
  if (!has_folder()) return;
  OpenedFile opened = open_user_file(*plan_.spec, plan_.place, plan_.now());
  note_ = std::move(opened.note);
  if (opened.database) {
    if (auto attached = attach(user_, std::move(opened.database)); !attached) return report(attached.error());
  }
  writable_ = opened.writable;
  if (!writable_) {
    failed_at_ = plan_.now();
    last_failure_ = note_;
  } else if (recover_) {
    if (auto recovered = recover_(*user_.database, *user_.rows); !recovered) report(recovered.error());
  }
}

template <typename Rows>
void Shelf<Rows>::open_system() {
  for (const std::string& path : plan_.system_paths) {
    OpenedFile opened = open_layer(*plan_.spec, path);
    if (!opened.database) {
      log(LogLevel::debug, "store: no system layer: {}", opened.note);
      continue;
    }
    Layer layer;
    if (auto attached = attach(layer, std::move(opened.database)); !attached) {
      report(attached.error());
    } else {
      system_.push_back(std::move(layer));
    }
  }
}

template <typename Rows>
void Shelf<Rows>::close_user() {
  user_.rows.reset();
  user_.database.reset();
  writable_ = false;
}

template <typename Rows>
void Shelf<Rows>::close() {
  drop_if_forked();
  close_user();
  system_.clear();
  opened_ = false;
}

template <typename Rows>
void Shelf<Rows>::close_quickly() {
  drop_if_forked();
  if (user_.database) user_.database->checkpoint_on_close(false);
  close();
}

// A child that was made without fork()'s handlers: connections, and SQLite's idea of the locks, are the
// parent's. Nothing of it can be used or even closed; leaking is all that is safe.
template <typename Rows>
void Shelf<Rows>::drop_if_forked() {
  if (!opened_ || owner_ == ::getpid()) return;
  const auto leak = [](Layer& layer) {
    static_cast<void>(layer.rows.release());
    static_cast<void>(layer.database.release());
  };
  leak(user_);
  leak(memory_);
  for (Layer& layer : system_) leak(layer);
  system_.clear();
  writable_ = false;
  owner_ = ::getpid();
  plan_.place.folder.clear();
  note_ = "in memory: this process was cloned from another behind fork()'s back";
}

template <typename Rows>
bool Shelf<Rows>::pausing() const {
  if (!failed_at_) return false;
  const std::int64_t since = plan_.now() - *failed_at_;
  return since >= 0 && since < k_pause_seconds;  // a clock that was set back ends the pause
}

// Sets aside a file that turned out damaged while in use; a new one takes its place.
template <typename Rows>
Result<void> Shelf<Rows>::repair_if_damaged() {
  if (!writable_ || !user_.database->damaged() || repaired_) return {};
  repaired_ = true;
  auto replaced = replace_damaged(*plan_.spec, plan_.place, *user_.database, plan_.now());
  close_user();
  open_user();
  return replaced;
}

template <typename Rows>
template <typename Read>
void Shelf<Rows>::read(Read&& read) {
  if (auto own = read_own(read); !own) report(own.error());
  for (Layer& layer : system_) {
    if (auto done = read(*layer.rows); !done) report(done.error());
  }
}

template <typename Rows>
template <typename Read>
Result<void> Shelf<Rows>::read_own(Read&& read) {
  open();
  Result<void> result;
  if (memory_.rows) result = read(*memory_.rows);
  if (!user_.rows) return result;
  // After a repair this read is not repeated: it may have counted rows already. The next one finds what was
  // saved.
  if (auto done = read(*user_.rows); !done) {
    result = std::move(done);
    if (auto repaired = repair_if_damaged(); !repaired) report(repaired.error());
  }
  return result;
}

template <typename Rows>
template <typename Write>
Result<void> Shelf<Rows>::try_write(Write&& write) {
  if (!writable_) return fail(ErrorCode::io, last_failure_);
  CONVOY_TRY(Transaction transaction, Transaction::begin(*user_.database));
  CONVOY_TRY(const std::int64_t version, user_.database->integer("PRAGMA user_version"));
  if (version != plan_.spec->version()) {
    return fail(ErrorCode::io, user_.database->path() + " was migrated by a newer Convoy");
  }
  if (memory_.rows) CONVOY_CHECK(user_.rows->absorb(*memory_.rows));
  CONVOY_CHECK(write(*user_.rows));
  CONVOY_CHECK(transaction.commit());
  memory_ = Layer{};
  return {};
}

template <typename Rows>
template <typename Write>
Result<void> Shelf<Rows>::write_file(Write&& write) {
  open();
  if (!has_folder()) return fail(ErrorCode::io, note_);
  if (pausing()) return fail(ErrorCode::io, last_failure_);
  // Somebody cleaned up while we were running, or the file could not be written when it was opened.
  if (!writable_ || user_.database->moved()) {
    close_user();
    open_user();
  }
  auto done = try_write(write);
  if (!done && writable_ && user_.database->damaged()) {
    if (auto repaired = repair_if_damaged(); !repaired) report(repaired.error());
    done = try_write(write);
  }
  if (done) {
    failed_at_.reset();
    return {};
  }
  failed_at_ = plan_.now();
  last_failure_ = done.error().message;
  report({ErrorCode::io, last_failure_ + "; what is new is kept in memory and ends with this process"});
  return done;
}

template <typename Rows>
template <typename Write>
void Shelf<Rows>::write_memory(Write&& write) {
  if (!memory_.rows) {
    auto database = Database::open_memory();
    if (!database) return report(database.error());
    if (auto made = migrate(**database, plan_.spec->steps); !made) return report(made.error());
    if (auto attached = attach(memory_, *std::move(database)); !attached) return report(attached.error());
  }
  if (auto done = write(*memory_.rows); !done) report(done.error());
}

template <typename Rows>
template <typename Write>
Result<void> Shelf<Rows>::change(Write&& write) {
  open();
  stop_pausing();
  if (has_folder()) return write_file(write);
  Result<void> result;
  write_memory([&](Rows& rows) { return result = write(rows); });
  return result;
}

template <typename Rows>
std::vector<std::string> Shelf<Rows>::notes() const {
  std::vector<std::string> lines{fmt::format("{}: {}", plan_.spec->name, note_)};
  if (waiting()) lines.push_back(fmt::format("{}: new rows wait in memory: {}", plan_.spec->name, last_failure_));
  for (const Layer& layer : system_) {
    lines.push_back(fmt::format("{}: system layer {}", plan_.spec->name, layer.database->path()));
  }
  return lines;
}

}  // namespace convoy
