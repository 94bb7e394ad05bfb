// Implementation of environment_lines.h.
#include "cli/environment_lines.h"

#include <algorithm>
#include <utility>

#include "base/setting_value.h"

namespace convoy {
namespace {

constexpr std::string_view k_blanks = " \t\r";

bool is_blank(char c) {
  return k_blanks.find(c) != std::string_view::npos;
}

// The word behind <<, whose quotation marks do not belong to it.
std::string here_document_end(std::string_view rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(k_blanks), rest.size()));
  std::string end;
  for (const char c : rest) {
    if (is_blank(c) || std::string_view(";&|()<>").find(c) != std::string_view::npos) break;
    if (c != '\'' && c != '"' && c != '\\') end += c;
  }
  return end;
}

}  // namespace

bool EnvironmentLines::is_comment(std::string_view line) const {
  return !line.empty() && rules_.comments.find(line.front()) != std::string_view::npos;
}

std::optional<std::string_view> EnvironmentLines::next_raw() {
  if (rest_.empty()) return std::nullopt;
  const auto end = std::min(rest_.find('\n'), rest_.size());
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  number_ = ahead_++;
  return line;
}

std::optional<std::string> EnvironmentLines::next() {
  std::string line;
  int begin = 0;
  while (const auto raw = next_raw()) {
    const std::string_view part = trimmed(*raw);
    if (begin == 0 && (part.empty() || is_comment(part))) continue;
    if (begin != 0 && rules_.comments_between && is_comment(part)) continue;
    if (begin == 0) begin = number_;
    line += begin == number_ ? part : *raw;
    if (!rules_.continued || !line.ends_with('\\')) break;
    line.pop_back();
    line += rules_.joint;
  }
  if (begin == 0) return std::nullopt;
  number_ = begin;
  return std::string(trimmed(line));
}

std::optional<EnvironmentWord> next_quoted_word(std::string_view& rest, std::string_view replaced) {
  rest.remove_prefix(std::min(rest.find_first_not_of(k_blanks), rest.size()));
  if (rest.empty()) return std::nullopt;
  EnvironmentWord word;
  char quote = 0;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    const char c = rest[at];
    if (quote == 0 && is_blank(c)) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else {
      const bool escape = c == '\\' && at + 1 < rest.size();
      word.computed |= replaced.find(c) != std::string_view::npos;
      word.text += escape ? rest[++at] : c;
    }
  }
  rest.remove_prefix(at);
  return word;
}

bool is_variable_name(std::string_view text) {
  const auto right = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && std::ranges::all_of(text, right) && !(text.front() >= '0' && text.front() <= '9');
}

bool add_assignment(const EnvironmentWord& word, int line, EnvironmentText& into) {
  const auto equals = word.text.find('=');
  if (equals == std::string::npos) return false;
  EnvironmentAssignment found;
  found.name = word.text.substr(0, equals);
  if (!is_variable_name(found.name)) return false;
  found.value = word.text.substr(equals + 1);
  found.computed = word.computed;
  found.line = line;
  into.assignments.push_back(std::move(found));
  return true;
}

std::string_view without_quotes(std::string_view value) {
  const bool whole =
      value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front();
  return whole ? value.substr(1, value.size() - 2) : value;
}

std::optional<HereDocument> here_document_of(std::string_view line) {
  char quote = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '\\') {
      ++at;
    } else if (c == '#' && (at == 0 || is_blank(line[at - 1]))) {
      break;
    } else if (line.substr(at).starts_with("((")) {  // arithmetic, where << shifts
      at = std::min(line.find("))", at), line.size());
    } else if (line.substr(at).starts_with("<<<")) {
      at += 2;
    } else if (line.substr(at).starts_with("<<")) {
      std::string_view rest = line.substr(at + 2);
      const bool tabs = rest.starts_with('-');
      std::string end = here_document_end(tabs ? rest.substr(1) : rest);
      if (!end.empty()) return HereDocument{std::move(end), tabs};
    }
  }
  return std::nullopt;
}

void skip_here_document(const HereDocument& document, EnvironmentLines& lines) {
  while (auto line = lines.next_raw()) {
    if (line->ends_with('\r')) line->remove_suffix(1);
    while (document.tabs_before_end && line->starts_with('\t')) line->remove_prefix(1);
    if (*line == document.end) return;
  }
}

}  // namespace convoy
