// Shells' assignments: sh and its kin, and fish, which writes them differently and keeps some in a file of its own.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/setting_value.h"
#include "cli/environment_lines.h"

namespace convoy {
namespace {

// What begins a new command. In fish ( opens a substitution and { a list, both parts of a word.
constexpr std::string_view k_separators = ";&|(){}";
constexpr std::string_view k_fish_separators = ";&|)";

// Nothing at the line's end or at a comment.
std::optional<EnvironmentWord> next_shell_word(std::string_view& rest, std::string_view separators) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
  if (rest.empty() || rest.front() == '#') return std::nullopt;
  EnvironmentWord word;
  if (separators.find(rest.front()) != std::string_view::npos) {
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
      word.computed |= quote != '\'' && (c == '$' || c == '`' || (c == '(' && quote == 0));
      word.text += c;
    }
  }
  rest.remove_prefix(at);
  return word;
}

// Words before a command and behind export and its like.
void read_shell_line(std::string_view line, int number, EnvironmentText& into) {
  constexpr std::array<std::string_view, 10> k_still = {"export", "declare", "typeset", "local", "-x",
                                                        "-gx",    "then",    "else",    "do",    "if"};
  bool assigning = true;
  while (const auto word = next_shell_word(line, k_separators)) {
    if (word->separator) {
      assigning = true;
    } else if (assigning && std::ranges::find(k_still, word->text) == k_still.end()) {
      assigning = add_assignment(*word, number, into);
    }
  }
}

// `words` is one command.
void read_fish_command(const std::vector<EnvironmentWord>& words, int number, EnvironmentText& into) {
  std::size_t at = 0;
  constexpr std::array<std::string_view, 6> k_before = {"and", "or", "begin", "if", "else", "not"};
  while (at < words.size() && std::ranges::find(k_before, words[at].text) != k_before.end()) ++at;
  if (at == words.size()) return;
  if (words[at].text == "export") {
    for (++at; at < words.size(); ++at) add_assignment(words[at], number, into);
    return;
  }
  if (words[at].text != "set") return;
  bool exported = false;
  for (++at; at < words.size() && words[at].text.starts_with('-'); ++at) {
    const std::string& option = words[at].text;
    if (option == "--") continue;
    const bool is_long = option.starts_with("--");
    exported |= is_long ? option == "--export" : option.find('x') != std::string::npos;
    const bool sets_nothing = is_long ? option == "--erase" || option == "--query" || option == "--show"
                                      : option.find_first_of("eqSn") != std::string::npos;
    if (sets_nothing) return;
  }
  if (!exported || at == words.size()) return;
  EnvironmentWord whole{words[at].text + "=", words[at].computed, false};
  // A list is handed to programs with blanks between its elements.
  for (std::size_t value = at + 1; value < words.size(); ++value) {
    whole.text += (value > at + 1 ? " " : "") + words[value].text;
    whole.computed |= words[value].computed;
  }
  add_assignment(whole, number, into);
}

// Of \xHH, as fish writes everything but letters, digits, / and _; the character that separates a list becomes a blank.
std::string decoded(std::string_view value) {
  constexpr char k_list_separator = '\x1e';
  std::string text;
  for (std::size_t at = 0; at < value.size(); ++at) {
    unsigned code = 0;
    const bool escape = value.substr(at).starts_with("\\x") && at + 4 <= value.size();
    const char* first = value.data() + at + 2;
    if (escape && std::from_chars(first, first + 2, code, 16).ptr == first + 2) {
      text += static_cast<char>(code);
      at += 3;
    } else {
      text += value[at];
    }
  }
  std::ranges::replace(text, k_list_separator, ' ');
  return text;
}

}  // namespace

void read_shell_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {});
  while (const auto line = lines.next()) {
    read_shell_line(*line, lines.number(), into);
    if (const auto document = here_document_of(*line)) skip_here_document(*document, lines);
  }
}

void read_fish_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {});
  while (const auto line = lines.next()) {
    std::string_view rest = *line;
    std::vector<EnvironmentWord> command;
    while (const auto word = next_shell_word(rest, k_fish_separators)) {
      if (!word->separator) {
        command.push_back(*word);
      } else {
        read_fish_command(std::exchange(command, {}), lines.number(), into);
      }
    }
    read_fish_command(command, lines.number(), into);
  }
}

void read_fish_variables(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {.continued = false});
  while (const auto line = lines.next()) {
    std::string_view rest = *line;
    bool exported = false;
    const auto take_word = [&rest] {
      const auto end = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      return word;
    };
    if (take_word() != "SETUVAR") continue;
    while (rest.starts_with("--")) exported |= take_word() == "--export";
    const auto colon = rest.find(':');
    if (!exported || colon == std::string_view::npos) continue;
    add_assignment({std::string(rest.substr(0, colon)) + "=" + decoded(rest.substr(colon + 1)), false, false},
                   lines.number(), into);
  }
}

}  // namespace convoy
