// The one table of settings, and the only place that reads the environment.
//
// A value comes from, weakest first: built in, /etc/convoy/convoy.conf, $XDG_CONFIG_HOME/convoy/convoy.conf (or
// ~/.config/convoy/convoy.conf), environment variable, command line or API. Files hold "key = value" lines, # starts
// a comment. An empty environment variable counts as unset. Adding a setting is one row in settings.cc. All of this
// is untrusted input: a bad value is kept out (the weaker one stays) and reported with its place and the cure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace convoy {

// bytes: an integer, also with a binary suffix ("512M", "4GiB"). path: empty, or absolute (lists are
// separated by colons).
enum class SettingKind { text, choice, integer, boolean, path, bytes };
enum class Origin { built_in, system_file, user_file, environment, command_line };
std::string_view to_string(Origin origin);

// One row of the table. `choices` is a |-separated list for kind choice (names case-insensitive) and empty
// otherwise; a choice that may also be given as MIOpen's number for it is written "name=number".
struct SettingRow {
  // "strategy"; MIOpen's own variables: "miopen." and their name in lower case without MIOPEN_ or
  // MIOPEN_DEBUG_.
  std::string_view key;
  std::string_view environment;  // "CONVOY_STRATEGY"
  SettingKind kind;
  std::string_view fallback;  // the built-in value
  std::string_view choices;
  std::int64_t minimum;  // for integers and bytes
  std::int64_t maximum;
  std::string_view meaning;  // one sentence, units included
};
std::span<const SettingRow> setting_rows();

// An immutable-after-load snapshot. Copyable; safe to read from many threads.
class Settings {
 public:
  // Built-in values only.
  Settings();
  // Reads files and environment. Never fails: what is wrong is listed in problems().
  static Settings load();

  // The values; `key` must be a row of the table and of the kind asked for (checked by assert). Text of a
  // choice is one of its names, of a boolean "true" or "false".
  const std::string& text(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;  // kinds integer and bytes
  bool boolean(std::string_view key) const;
  Origin origin(std::string_view key) const;
  // Where exactly: "built in", a file and line, or the variable's name.
  const std::string& place(std::string_view key) const;

  // Overrides one value; an Error names the key, the value and what is accepted.
  Result<void> set(std::string_view key, std::string_view value, Origin origin = Origin::command_line,
                   std::string_view place = "command line");

  // One line for each file line or variable that was not accepted: place, value, cure.
  const std::vector<std::string>& problems() const { return problems_; }

  // Environment variables that are not settings but that everything needs: $HOME, $XDG_CACHE_HOME, ... Empty
  // when unset, and in programs that run with somebody else's rights (setuid), whose environment is not
  // theirs to trust.
  static std::string environment(std::string_view name);
  // Where configuration files are read from, the weakest first: /etc/convoy and the user's own.
  static std::vector<std::string> configuration_folders();
  // All variables whose name begins with one of `prefixes`, empty ones too, as (name, value) by name; none where the above
  // is empty for want of trust.
  static std::vector<std::pair<std::string, std::string>> environment_with(std::span<const std::string_view> prefixes);

 private:
  struct Value {
    std::string text;
    Origin origin;
    std::string place;
  };
  const Value& find(std::string_view key) const;
  void load_file(const std::string& path, Origin origin);
  void load_line(std::string_view line, const std::string& place, Origin origin);
  void load_environment();
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> problems_;
};

// The setting log_level; `unless_set` where nobody has set it.
LogLevel log_level_of(const Settings& settings, LogLevel unless_set);

}  // namespace convoy
