// What the store does with files that are not as they should be.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/file.h"
#include "store/schema.h"
#include "store/store_fixture_test.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

class StoreFiles : public StoreTest {
 protected:
  std::string bytes(const std::string& name) const { return read_file(path(name), 1 << 24).value_or(""); }
  // Database files whose names begin so.
  int count(const std::string& prefix) const {
    int found = 0;
    for (const auto& entry : fs::directory_iterator(folder_.file("cache"))) {
      const std::string name = entry.path().filename();
      if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm")) ++found;
    }
    return found;
  }
  void fill() {
    auto store = open();
    for (int i = 1; i <= 50; ++i) {
      const TrialKey trial = key("solver" + std::to_string(i), std::to_string(i));
      store->put_find(find(trial.solver, i));
      store->close_intent(store->begin_intent(trial), verdict(Verdict::passed, trial), 0, "");
      store->add_incident(trial, Verdict::failed, 1, "an incident");
    }
  }
  // Whatever it stands on, a store works for its own process.
  static void expect_works(Store& store) {
    store.put_find(find("works", 1.0));
    const auto found = store.find_records("fwd:n32c64", "gfx906/6.2");
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const auto& r) { return r.solver == "works"; }));
    const std::size_t before = store.incidents(key("works")).size();
    store.close_intent(store.begin_intent(key("works")), verdict(Verdict::crashed, key("works")), 11, "");
    EXPECT_EQ(store.incidents(key("works")).size(), before + 1);
  }
  static std::string notes(const Store& store) {
    std::string text;
    for (const auto& line : store.notes()) text += line + "\n";
    return text;
  }
};

TEST_F(StoreFiles, ANewerLedgerIsLeftAlone) {
  fill();
  meddle(path("ledger.db"), "PRAGMA user_version=99");
  const std::string before = bytes("ledger.db");
  {
    auto store = open();
    EXPECT_FALSE(store->passed_before(key("solver1", "1")));
    EXPECT_EQ(store->begin_intent(key()), 0);
    expect_works(*store);
    EXPECT_NE(notes(*store).find("newer Convoy (schema 99"), std::string::npos) << notes(*store);
    EXPECT_EQ(store->find_records("fwd:n32c64", "gfx906/6.2").size(), 51U) << "the cache is not concerned";
    EXPECT_FALSE(store->forget("all"));
  }
  EXPECT_EQ(bytes("ledger.db"), before);
  EXPECT_EQ(count("ledger.db"), 1);
}

TEST_F(StoreFiles, ALedgerMigratedUnderARunningProcessIsLeftAlone) {
  auto store = open();
  EXPECT_GT(store->begin_intent(key()), 0);
  meddle(path("ledger.db"), "PRAGMA user_version=2");
  EXPECT_EQ(store->begin_intent(key()), 0);
  expect_works(*store);
}

TEST_F(StoreFiles, ACacheOfAnotherVersionIsSetAsideOnce) {
  for (const int version : {7, 8}) {
    fill();
    meddle(path("cache.db"), "PRAGMA user_version=" + std::to_string(version));
    auto store = open();
    EXPECT_TRUE(store->find_records("fwd:n32c64", "gfx906/6.2").empty());
    EXPECT_TRUE(store->passed_before(key("solver1", "1"))) << "the ledger is not concerned";
    EXPECT_TRUE(fs::exists(path("cache.db.old-" + std::to_string(version))));
    EXPECT_EQ(count("cache.db.old-"), 1);
    expect_works(*store);
  }
}

TEST_F(StoreFiles, AForeignSchemaIsNotBelieved) {
  fill();
  meddle(path("cache.db"), "CREATE TRIGGER t AFTER INSERT ON find BEGIN DELETE FROM find; END");
  meddle(path("ledger.db"),
         "CREATE VIEW v AS WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x FROM a) SELECT x FROM a");
  auto store = open();
  EXPECT_EQ(count("cache.db.corrupt-"), 1);
  EXPECT_EQ(count("ledger.db.corrupt-"), 1);
  EXPECT_TRUE(store->passed_before(key("solver50", "50"))) << "rows are saved into a ledger of ours";
  EXPECT_EQ(store->contents()->incidents.size(), 50U);
  expect_works(*store);
}

TEST_F(StoreFiles, AViewInPlaceOfATableIsNotRead) {
  fs::create_directories(folder_.file("cache"));
  fs::permissions(folder_.file("cache"), fs::perms::owner_all);
  meddle(path("cache.db"),
         "CREATE VIEW find(problem) AS WITH RECURSIVE a(x) AS (SELECT 'p' UNION ALL SELECT x FROM a) SELECT x FROM a;"
         "PRAGMA user_version=2");
  expect_works(*open());
}

TEST_F(StoreFiles, GarbageEmptyAndTruncatedFilesDoNotStopIt) {
  std::mt19937 random(20240611);
  for (const std::string name : {"cache.db", "ledger.db"}) {
    for (int round = 0; round < 6; ++round) {
      fs::remove_all(folder_.file("cache"));
      fill();
      std::string content = bytes(name);
      if (round == 0) content.clear();
      if (round == 1) content.resize(50);
      if (round == 2) content.resize(content.size() / 2);
      if (round == 3) content.replace(0, 16, "not a database..");
      if (round == 4) std::generate(content.begin(), content.end(), [&] { return static_cast<char>(random()); });
      if (round == 5) content = "PRAGMA user_version=1; this is text\n";
      folder_.write("cache/" + name, content);
      SCOPED_TRACE(name + " round " + std::to_string(round));
      expect_works(*open());
      expect_works(*open());
    }
  }
}

TEST_F(StoreFiles, ALedgerWithADamagedPageIsSavedRowByRow) {
  {
    auto store = open();
    for (int i = 0; i < 2000; ++i) {
      store->add_incident(key("solver" + std::to_string(i)), Verdict::failed, 1, std::string(200, 'r'));
      if (i == 0) store->close_intent(0, verdict(Verdict::passed, key()), 0, "");
    }
  }
  std::string content = bytes("ledger.db");
  ASSERT_GT(content.size(), 100 * 4096U);
  content.replace(content.size() / 2 / 4096 * 4096, 4096, std::string(4096, '\xff'));
  folder_.write("cache/ledger.db", content);
  auto store = open();
  for (int i = 0; i < 2000; i += 50) store->incidents(key("solver" + std::to_string(i)));
  store->contents();  // reads every page: by now at the latest the damage is found
  const auto contents = store->contents();
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_GT(contents->incidents.size(), 1900U);
  EXPECT_EQ(count("ledger.db.corrupt-"), 1);
  EXPECT_TRUE(store->verify()->empty());
  EXPECT_TRUE(store->passed_before(key()));
  expect_works(*store);
}

TEST_F(StoreFiles, VerifyReportsDamageWithoutTouchingIt) {
  fill();
  std::string content = bytes("ledger.db");
  content.replace(content.size() - 4096, 4096, std::string(4096, '\xff'));
  folder_.write("cache/ledger.db", content);
  auto store = open();
  EXPECT_FALSE(store->verify()->empty());
  EXPECT_EQ(bytes("ledger.db"), content);
}

TEST_F(StoreFiles, AbsurdRowsAreSkipped) {
  fill();
  for (const std::string sql : {
           "UPDATE incident SET at = -5 WHERE id = 1",
           "UPDATE incident SET strikes = 9000000000000 WHERE id = 2",
           "UPDATE incident SET verdict = 'excellent' WHERE id = 3",
           "UPDATE incident SET reason = CAST(zeroblob(100000) AS TEXT) WHERE id = 4",
           "UPDATE incident SET host = CAST(x'fffe' AS TEXT) WHERE id = 5",
           "UPDATE incident SET signal = -1 WHERE id = 6",
           "UPDATE incident SET at = 1e15 WHERE id = 7",
           "UPDATE incident SET solver = '' WHERE id = 8",
           "UPDATE verdict SET error = -1 WHERE solver = 'solver1'",
           "UPDATE verdict SET tolerance = 9e999 WHERE solver = 'solver2'",
           "UPDATE verdict SET verdict = '' WHERE solver = 'solver3'",
           "INSERT INTO intent VALUES (1000, 's', 'p', 'c', 'd', 'l', -1, -1, '', '', '', -1)",
       }) {
    meddle(path("ledger.db"), sql);
  }
  meddle(path("cache.db"), "UPDATE find SET time_ms = -9e999 WHERE solver = 'solver1'");
  meddle(path("cache.db"), "UPDATE find SET workspace_bytes = -1 WHERE solver = 'solver2'");
  meddle(path("cache.db"), "UPDATE find SET params = hex(zeroblob(9000000)) WHERE solver = 'solver50'");
  auto store = open();
  // A text over 16 MiB is not even loaded and ends the query; the others spoil their own row only.
  EXPECT_FALSE(store->contents());
  meddle(path("cache.db"), "DELETE FROM find WHERE length(params) > 1000");
  const auto sound = store->contents();
  ASSERT_TRUE(sound) << sound.error().message;
  EXPECT_EQ(sound->finds.size(), 47U);
  EXPECT_EQ(sound->incidents.size(), 42U);
  EXPECT_EQ(sound->verdicts.size(), 47U);
  EXPECT_TRUE(sound->intents.empty());
  EXPECT_FALSE(store->passed_before(key("solver1", "1")));
  EXPECT_TRUE(store->passed_before(key("solver4", "4")));
  EXPECT_TRUE(store->incidents(key("solver2", "2")).empty());
  EXPECT_EQ(store->verify()->size(), 2U);
  expect_works(*store);
}

TEST_F(StoreFiles, LinksFoldersAndForeignFoldersAreRefused) {
  fill();
  fs::rename(path("ledger.db"), folder_.file("target.db"));
  fs::create_symlink(folder_.file("target.db"), path("ledger.db"));
  fs::remove(path("cache.db"));
  fs::create_directory(path("cache.db"));
  const auto before = read_file(folder_.file("target.db"), 1 << 24);
  {
    auto store = open();
    expect_works(*store);
    EXPECT_NE(notes(*store).find("is a link"), std::string::npos) << notes(*store);
    EXPECT_NE(notes(*store).find("not a plain file"), std::string::npos) << notes(*store);
  }
  EXPECT_EQ(*read_file(folder_.file("target.db"), 1 << 24), *before);

  StoreConfig linked = config();
  linked.folder = folder_.file("linked");
  fs::create_directory_symlink(folder_.file("cache"), linked.folder);
  expect_works(*Store::open(linked));
  StoreConfig open_to_all = config();
  open_to_all.folder = folder_.file("open");
  fs::create_directory(open_to_all.folder);
  fs::permissions(open_to_all.folder, fs::perms::all);
  expect_works(*Store::open(open_to_all));
  EXPECT_TRUE(fs::is_empty(open_to_all.folder));
  StoreConfig in_a_file = config();
  in_a_file.folder = folder_.file("target.db/cache");
  expect_works(*Store::open(in_a_file));
}

TEST_F(StoreFiles, ALinkAmongTheParentsIsFine) {
  fs::create_directory(folder_.file("disk"));
  fs::create_directory_symlink(folder_.file("disk"), folder_.file("home"));
  StoreConfig config = StoreFiles::config();
  config.folder = folder_.file("home/cache");
  Store::open(config)->put_find(find("igemm", 1.0));
  EXPECT_EQ(Store::open(config)->find_records("fwd:n32c64", "gfx906/6.2").size(), 1U);
}

TEST_F(StoreFiles, OnNetworkFileSystemsEachHostHasItsFiles) {
  StoreConfig one = config();
  one.assume_network_filesystem = true;
  one.host = "node/1";
  StoreConfig two = one;
  two.host = "node2";
  auto first = Store::open(one);
  auto second = Store::open(two);
  expect_works(*first);
  EXPECT_TRUE(second->incidents(key("works")).empty());
  EXPECT_TRUE(fs::exists(path("ledger-node_1.db")));
  EXPECT_TRUE(fs::exists(path("cache-node2.db")));
  EXPECT_FALSE(fs::exists(path("ledger.db")));
  EXPECT_FALSE(fs::exists(path("ledger-node_1.db-wal")));
  EXPECT_NE(notes(*first).find("no WAL"), std::string::npos);
}

TEST_F(StoreFiles, FilesRemovedUnderARunningProcessAreMadeAnew) {
  auto store = open();
  expect_works(*store);
  fs::remove_all(folder_.file("cache"));
  fs::create_directory(folder_.file("cache"));
  fs::permissions(folder_.file("cache"), fs::perms::owner_all);
  EXPECT_GT(store->begin_intent(key()), 0);
  store->put_find(find("igemm", 1.0));
  EXPECT_EQ(open()->find_records("fwd:n32c64", "gfx906/6.2").size(), 1U);
  EXPECT_EQ(open()->contents()->intents.size(), 1U);
}

TEST_F(StoreFiles, ABusyLedgerCostsOneTimeoutAndIsCaughtUp) {
  auto store = open();
  const auto intent = store->begin_intent(key("first"));
  {
    auto other = Database::open(path("ledger.db"), Database::Mode::read_write, std::chrono::milliseconds(0));
    ASSERT_TRUE(other);
    auto held = Transaction::begin(**other);
    ASSERT_TRUE(held);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(store->begin_intent(key()), 0);
    store->close_intent(intent, verdict(Verdict::crashed, key("first")), 11, "while busy");
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    EXPECT_EQ(store->incidents(key("first")).size(), 1U) << "holds in this process";
    EXPECT_NE(notes(*store).find("wait in memory"), std::string::npos) << notes(*store);
  }
  time_ += 31;
  EXPECT_GT(store->begin_intent(key("second")), 0);
  EXPECT_EQ(notes(*store).find("wait in memory"), std::string::npos) << notes(*store);
  const auto contents = open()->contents();
  ASSERT_EQ(contents->incidents.size(), 1U) << "written late, once";
  EXPECT_EQ(contents->incidents[0].reason, "while busy");
  ASSERT_EQ(contents->intents.size(), 1U) << "and its intent was closed";
  EXPECT_EQ(contents->intents[0].key.solver, "second");
}

TEST_F(StoreFiles, WhatWaitsIsWrittenAtTheEnd) {
  auto store = open();
  auto other = Database::open(path("ledger.db"), Database::Mode::read_write, std::chrono::milliseconds(0));
  ASSERT_TRUE(other);
  {
    auto held = Transaction::begin(**other);
    store->close_intent(0, verdict(Verdict::wrong_result, key()), 0, "");
  }
  store.reset();
  EXPECT_EQ(open()->incidents(key()).size(), 1U);
}

TEST_F(StoreFiles, MigrationIsStepByStepAndOnlyOnce) {
  const std::string_view one = "CREATE TABLE a (x INTEGER)";
  const std::string_view two = "ALTER TABLE a ADD COLUMN y INTEGER; CREATE TABLE b (z INTEGER)";
  const std::string_view broken = "CREATE TABLE c (z INTEGER); CREATE TABLE b (z INTEGER)";
  auto opened = Database::open(folder_.file("m.db"), Database::Mode::read_write, std::chrono::milliseconds(100));
  ASSERT_TRUE(opened);
  Database& database = **opened;
  const std::string_view v1[] = {one};
  const std::string_view v2[] = {one, two};
  const std::string_view v3[] = {one, two, broken};
  ASSERT_TRUE(migrate(database, v1));
  ASSERT_TRUE(migrate(database, v2));
  ASSERT_TRUE(migrate(database, v2));
  EXPECT_EQ(*schema_state(database, v2), SchemaState::matches);
  EXPECT_EQ(*schema_state(database, v1), SchemaState::other_version);
  EXPECT_FALSE(migrate(database, v3));
  EXPECT_EQ(*schema_state(database, v2), SchemaState::matches) << "a migration that fails changes nothing";
  ASSERT_TRUE(migrate(database, v1)) << "a newer file is left as it is";
  EXPECT_EQ(*schema_state(database, v2), SchemaState::matches);
}

}  // namespace
}  // namespace convoy
