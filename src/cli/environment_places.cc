// The files, and the three ways to write an assignment in them: as a shell command, as NAME=VALUE of environment files, as
// words of systemd's DefaultEnvironment=.
#include "cli/environment_places.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/setting_value.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

enum class Syntax { shell, pam, plain, systemd };

struct Place {
  std::string_view path;    // ~ is the home folder
  std::string_view suffix;  // not empty: a folder, of which files with this ending are read
  Syntax syntax;
  std::string_view reader;
};

constexpr Place k_places[] = {
    {"/etc/environment", "", Syntax::pam, "logins"},
    {"/usr/lib/environment.d", ".conf", Syntax::plain, "systemd user sessions"},
    {"/etc/environment.d", ".conf", Syntax::plain, "systemd user sessions"},
    {"~/.config/environment.d", ".conf", Syntax::plain, "systemd user sessions"},
    {"/etc/profile", "", Syntax::shell, "login shells"},
    {"/etc/profile.d", ".sh", Syntax::shell, "login shells"},
    {"/etc/bash.bashrc", "", Syntax::shell, "interactive shells"},
    {"~/.profile", "", Syntax::shell, "login shells"},
    {"~/.bash_profile", "", Syntax::shell, "login shells"},
    {"~/.bashrc", "", Syntax::shell, "interactive shells"},
    {"~/.zshenv", "", Syntax::shell, "zsh"},
    {"~/.zprofile", "", Syntax::shell, "login shells"},
    {"~/.zshrc", "", Syntax::shell, "interactive shells"},
    {"/etc/systemd/system.conf", "", Syntax::systemd, "services"},
    {"/usr/lib/systemd/system.conf.d", ".conf", Syntax::systemd, "services"},
    {"/etc/systemd/system.conf.d", ".conf", Syntax::systemd, "services"},
    {"/etc/systemd/user.conf", "", Syntax::systemd, "services of users"},
    {"/etc/systemd/user.conf.d", ".conf", Syntax::systemd, "services of users"},
};

constexpr std::string_view k_export = "export ";
constexpr std::uint64_t k_file_limit = 65536;
constexpr std::size_t k_most_files = 256;         // of one folder
constexpr std::size_t k_most_assignments = 4096;  // of all files

bool is_name(std::string_view text) {
  const auto right = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && std::ranges::all_of(text, right) && !(text.front() >= '0' && text.front() <= '9');
}

struct Word {
  std::string text;
  bool computed = false;   // has something that the shell replaces
  bool separator = false;  // ; & | ( ) and the like: a new command begins
};

// Takes the next word of a shell line off `rest`; nothing at its end or at a comment.
std::optional<Word> next_shell_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
  if (rest.empty() || rest.front() == '#') return std::nullopt;
  constexpr std::string_view k_separators = ";&|(){}";
  Word word;
  if (k_separators.find(rest.front()) != std::string_view::npos) {
    rest.remove_prefix(1);
    word.separator = true;
    return word;
  }
  char quote = 0;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    const char c = rest[at];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == ';' || c == '&' || c == '|' || c == ')')) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && at + 1 < rest.size()) {
      word.text += rest[++at];
    } else {
      word.computed |= quote != '\'' && (c == '$' || c == '`');
      word.text += c;
    }
  }
  rest.remove_prefix(at);
  return word;
}

// systemd takes quotation marks off wherever they stand (its manual speaks of whole words only), and replaces %h and the like.
std::optional<Word> next_systemd_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
  if (rest.empty()) return std::nullopt;
  Word word;
  char quote = 0;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    const char c = rest[at];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\r')) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else {
      const bool escape = c == '\\' && at + 1 < rest.size();
      word.computed |= c == '%';
      word.text += escape ? rest[++at] : c;
    }
  }
  rest.remove_prefix(at);
  return word;
}

class Reader {
 public:
  Reader(std::string root, std::string home, const std::function<bool(std::string_view)>& wanted)
      : root_(std::move(root)), home_(std::move(home)), wanted_(wanted) {}

  void read(const Place& place) {
    std::string path(place.path);
    if (path.starts_with('~')) {
      if (!home_.starts_with('/')) return;
      path = home_ + path.substr(1);
    }
    if (place.suffix.empty()) return read_one(path, place);
    for (const std::string& file : files_of(path, place.suffix)) read_one(file, place);
  }

  EnvironmentFiles take() {
    files_.unread = root_.take_notes();
    return std::move(files_);
  }

 private:
  std::vector<std::string> files_of(const std::string& folder, std::string_view suffix) {
    std::vector<std::string> found;
    for (const std::string& name : root_.list(folder)) {
      if (name.ends_with(suffix) && found.size() < k_most_files) found.push_back(folder + "/" + name);
    }
    return found;
  }

  void read_one(const std::string& path, const Place& place) {
    const auto content = root_.read(path, k_file_limit);
    if (!content) return;
    std::string_view rest = *content;
    for (int number = 1; !rest.empty();) {
      EnvironmentAssignment found;
      found.file = path;
      found.line = number;
      found.reader = place.reader;
      read_line(next_line(rest, number, place.syntax), std::move(found), place.syntax);
    }
  }

  // The next line with those that it continues on; `number` is moved past them.
  static std::string next_line(std::string_view& rest, int& number, Syntax syntax) {
    std::string line;
    for (bool continued = true; continued && !rest.empty(); ++number) {
      const auto end = std::min(rest.find('\n'), rest.size());
      line += rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      continued = line.ends_with('\\');
      if (!continued) continue;
      line.pop_back();
      if (syntax == Syntax::systemd) line += ' ';
    }
    return line;
  }

  void read_line(std::string_view line, EnvironmentAssignment found, Syntax syntax) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') return;
    if (syntax == Syntax::shell) return read_shell(line, found);
    if (syntax == Syntax::pam && line.starts_with(k_export)) line = trimmed(line.substr(k_export.size()));
    if (syntax != Syntax::systemd) return read_plain(line, found);
    constexpr std::string_view k_key = "DefaultEnvironment";
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || trimmed(line.substr(0, equals)) != k_key) return;
    line.remove_prefix(equals + 1);
    while (const auto word = next_systemd_word(line)) add(*word, found);
  }

  // Words before a command and behind export and its like.
  void read_shell(std::string_view line, EnvironmentAssignment& found) {
    bool assigning = true;
    while (const auto word = next_shell_word(line)) {
      if (word->separator) {
        assigning = true;
        continue;
      }
      constexpr std::string_view k_still[] = {"export", "declare", "typeset", "local", "-x",
                                              "-gx",    "then",    "else",    "do",    "if"};
      if (std::ranges::find(k_still, word->text) != std::end(k_still)) continue;
      if (assigning) assigning = add(*word, found);
    }
  }

  void read_plain(std::string_view line, EnvironmentAssignment& found) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return;
    std::string_view value = trimmed(line.substr(equals + 1));
    const bool whole =
        value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front();
    if (whole) value = value.substr(1, value.size() - 2);
    std::string text(trimmed(line.substr(0, equals)));
    text.append("=").append(value);
    add({std::move(text), value.find('$') != std::string_view::npos, false}, found);
  }

  // True: the word is an assignment, wanted or not.
  bool add(const Word& word, EnvironmentAssignment& found) {
    const auto equals = word.text.find('=');
    if (equals == std::string::npos) return false;
    found.name = word.text.substr(0, equals);
    if (!is_name(found.name)) return false;
    if (!wanted_(found.name) || files_.assignments.size() >= k_most_assignments) return true;
    found.value = word.text.substr(equals + 1);
    found.computed = word.computed;
    files_.assignments.push_back(found);
    return true;
  }

  RootedFiles root_;
  std::string home_;
  const std::function<bool(std::string_view)>& wanted_;
  EnvironmentFiles files_;
};

}  // namespace

std::string EnvironmentAssignment::place() const {
  return fmt::format("{}:{} ({})", printable(file), line, reader);
}

EnvironmentFiles read_environment_files(const std::string& root, const std::string& home,
                                        const std::function<bool(std::string_view name)>& wanted) {
  Reader reader(root, home, wanted);
  for (const Place& place : k_places) reader.read(place);
  return reader.take();
}

}  // namespace convoy
