// Settings are what people type: precedence, every kind, and the message for every way to get it wrong.
#include "base/settings.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const SettingRow& row : setting_rows()) set_variable(std::string(row.environment), nullptr);
    set_variable("XDG_CONFIG_HOME", folder_.path().c_str());
  }
  void TearDown() override {
    for (const auto& [name, value] : former_) {
      if (value.empty()) {
        ::unsetenv(name.c_str());
      } else {
        ::setenv(name.c_str(), value.c_str(), 1);
      }
    }
  }
  // nullptr: unset. What was there before comes back after the test.
  void set_variable(const std::string& name, const char* value) {
    former_.emplace(name, Settings::environment(name));
    if (value == nullptr) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value, 1);
    }
  }
  std::string write_user_file(std::string_view content) { return folder_.write("convoy/convoy.conf", content); }
  static std::string problems(const Settings& settings) {
    std::string all;
    for (const std::string& problem : settings.problems()) all += problem + "\n";
    return all;
  }

  TestFolder folder_;

 private:
  std::map<std::string, std::string> former_;
};

TEST_F(SettingsTest, VariablesAreFoundByTheBeginningOfTheirNames) {
  set_variable("CONVOY_TEST_PREFIX_B", "two=2");
  set_variable("CONVOY_TEST_PREFIX_A", "");
  constexpr std::string_view prefixes[] = {"CONVOY_TEST_PREFIX_", "CONVOY_TEST_NOBODY_"};
  const std::vector<std::pair<std::string, std::string>> expected = {{"CONVOY_TEST_PREFIX_A", ""},
                                                                     {"CONVOY_TEST_PREFIX_B", "two=2"}};
  EXPECT_EQ(Settings::environment_with(prefixes), expected);
}

TEST_F(SettingsTest, EveryFallbackIsAcceptableAndInItsOneSpelling) {
  Settings settings;
  std::set<std::string_view> names;
  for (const SettingRow& row : setting_rows()) {
    const auto done = settings.set(row.key, row.fallback);
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(settings.text(row.key), row.fallback) << row.key;
    EXPECT_TRUE(names.insert(row.key).second) << "twice: " << row.key;
    EXPECT_TRUE(names.insert(row.environment).second) << "twice: " << row.environment;
    EXPECT_TRUE(row.meaning.ends_with(".")) << row.key;
  }
}

TEST_F(SettingsTest, TheDocumentHasEveryRow) {
  std::ifstream file(CONVOY_SOURCE_DIR "/docs/settings.md");
  std::stringstream content;
  content << file.rdbuf();
  for (const SettingRow& row : setting_rows()) {
    const std::string fallback = row.fallback.empty() ? "(empty)" : fmt::format("`{}`", row.fallback);
    const std::string cells = fmt::format("| `{}` | `{}` | {} |", row.key, row.environment, fallback);
    EXPECT_NE(content.str().find(cells), std::string::npos) << "docs/settings.md lacks \"" << cells << "\"";
  }
}

TEST_F(SettingsTest, BuiltInValuesWithoutFilesAndVariables) {
  const Settings settings = Settings::load();
  EXPECT_EQ(problems(settings), "");
  EXPECT_EQ(settings.text("strategy"), "auto");
  EXPECT_EQ(settings.integer("size_threshold"), 42);
  EXPECT_FALSE(settings.boolean("disable"));
  EXPECT_EQ(settings.text("miopen.find_mode"), "");
  EXPECT_EQ(settings.origin("strategy"), Origin::built_in);
  EXPECT_EQ(settings.place("strategy"), "built in");
}

TEST_F(SettingsTest, StrongerPlacesWin) {
  const std::string file = write_user_file("threads = 3\nstrategy = cpu\nverify=full\n");
  set_variable("CONVOY_STRATEGY", "gemm");
  set_variable("CONVOY_VERIFY", "off");
  Settings settings = Settings::load();
  ASSERT_TRUE(settings.set("verify", "sample"));
  EXPECT_EQ(problems(settings), "");
  EXPECT_EQ(settings.integer("threads"), 3);
  EXPECT_EQ(settings.origin("threads"), Origin::user_file);
  EXPECT_EQ(settings.place("threads"), file + ":1");
  EXPECT_EQ(settings.text("strategy"), "gemm");
  EXPECT_EQ(settings.place("strategy"), "CONVOY_STRATEGY");
  EXPECT_EQ(settings.text("verify"), "sample");
  EXPECT_EQ(settings.origin("verify"), Origin::command_line);
}

TEST_F(SettingsTest, ABadStrongValueLeavesTheWeakOne) {
  write_user_file("threads = 3\n");
  set_variable("CONVOY_THREADS", "many");
  const Settings settings = Settings::load();
  EXPECT_EQ(settings.integer("threads"), 3);
  EXPECT_EQ(problems(settings),
            "CONVOY_THREADS: threads = \"many\" is not accepted; use a whole number from 0 to 4096\n");
}

TEST_F(SettingsTest, AnEmptyVariableCountsAsUnset) {
  write_user_file("threads = 3\n");
  set_variable("CONVOY_THREADS", "");
  set_variable("MIOPEN_FIND_MODE", "");
  const Settings settings = Settings::load();
  EXPECT_EQ(settings.integer("threads"), 3);
  EXPECT_EQ(problems(settings), "");
}

TEST_F(SettingsTest, FileSyntax) {
  const std::string file = write_user_file(
      "# comment\n"
      "\n"
      "  threads=2   # trailing comment\r\n"
      "cache_dir = /tmp/a#b\n"
      "no equals sign\n"
      "startegy = cpu\n"
      "quite_unknown_thing = 1\n"
      "find = \x1b[31mred\n"
      "threads = 5");
  const Settings settings = Settings::load();
  EXPECT_EQ(settings.text("cache_dir"), "/tmp/a#b");
  EXPECT_EQ(settings.integer("threads"), 5) << "the last line counts, newline or not";
  EXPECT_EQ(problems(settings),
            file + ":5: \"no equals sign\" has no '='; write key = value\n" + file +
                ":6: no setting is called \"startegy\"; did you mean \"strategy\"?\n" + file +
                ":7: no setting is called \"quite_unknown_thing\"\n" + file +
                ":8: find = \" \\x1b[31mred\" is not accepted; use auto, find, dynamic_hybrid, immediate\n");
}

TEST_F(SettingsTest, TheFileMayBeALinkButNotEverybodysNorHuge) {
  const std::string file = write_user_file("threads = 3\n");
  std::filesystem::rename(file, folder_.file("real.conf"));
  std::filesystem::create_symlink(folder_.file("real.conf"), file);
  EXPECT_EQ(Settings::load().integer("threads"), 3);

  ASSERT_EQ(::chmod(folder_.file("real.conf").c_str(), 0666), 0);
  const Settings open_to_all = Settings::load();
  EXPECT_EQ(open_to_all.integer("threads"), 0);
  EXPECT_NE(problems(open_to_all).find("everyone may write"), std::string::npos) << problems(open_to_all);

  std::filesystem::remove(file);
  write_user_file("threads = 3\n" + std::string(65 * 1024, '#'));
  const Settings huge = Settings::load();
  EXPECT_EQ(huge.integer("threads"), 0);
  EXPECT_NE(problems(huge).find("the limit is 65536"), std::string::npos) << problems(huge);

  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_NE(problems(Settings::load()).find("not a regular file"), std::string::npos);
}

TEST_F(SettingsTest, AnotherUsersFileIsIgnored) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const std::string file = write_user_file("threads = 3\n");
  ASSERT_EQ(::chown(file.c_str(), 12345, 12345), 0);
  const Settings settings = Settings::load();
  EXPECT_EQ(settings.integer("threads"), 0);
  EXPECT_NE(problems(settings).find("belongs to user 12345"), std::string::npos) << problems(settings);
}

TEST_F(SettingsTest, HomeServesWhereXdgConfigHomeIsUnusable) {
  folder_.write(".config/convoy/convoy.conf", "threads = 7\n");
  set_variable("HOME", folder_.path().c_str());
  for (const char* unusable : {"", "relative/path"}) {
    set_variable("XDG_CONFIG_HOME", unusable);
    EXPECT_EQ(Settings::load().integer("threads"), 7) << unusable;
  }
}

TEST_F(SettingsTest, Bytes) {
  const std::map<std::string, std::int64_t> good{{"0", 0},
                                                 {"123", 123},
                                                 {"512M", 512LL << 20},
                                                 {"4g", 4LL << 30},
                                                 {"4 GiB", 4LL << 30},
                                                 {"1kib", 1024},
                                                 {"8388607T", 8388607LL << 40}};
  Settings settings;
  for (const auto& [text, value] : good) {
    ASSERT_TRUE(settings.set("memory_limit", text)) << text;
    EXPECT_EQ(settings.integer("memory_limit"), value) << text;
  }
  for (const char* bad :
       {"", "M", "-1", "4GB", "4GiBi", "1.5G", "8388608T", "16777217T", "99999999999999999999", "0x10", "4G4"}) {
    EXPECT_FALSE(settings.set("memory_limit", bad)) << bad;
  }
}

TEST_F(SettingsTest, Integers) {
  Settings settings;
  EXPECT_TRUE(settings.set("size_threshold", " 1000000000 "));
  EXPECT_EQ(settings.integer("size_threshold"), 1'000'000'000);
  for (const char* bad : {"", "-1", "1000000001", "-7", "4.5", "7x", "+7", "99999999999999999999"}) {
    EXPECT_FALSE(settings.set("size_threshold", bad)) << bad;
  }
  EXPECT_EQ(settings.integer("size_threshold"), 1'000'000'000);
}

TEST_F(SettingsTest, Booleans) {
  Settings settings;
  for (const char* yes : {"1", "yes", "ON", "True", "enable", "enabled"}) {
    ASSERT_TRUE(settings.set("disable", "0") && settings.set("disable", yes)) << yes;
    EXPECT_TRUE(settings.boolean("disable")) << yes;
  }
  for (const char* no : {"0", "no", "Off", "FALSE", "disable", "disabled"}) {
    ASSERT_TRUE(settings.set("disable", "1") && settings.set("disable", no)) << no;
    EXPECT_FALSE(settings.boolean("disable")) << no;
  }
  for (const char* bad : {"", "2", "y", "true false"}) EXPECT_FALSE(settings.set("disable", bad)) << bad;
}

TEST_F(SettingsTest, PathsAndText) {
  Settings settings;
  EXPECT_TRUE(settings.set("cache_dir", "/with space/\xc3\xa4"));
  EXPECT_EQ(settings.text("cache_dir"), "/with space/\xc3\xa4");
  EXPECT_TRUE(settings.set("cache_dir", ""));
  EXPECT_FALSE(settings.set("cache_dir", "relative"));
  EXPECT_FALSE(settings.set("cache_dir", "/with\nnewline"));
  EXPECT_FALSE(settings.set("fault", std::string(5000, 'x')));
  EXPECT_FALSE(settings.set("fault", std::string_view("nul\0inside", 10)));
}

TEST_F(SettingsTest, MiopensSpellings) {
  const std::map<std::string, std::string> spellings{
      {"FAST", "fast"}, {"2", "fast"}, {"normal", "normal"}, {"5", "dynamic_hybrid"}, {"7", "trust_verify_full"}};
  for (const auto& [given, meant] : spellings) {
    set_variable("MIOPEN_FIND_MODE", given.c_str());
    const Settings settings = Settings::load();
    EXPECT_EQ(settings.text("miopen.find_mode"), meant) << given;
    EXPECT_EQ(problems(settings), "");
  }
}

TEST_F(SettingsTest, WhatMiopenDoesWithABadValueIsSaid) {
  set_variable("MIOPEN_FIND_MODE", "quick");
  set_variable("MIOPEN_DEBUG_CONV_FFT", "maybe");
  EXPECT_EQ(problems(Settings::load()),
            "MIOPEN_FIND_MODE: miopen.find_mode = \"quick\" is not accepted; use normal (1), fast (2), hybrid (3), "
            "dynamic_hybrid (5), trust_verify (6), trust_verify_full (7); MIOpen itself answers it with error text "
            "\"stoul\" and status 7\n"
            "MIOPEN_DEBUG_CONV_FFT: miopen.conv_fft = \"maybe\" is not accepted; use 1/0, yes/no, on/off, "
            "true/false, "
            "enable/disable; newer versions of MIOpen throw on it\n");
  set_variable("MIOPEN_DEBUG_CONV_FFT", nullptr);
  set_variable("MIOPEN_FIND_MODE", "4");
  const std::string reserved = problems(Settings::load());
  EXPECT_NE(reserved.find("\"4\" is not accepted"), std::string::npos) << reserved;
  EXPECT_EQ(reserved.find("stoul"), std::string::npos) << "a number does not throw in MIOpen";
}

TEST_F(SettingsTest, MiopensLogLevelCountsWhereOursIsNotSet) {
  set_variable("MIOPEN_LOG_LEVEL", "5");
  EXPECT_EQ(Settings::load().text("log_level"), "info");
  EXPECT_EQ(Settings::load().place("log_level"), "MIOPEN_LOG_LEVEL");
  set_variable("MIOPEN_LOG_LEVEL", "0");
  EXPECT_EQ(Settings::load().text("log_level"), "quiet");
  set_variable("MIOPEN_LOG_LEVEL", "7");
  set_variable("CONVOY_LOG_LEVEL", "2");
  EXPECT_EQ(Settings::load().text("log_level"), "error");
  EXPECT_EQ(Settings::load().place("log_level"), "CONVOY_LOG_LEVEL");
}

TEST_F(SettingsTest, AMisspeltVariableIsReported) {
  set_variable("CONVOY_STRATEGEY", "cpu");
  set_variable("CONVOY_SOMEBODY_ELSES_AFFAIR", "1");
  set_variable("CONVOY_SIM_THREADS", "2");
  set_variable("CONVOY_STATISTICS_DIR", "/tmp");
  set_variable("CONVOY_TORCH_LIBRARY", "/tmp/library.so");
  EXPECT_EQ(problems(Settings::load()), "CONVOY_STRATEGEY: no such variable; did you mean CONVOY_STRATEGY?\n");
}

}  // namespace
}  // namespace convoy
