// What the store remembers, forgets and forgives while all is well.
#include "store/store.h"

#include <cmath>
#include <thread>
#include <vector>

#include "store/store_fixture_test.h"

namespace convoy {
namespace {

// The fixture under the name that the tests are listed by.
class StoreRemembers : public StoreTest {};

TEST_F(StoreRemembers, FindsComeBackFastestFirstAfterReopening) {
  {
    auto store = open();
    store->put_find(find("igemm", 2.0));
    store->put_find(find("miopen", 1.0));
    store->put_find(find("direct", 3.0));
    store->put_find(find("direct", 0.5));  // measured again: replaces
  }
  const auto records = open()->find_records("fwd:n32c64", "gfx906/6.2");
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].solver, "direct");
  EXPECT_EQ(records[0].time_ms, 0.5);
  EXPECT_EQ(records[0].workspace_bytes, 4096U);
  EXPECT_EQ(records[0].measured_at, time_);
  EXPECT_EQ(records[1].solver, "miopen");
  EXPECT_EQ(records[2].solver, "igemm");
  EXPECT_TRUE(open()->find_records("fwd:n32c64", "gfx908/6.2").empty());
  EXPECT_TRUE(open()->find_records("", "").empty());
}

TEST_F(StoreRemembers, SenselessRecordsAreNotKept) {
  auto store = open();
  FindRecord record = find("igemm", std::nan(""));
  store->put_find(record);
  record.time_ms = -1;
  store->put_find(record);
  record.time_ms = 1;
  record.problem += "\n";
  store->put_find(record);
  record = find(std::string(100'000, 'x'), 1);
  store->put_find(record);
  EXPECT_EQ(store->contents()->finds.size(), 0U);
  TrialKey bad = key();
  bad.solver.clear();
  EXPECT_EQ(store->begin_intent(bad), 0);
}

TEST_F(StoreRemembers, PassedIsRememberedForExactlyItsKey) {
  auto store = open();
  const auto intent = store->begin_intent(key());
  EXPECT_GT(intent, 0);
  EXPECT_EQ(store->contents()->intents.size(), 1U);
  EXPECT_FALSE(store->passed_before(key()));
  store->close_intent(intent, verdict(Verdict::passed, key()), 0, "");
  EXPECT_TRUE(store->contents()->intents.empty());
  const auto passed = store->passed_before(key());
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->error, 1e-3);
  EXPECT_EQ(passed->tolerance, 1e-2);
  EXPECT_EQ(passed->at, time_);
  for (auto field :
       {&TrialKey::solver, &TrialKey::problem, &TrialKey::problem_class, &TrialKey::device, &TrialKey::library}) {
    TrialKey other = key();
    other.*field += "x";
    EXPECT_FALSE(store->passed_before(other));
    other.*field = "";
    EXPECT_FALSE(store->passed_before(other));
  }
}

TEST_F(StoreRemembers, ALaterFailureTakesTheTrustAway) {
  auto store = open();
  store->close_intent(0, verdict(Verdict::passed, key()), 0, "");
  store->close_intent(0, verdict(Verdict::wrong_result, key()), 0, "");
  EXPECT_FALSE(store->passed_before(key()));
  store->close_intent(0, verdict(Verdict::passed, key()), 0, "");
  EXPECT_TRUE(store->passed_before(key()));
}

TEST_F(StoreRemembers, EachVerdictHasItsStrikes) {
  for (const auto& [what, strikes] : {std::pair{Verdict::passed, 0},
                                      {Verdict::wrong_result, 2},
                                      {Verdict::crashed, 2},
                                      {Verdict::timed_out, 2},
                                      {Verdict::failed, 1},
                                      {Verdict::refused, 0}}) {
    EXPECT_EQ(strikes_of(what), strikes);
    auto store = open();
    const TrialKey trial = key("solver" + std::to_string(static_cast<int>(what)));
    store->close_intent(store->begin_intent(trial), verdict(what, trial), 11, "why\nnot\x01?");
    const auto incidents = store->incidents(trial);
    ASSERT_EQ(incidents.size(), strikes > 0 ? 1U : 0U);
    if (strikes == 0) continue;
    EXPECT_EQ(incidents[0].verdict, what);
    EXPECT_EQ(incidents[0].strikes, strikes);
    EXPECT_EQ(incidents[0].signal, 11);
    EXPECT_EQ(incidents[0].reason, "why not ?");
    EXPECT_FALSE(incidents[0].host.empty());
  }
}

TEST_F(StoreRemembers, IncidentsSpanBatchSizesButNothingElse) {
  auto store = open();
  store->close_intent(0, verdict(Verdict::failed, key("igemm", "32")), 0, "first");
  ++time_;
  store->add_incident(key("igemm", "64"), Verdict::timed_out, 2, "second");
  const auto incidents = store->incidents(key("igemm", "128"));
  ASSERT_EQ(incidents.size(), 2U);
  EXPECT_EQ(incidents[0].reason, "second");
  EXPECT_EQ(incidents[1].reason, "first");
  for (auto field : {&TrialKey::solver, &TrialKey::problem_class, &TrialKey::device, &TrialKey::library}) {
    TrialKey other = key();
    other.*field += "x";
    EXPECT_TRUE(store->incidents(other).empty());
  }
  TrialKey elsewhere = key();
  elsewhere.problem_class = "fwd:c128";
  store->add_incident(elsewhere, Verdict::failed, 1, "third");
  EXPECT_EQ(store->incidents_of_solver("igemm", "gfx906/6.2", "igemm 1.0").size(), 3U);
  EXPECT_TRUE(store->incidents_of_solver("igemm", "gfx906/6.2", "").empty());
}

TEST_F(StoreRemembers, IncidentsAreForgivenWithTime) {
  auto store = open();
  store->add_incident(key(), Verdict::crashed, 2, "");
  time_ += 30 * 24 * 3600 - 1;
  EXPECT_EQ(store->incidents(key()).size(), 1U);
  ++time_;
  EXPECT_TRUE(store->incidents(key()).empty());
  EXPECT_TRUE(store->incidents_of_solver("igemm", "gfx906/6.2", "igemm 1.0").empty());
  EXPECT_EQ(store->contents()->incidents.size(), 1U);
  // The clock was wrong when it was recorded: it does not count until the clock says so again.
  time_ -= 35 * 24 * 3600;
  EXPECT_TRUE(store->incidents(key()).empty());
}

TEST_F(StoreRemembers, ExtremeForgivenessDoesNotWrapRound) {
  StoreConfig extreme = config();
  extreme.forgiveness = std::chrono::hours::max();
  auto store = Store::open(extreme);
  store->add_incident(key(), Verdict::crashed, 2, "");
  EXPECT_EQ(store->incidents(key()).size(), 1U);
  EXPECT_TRUE(store->prune(std::chrono::hours::max()));
  EXPECT_EQ(store->incidents(key()).size(), 1U);
}

TEST_F(StoreRemembers, WrongNumbersWithoutANumberAreRecorded) {
  auto store = open();
  VerdictRecord record = verdict(Verdict::wrong_result, key());
  record.error = std::nan("");
  store->close_intent(0, record, 0, "NaN in the output");
  EXPECT_EQ(store->incidents(key()).size(), 1U);
  ASSERT_EQ(store->contents()->verdicts.size(), 1U);
  EXPECT_TRUE(std::isinf(store->contents()->verdicts[0].error));
}

TEST_F(StoreRemembers, CancelledIntentsLeaveNothing) {
  auto store = open();
  const auto intent = store->begin_intent(key());
  store->cancel_intent(intent);
  store->cancel_intent(0);
  EXPECT_TRUE(store->contents()->intents.empty());
  EXPECT_TRUE(store->contents()->verdicts.empty());
}

TEST_F(StoreRemembers, SystemLayersLieUnderTheUsers) {
  StoreConfig admin = config();
  admin.folder = folder_.file("system");
  {
    auto store = Store::open(admin);
    store->put_find(find("igemm", 9.0));
    store->put_find(find("miopen", 8.0));
    store->close_intent(0, verdict(Verdict::passed, key("igemm")), 0, "");
    store->close_intent(0, verdict(Verdict::passed, key("miopen")), 0, "");
    store->add_incident(key("direct"), Verdict::crashed, 2, "shipped");
  }
  StoreConfig user = config();
  user.system_folders = {folder_.file("missing"), folder_.file("system")};
  auto store = Store::open(user);
  store->put_find(find("igemm", 1.0));
  store->close_intent(0, verdict(Verdict::wrong_result, key("igemm")), 0, "");
  const auto records = store->find_records("fwd:n32c64", "gfx906/6.2");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].time_ms, 1.0);
  EXPECT_EQ(records[1].time_ms, 8.0);
  EXPECT_FALSE(store->passed_before(key("igemm")));
  EXPECT_TRUE(store->passed_before(key("miopen")));
  EXPECT_EQ(store->incidents(key("direct")).size(), 1U);
  EXPECT_EQ(store->contents()->finds.size(), 1U);
  EXPECT_EQ(*store->forget("all"), 3);
  EXPECT_TRUE(store->passed_before(key("miopen")));
}

TEST_F(StoreRemembers, MemoryOnlyRemembersWithinTheProcess) {
  StoreConfig memory = config();
  memory.folder.clear();
  auto store = Store::open(memory);
  store->put_find(find("igemm", 1.0));
  EXPECT_EQ(store->begin_intent(key()), 0);
  store->close_intent(0, verdict(Verdict::crashed, key()), 11, "");
  EXPECT_EQ(store->find_records("fwd:n32c64", "gfx906/6.2").size(), 1U);
  EXPECT_EQ(store->incidents(key()).size(), 1U);
  EXPECT_EQ(store->notes().size(), 2U);
  EXPECT_FALSE(store->verify()) << "no file was looked at";
  EXPECT_EQ(*store->forget("igemm"), 2);
  EXPECT_TRUE(store->incidents(key()).empty());
}

TEST_F(StoreRemembers, ForgetByEachNameAndNumber) {
  auto store = open();
  const auto fill = [&] {
    store->close_intent(0, verdict(Verdict::crashed, key("igemm", "1")), 11, "");
    store->close_intent(0, verdict(Verdict::passed, key("miopen", "1")), 0, "");
  };
  fill();
  const auto id = store->contents()->incidents[0].id;
  EXPECT_EQ(*store->forget("0" + std::to_string(id)), 0);
  EXPECT_EQ(*store->forget(std::to_string(id)), 1);
  EXPECT_EQ(*store->forget("igemm"), 1);
  EXPECT_EQ(*store->forget("igemm"), 0);
  EXPECT_EQ(*store->forget("fwd:n1c64"), 1);
  fill();
  EXPECT_EQ(*store->forget("fwd:c64"), 3);
  fill();
  store->put_find(find("igemm", 1.0));
  EXPECT_EQ(*store->forget("x' OR '1'='1"), 0);
  EXPECT_EQ(*store->forget("all"), 4);
  EXPECT_FALSE(store->forget(""));
  // Numbers are not used twice.
  fill();
  EXPECT_GT(store->contents()->incidents[0].id, id + 1);
}

TEST_F(StoreRemembers, PruneDropsTheOldAndKeepsWhatStillCounts) {
  auto store = open();
  store->put_find(find("old", 1.0));
  store->close_intent(0, verdict(Verdict::crashed, key("old")), 0, "");
  time_ += 20 * 24 * 3600;
  store->put_find(find("new", 1.0));
  store->close_intent(0, verdict(Verdict::crashed, key("new")), 0, "");
  auto counts = store->prune(std::chrono::hours(10 * 24));
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->finds, 1);
  EXPECT_EQ(counts->verdicts, 1);
  EXPECT_EQ(counts->incidents, 0) << "not forgiven yet";
  time_ += 11 * 24 * 3600;
  counts = store->prune(std::chrono::hours(10 * 24));
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->incidents, 1);
  EXPECT_EQ(store->incidents(key("new")).size(), 1U);
}

TEST_F(StoreRemembers, ThreadsShareOneStore) {
  auto store = open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const TrialKey trial = key("solver" + std::to_string(t), std::to_string(i + 1));
        const auto intent = store->begin_intent(trial);
        store->put_find(find(trial.solver, i + 1));
        store->find_records("fwd:n32c64", "gfx906/6.2");
        store->close_intent(intent, verdict(i % 2 == 0 ? Verdict::passed : Verdict::failed, trial), 0, "");
        EXPECT_EQ(store->passed_before(trial).has_value(), i % 2 == 0);
        store->notes();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto contents = store->contents();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->verdicts.size(), 80U);
  EXPECT_EQ(contents->incidents.size(), 40U);
  EXPECT_TRUE(contents->intents.empty());
}

TEST_F(StoreRemembers, LookupsTakeMicroseconds) {
  auto store = open();
  for (int i = 0; i < 200; ++i) {
    FindRecord record = find("solver" + std::to_string(i % 10), i);
    record.problem = "fwd:n" + std::to_string(i / 10) + "c64";
    store->put_find(record);
  }
  store->close_intent(0, verdict(Verdict::passed, key()), 0, "");
  const auto start = std::chrono::steady_clock::now();
  constexpr int k_rounds = 500;
  for (int i = 0; i < k_rounds; ++i) {
    EXPECT_EQ(store->find_records("fwd:n7c64", "gfx906/6.2").size(), 10U);
    EXPECT_TRUE(store->passed_before(key()));
    EXPECT_TRUE(store->incidents(key()).empty());
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  RecordProperty("microseconds_per_lookup", std::to_string(took.count() / k_rounds / 3));
  // Some 10 on an idle machine; the limit leaves room for sanitizers and neighbours.
  EXPECT_LT(took.count() / k_rounds / 3, 1000);
}

TEST_F(StoreRemembers, SettingsNameTheFolder) {
  Settings settings;
  ASSERT_TRUE(settings.set("cache_dir", folder_.file("x")));
  ASSERT_TRUE(settings.set("system_cache_dirs", "/a::/b"));
  ASSERT_TRUE(settings.set("forgiveness_days", "7"));
  ASSERT_TRUE(settings.set("kernel_cache_limit", "512M"));
  const StoreConfig config = store_config(settings);
  EXPECT_EQ(config.folder, folder_.file("x"));
  EXPECT_EQ(config.system_folders, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(config.forgiveness, std::chrono::hours(24 * 7));
  EXPECT_EQ(config.kernel_limit, 512U << 20);
}

}  // namespace
}  // namespace convoy
