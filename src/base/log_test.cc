// The log is silent until asked, and then says each line once, from any thread.
#include "base/log.h"

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace convoy {
namespace {

class LogTest : public testing::Test {
 protected:
  void TearDown() override { set_log_sink(nullptr, LogLevel::quiet); }
  void listen(LogLevel level) {
    set_log_sink([this](LogLevel line_level, std::string_view text) { lines_.emplace_back(line_level, text); }, level);
  }
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

TEST_F(LogTest, SilentByDefault) {
  EXPECT_FALSE(log_enabled(LogLevel::error));
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  log(LogLevel::error, "nobody hears {}", 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(LogTest, OnlyTheLevelAndMoreUrgent) {
  listen(LogLevel::warning);
  log(LogLevel::error, "a {}", 1);
  log(LogLevel::warning, "b");
  log(LogLevel::info, "c");
  log_line(LogLevel::trace, "d");
  const std::vector<std::pair<LogLevel, std::string>> expected{{LogLevel::error, "a 1"}, {LogLevel::warning, "b"}};
  EXPECT_EQ(lines_, expected);
}

TEST_F(LogTest, QuietIsALevelToListenAtNotToSpeakAt) {
  listen(LogLevel::quiet);
  log(LogLevel::quiet, "x");
  log(LogLevel::error, "y");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(LogTest, OnceMeansOncePerText) {
  listen(LogLevel::info);
  for (int i = 0; i < 3; ++i) log_once(LogLevel::info, "LogTest: the disk is full");
  log_once(LogLevel::info, "LogTest: another thing");
  log_once(LogLevel::debug, "LogTest: too detailed");
  EXPECT_EQ(lines_.size(), 2U);
  listen(LogLevel::debug);
  log_once(LogLevel::debug, "LogTest: too detailed");
  EXPECT_EQ(lines_.size(), 3U) << "a line that nobody could hear has not been said";
}

TEST_F(LogTest, StandardErrorNamesProgramAndLevel) {
  testing::internal::CaptureStderr();
  log_to_stderr(LogLevel::warning);
  log(LogLevel::warning, "{{}} {}", "braces {}");
  log(LogLevel::info, "unheard");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "convoy: warning: {} braces {}\n");
}

TEST_F(LogTest, ManyThreads) {
  listen(LogLevel::info);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      for (int i = 0; i < 100; ++i) log(LogLevel::info, "{} {}", thread, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_.size(), 400U);
}

}  // namespace
}  // namespace convoy
