// Moving decisions between machines, and what is refused at the border.
#include "store/transfer.h"

#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "store/records.h"
#include "store/store_fixture_test.h"

namespace convoy {
namespace {

constexpr std::string_view k_header = "{\"format\":\"convoy-decisions\",\"version\":1}\n";
constexpr std::string_view k_incident =
    R"({"kind":"incident","solver":"s","problem":"p","problem_class":"c","device":"d","library":"l",)"
    R"("verdict":"crashed","strikes":1,"signal":11,"reason":"r","host":"h","at":1700000000})";

class Transfer : public StoreTest {
 protected:
  std::string filled(const std::string& folder) {
    StoreConfig config = StoreTest::config();
    config.folder = folder_.file(folder);
    config.host = "first machine";
    auto store = Store::open(config);
    store->put_find(find("igemm", 1.0 / 3));
    store->put_kernel({"key", "igemm", "gfx906", 0, 0, 812.5, 0, 0}, std::string("machine\0code", 12));
    VerdictRecord record = verdict(Verdict::wrong_result, key());
    record.error = std::numeric_limits<double>::infinity();
    store->close_intent(store->begin_intent(key()), record, 0, "\"quoted\" \\ and ünïcode");
    store->close_intent(0, verdict(Verdict::passed, key("miopen")), 0, "");
    auto lines = store->export_lines(Kernels::included);
    EXPECT_TRUE(lines);
    return lines.value_or("");
  }
};

TEST_F(Transfer, AnotherMachineDecidesAlike) {
  const std::string lines = filled("first");
  auto store = open();
  const auto counts = store->import_lines(lines, "first.jsonl", Kernels::included);
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->finds, 1);
  EXPECT_EQ(counts->verdicts, 2);
  EXPECT_EQ(counts->incidents, 1);
  EXPECT_EQ(counts->kernels, 1);
  EXPECT_EQ(counts->already_there, 0);
  EXPECT_EQ(*store->export_lines(Kernels::included), lines);
  EXPECT_EQ(store->find_kernel("key"), std::string("machine\0code", 12));
  ASSERT_EQ(store->incidents(key()).size(), 1U);
  EXPECT_EQ(store->incidents(key())[0].host, "first machine");
  EXPECT_EQ(store->incidents(key())[0].reason, "\"quoted\" \\ and ünïcode");
  EXPECT_TRUE(store->passed_before(key("miopen")));
  const auto again = store->import_lines(lines, "first.jsonl", Kernels::included);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->already_there, 5);
  EXPECT_EQ(again->finds + again->verdicts + again->incidents + again->kernels, 0);
}

TEST_F(Transfer, TheNewerMeasurementStays) {
  const std::string lines = filled("first");
  auto store = open();
  time_ += 10;
  store->put_find(find("igemm", 7.0));
  EXPECT_EQ(store->import_lines(lines, "x", Kernels::included)->finds, 0);
  EXPECT_EQ(store->find_records("fwd:n32c64", "gfx906/6.2")[0].time_ms, 7.0);
}

TEST_F(Transfer, EveryWrongFieldIsNamedAndNothingIsImported) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"\"kind\":\"incident\"", "\"kind\":\"rumour\"", "kind"},
      {"\"solver\":\"s\"", "\"solver\":\"\"", "solver"},
      {"\"solver\":\"s\"", "\"solver\":7", "solver"},
      {"\"problem\":\"p\",", "", "problem"},
      {"\"library\":\"l\"", "\"library\":\"a\\u0000b\"", "library"},
      {"\"device\":\"d\"", "\"device\":\"" + std::string(70'000, 'd') + "\"", "device"},
      {"\"verdict\":\"crashed\"", "\"verdict\":\"excellent\"", "verdict"},
      {"\"strikes\":1", "\"strikes\":1.5", "strikes"},
      {"\"strikes\":1", "\"strikes\":-1", "strikes"},
      {"\"strikes\":1", "\"strikes\":99999999999999999999", "strikes"},
      {"\"strikes\":1", "\"strikes\":4294967297", "strikes"},
      {"\"signal\":11", "\"signal\":\"11\"", "signal"},
      {"\"signal\":11", "\"signal\":129", "signal"},
      {"\"at\":1700000000", "\"at\":-1", "at"},
      {"\"at\":1700000000", "\"at\":1e300", "at"},
      {"\"host\":\"h\"", "\"host\":null", "host"},
      {"\"host\":\"h\"", "\"host\":\"h\",\"extra\":1", "kind"},
  };
  auto store = open();
  for (const auto& [from, to, field] : cases) {
    std::string line(k_incident);
    line.replace(line.find(from), from.size(), to);
    const auto result = store->import_lines(std::string(k_header) + std::string(k_incident) + "\n\n" + line, "in.jsonl",
                                            Kernels::included);
    ASSERT_FALSE(result) << to.substr(0, 80);
    EXPECT_TRUE(result.error().message.starts_with("in.jsonl:4: field \"" + field + "\" "))
        << result.error().message.substr(0, 200);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_TRUE(store->contents()->incidents.empty());
}

TEST_F(Transfer, NeedsItsHeader) {
  auto store = open();
  EXPECT_FALSE(store->import_lines("", "x", Kernels::included));
  EXPECT_FALSE(store->import_lines("\n \n", "x", Kernels::included));
  EXPECT_FALSE(store->import_lines(k_incident, "x", Kernels::included));
  EXPECT_FALSE(store->import_lines("{\"format\":\"convoy-decisions\",\"version\":2}", "x", Kernels::included));
  EXPECT_FALSE(store->import_lines("[]", "x", Kernels::included));
  EXPECT_FALSE(store->import_lines("null", "x", Kernels::included));
  EXPECT_TRUE(store->import_lines(k_header, "x", Kernels::included));
}

TEST_F(Transfer, NoInputMakesItFall) {
  constexpr unsigned k_seed = 77;
  std::mt19937 random(k_seed);
  const std::string sound = filled("first");
  auto store = open();
  for (int i = 0; i < 2000; ++i) {
    std::string text = sound;
    for (int edits = 0; edits < 3; ++edits) text[random() % text.size()] = static_cast<char>(random());
    if (i % 7 == 0) text.resize(random() % text.size());
    if (i % 11 == 0) text.insert(random() % text.size(), std::string(1000, "[{\""[random() % 3]));
    static_cast<void>(store->import_lines(text, "random", Kernels::included));
  }
  static_cast<void>(store->import_lines(std::string(k_header) + std::string(200'000, '['), "deep", Kernels::included));
  const auto contents = store->contents();
  ASSERT_TRUE(contents) << "seed " << k_seed;
  EXPECT_TRUE(store->verify()->empty());
  EXPECT_TRUE(store->export_lines(Kernels::included));
}

TEST_F(Transfer, NothingIsImportedIntoALedgerThatCannotBeWritten) {
  { auto store = open(); }
  meddle(path("cache.db"), "PRAGMA application_id=1");  // sound, and about to be locked
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path("cache.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  auto store = open();
  EXPECT_FALSE(store->import_lines(filled("first"), "x", Kernels::included));
  sqlite3_close(other);
  EXPECT_TRUE(store->contents()->incidents.empty());
  EXPECT_TRUE(store->contents()->verdicts.empty());
}

TEST(OneLine, KeepsTextAndDropsWhatIsNone) {
  EXPECT_EQ(one_line("a\nb\tc"), "a b c");
  EXPECT_EQ(one_line("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(one_line("\xff\xc3"), "??");
  EXPECT_EQ(one_line("\xed\xa0\x80"), "???") << "half a surrogate pair";
  EXPECT_EQ(one_line("\xf0\x9f\x9a\x9a"), "\xf0\x9f\x9a\x9a");
  EXPECT_LE(one_line(std::string(100'000, 'x')).size(), 4096U);
}

}  // namespace
}  // namespace convoy
