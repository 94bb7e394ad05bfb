// Implementation of log.h: a level that is read without a lock, and a sink behind one.
#include "base/log.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace convoy {
namespace {

struct LogState {
  std::mutex mutex;
  LogSink sink;
  std::set<std::string, std::less<>> said_once;
};

// Never destroyed: threads of the host program may still log while the process exits.
LogState& state() {
  static auto* instance = new LogState;
  return *instance;
}

std::atomic<int> g_level{static_cast<int>(LogLevel::quiet)};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::quiet: return spdlog::level::off;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::trace: return spdlog::level::trace;
  }
  return spdlog::level::info;
}

}  // namespace

void set_log_sink(LogSink sink, LogLevel level) {
  const std::lock_guard lock(state().mutex);
  state().sink = std::move(sink);
  g_level = state().sink ? static_cast<int>(level) : static_cast<int>(LogLevel::quiet);
}

void log_to_stderr(LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("convoy", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("convoy: %^%l%$: %v");
  logger->set_level(spdlog::level::trace);
  set_log_sink(
      [logger](LogLevel line_level, std::string_view text) { logger->log(spdlog_level(line_level), "{}", text); },
      level);
}

bool log_enabled(LogLevel level) {
  return static_cast<int>(level) <= g_level.load(std::memory_order_relaxed) && level != LogLevel::quiet;
}

void log_line(LogLevel level, std::string_view text) {
  if (!log_enabled(level)) return;
  const std::lock_guard lock(state().mutex);
  if (state().sink) state().sink(level, text);
}

void log_once(LogLevel level, std::string_view text) {
  if (!log_enabled(level)) return;
  {
    const std::lock_guard lock(state().mutex);
    if (!state().said_once.emplace(text).second) return;
  }
  log_line(level, text);
}

}  // namespace convoy
