// Log lines go to a sink that is silent until somebody asks: the library never prints by itself.
// Levels follow MIOpen's numbers (reference: MIOPEN_LOG_LEVEL), so that users need not learn a second scale.
#pragma once

#include <functional>
#include <string_view>

#include <fmt/format.h>

namespace convoy {

enum class LogLevel { quiet = 1, error = 3, warning = 4, info = 5, debug = 6, trace = 7 };

// Where lines go. The default sink drops them. Thread-safe; `sink` is called with a lock held, one line at a time.
using LogSink = std::function<void(LogLevel, std::string_view)>;
void set_log_sink(LogSink sink, LogLevel level);
// Lines of `level` and more urgent go to standard error as "convoy: <level>: <text>".
void log_to_stderr(LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view text);

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}
// Like log(), but each distinct text at most once per process: for conditions that would repeat per convolution.
void log_once(LogLevel level, std::string_view text);

}  // namespace convoy
