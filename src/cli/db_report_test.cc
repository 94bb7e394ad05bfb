// What is in quarantine and until when; tables and JSON of everything.
#include "cli/db_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace convoy {
namespace {

constexpr std::int64_t k_day = 24 * 3600;
constexpr std::int64_t k_now = 1'700'000'000;
constexpr std::chrono::hours k_month{30 * 24};

Incident incident(const std::string& solver, int strikes, std::int64_t days_ago) {
  return {1,
          {solver, "fwd:n1c64", "fwd:c64", "gpu", "lib"},
          Verdict::failed,
          strikes,
          0,
          "why",
          "host",
          k_now - days_ago * k_day};
}

TEST(Quarantines, LastUntilTooFewStrikesRemain) {
  const auto found = quarantines({incident("a", 1, 10), incident("a", 1, 20), incident("a", 1, 5), incident("b", 1, 1),
                                  incident("c", 2, 31), incident("d", 2, 29), incident("e", 2, -2)},
                                 k_month, k_now);
  ASSERT_EQ(found.size(), 2U) << "b has one strike, c is forgiven, e is dated in the future";
  EXPECT_EQ(found[0].key.solver, "a");
  EXPECT_EQ(found[0].strikes, 3);
  EXPECT_EQ(found[0].until, k_now - 10 * k_day + 30 * k_day) << "when the second oldest is forgiven";
  EXPECT_EQ(found[1].key.solver, "d");
  EXPECT_EQ(found[1].until, k_now + k_day);
}

TEST(Quarantines, SpanBatchSizesOnly) {
  Incident other = incident("a", 1, 1);
  other.key.problem = "fwd:n2c64";
  EXPECT_EQ(quarantines({incident("a", 1, 1), other}, k_month, k_now).size(), 1U);
  other.key.library = "lib 2";
  EXPECT_TRUE(quarantines({incident("a", 1, 1), other}, k_month, k_now).empty());
}

TEST(DbReport, ShowsEverythingBothWays) {
  Store::Contents contents;
  contents.finds.push_back({"fwd:n1c64", "gpu", "lib", "igemm", "", 1.5, 4096, k_now});
  contents.verdicts.push_back({{"igemm", "fwd:n1c64", "fwd:c64", "gpu", "lib"}, Verdict::passed, 1e-3, 1e-2, k_now});
  contents.incidents.push_back(incident("miopen", 2, 1));
  contents.intents.push_back({3, {"direct", "fwd:n1c64", "fwd:c64", "gpu", "lib"}, 4711, "host", k_now});
  contents.kernels.push_back({"0123abcd", "depthwise", "gfx906", 10'000, 4000, 812.5, k_now, k_now});
  const auto quarantined = quarantines(contents.incidents, k_month, k_now);
  const std::string tables = contents_as_tables(contents, quarantined);
  for (const char* part : {"In quarantine", "2023-12-13 22:13", "4711", "Incidents", "why", "passed", "Find results",
                           "Kernels", "depthwise", "0123abcd"}) {
    EXPECT_NE(tables.find(part), std::string::npos) << part << " is missing in\n" << tables;
  }
  const auto json = nlohmann::json::parse(contents_as_json(contents, quarantined));
  EXPECT_EQ(json["quarantined"][0]["solver"], "miopen");
  EXPECT_EQ(json["incidents"][0]["id"], 1);
  EXPECT_EQ(json["finds"][0]["time_ms"], 1.5);
  EXPECT_EQ(json["running"][0]["pid"], 4711);
  EXPECT_EQ(json["kernels"][0]["stored_bytes"], 4000);
  Store::Contents kernels = contents;
  keep_kernels(kernels);
  EXPECT_EQ(stored_bytes(kernels), 4000U);
  EXPECT_TRUE(contents_as_tables(kernels, {}).starts_with("Kernels (1"));
  keep_matching(contents, "c128");
  EXPECT_EQ(contents_as_tables(contents, {}), "Nothing is remembered.\n");
}

}  // namespace
}  // namespace convoy
