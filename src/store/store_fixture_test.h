// For the store's tests: keys, a clock that can be set, an intruder's hand on the files.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace convoy {

inline constexpr std::int64_t k_start_of_test_time = 1'700'000'000;

class StoreTest : public testing::Test {
 protected:
  StoreConfig config() {
    StoreConfig config;
    config.folder = folder_.file("cache");
    config.busy_timeout = std::chrono::milliseconds(200);
    config.now = [this] { return time_; };
    return config;
  }
  std::unique_ptr<Store> open() { return Store::open(config()); }
  std::string path(const std::string& name) const { return folder_.file("cache/" + name); }

  static TrialKey key(const std::string& solver = "igemm", const std::string& batch = "32") {
    return {solver, "fwd:n" + batch + "c64", "fwd:c64", "gfx906/6.2", solver + " 1.0"};
  }
  static FindRecord find(const std::string& solver, double time_ms, std::int64_t at = 0) {
    return {"fwd:n32c64", "gfx906/6.2", solver + " 1.0", solver, "", time_ms, 4096, at};
  }
  static VerdictRecord verdict(Verdict verdict, const TrialKey& key) { return {key, verdict, 1e-3, 1e-2, 0}; }

  // Runs SQL on a file behind the store's back, without the limits that our own connections have.
  static void meddle(const std::string& file, const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK) << file;
    sqlite3_busy_timeout(handle, 1000);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  TestFolder folder_;
  std::int64_t time_ = k_start_of_test_time;
};

}  // namespace convoy
