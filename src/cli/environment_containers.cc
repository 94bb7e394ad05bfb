// Assignments that containers are given: ENV of Dockerfiles, and `environment:` of compose files. The latter are YAML, of which
// this knows two kinds of line and no more: one mapping or list entry a line, below a key that stands alone in its own.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/setting_value.h"
#include "cli/environment_lines.h"

namespace convoy {
namespace {

// YAML's comments begin behind a blank, and not inside of a quoted value.
std::string_view without_comment(std::string_view value) {
  std::size_t from = 0;
  if (value.starts_with('"') || value.starts_with('\'')) {
    const auto end = value.find(value.front(), 1);
    from = end == std::string_view::npos ? value.size() : end + 1;
  }
  for (std::size_t at = from; at < value.size(); ++at) {
    const bool begins = value[at] == '#' && (at == 0 || value[at - 1] == ' ' || value[at - 1] == '\t');
    if (begins) return trimmed(value.substr(0, at));
  }
  return value;
}

class ComposeReader {
 public:
  explicit ComposeReader(EnvironmentText& into) : into_(into) {}

  void read(std::string_view line, int number) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto indent = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view content = without_comment(trimmed(line));
    if (content.empty()) return;
    if (block_ != 0 && (indent > key_indent_ || (indent == key_indent_ && content.starts_with("- ")))) {
      return read_entry(content, indent, number);
    }
    block_ = 0;
    open_block(content, indent, number);
  }

 private:
  void open_block(std::string_view content, std::size_t indent, int number) {
    const auto colon = content.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view key = without_quotes(trimmed(content.substr(0, colon)));
    if (key == "env_file") return note(number, "env_file: (--also names files)");
    if (key != "environment") return;
    if (!trimmed(content.substr(colon + 1)).empty()) {
      return note(number, "environment: with its values in the same line, or by reference");
    }
    block_ = number;
    key_indent_ = indent;
    entry_indent_.reset();
  }

  void read_entry(std::string_view content, std::size_t indent, int number) {
    if (!entry_indent_) entry_indent_ = indent;
    if (indent != *entry_indent_) return note(number, "a value of several lines");
    if (content.starts_with("- ")) {
      const std::string_view entry = without_quotes(without_comment(trimmed(content.substr(2))));
      const auto equals = entry.find('=');
      if (equals == std::string_view::npos) return add(entry, std::nullopt, number);
      return add(entry.substr(0, equals), entry.substr(equals + 1), number);
    }
    const auto colon = content.find(':');
    if (colon == std::string_view::npos) return note(number, "a line that is neither NAME: value nor - NAME=value");
    const std::string_view name = without_quotes(trimmed(content.substr(0, colon)));
    if (name == "<<") return note(number, "<<:, a reference to values elsewhere");
    read_value(name, without_comment(trimmed(content.substr(colon + 1))), number);
  }

  void read_value(std::string_view name, std::string_view value, int number) {
    if (value.empty() || value == "~" || value == "null") return add(name, std::nullopt, number);
    if (std::string_view("|>&*!{[").find(value.front()) == std::string_view::npos) {
      return add(name, without_quotes(value), number);
    }
    note(number, "a value that is not written out in its line");
    add(name, std::nullopt, number);
  }

  // Without a value: it is that of the shell which starts compose.
  void add(std::string_view name, std::optional<std::string_view> value, int number) {
    EnvironmentWord word{std::string(name) + "=", !value, false};
    for (std::size_t at = 0; value && at < value->size(); ++at) {
      const bool dollar = (*value)[at] == '$';
      const bool escaped = dollar && value->substr(at).starts_with("$$");
      word.computed |= dollar && !escaped;
      word.text += (*value)[at];
      at += escaped ? 1 : 0;
    }
    if (add_assignment(word, number, into_)) into_.assignments.back().block = block_;
  }

  void note(int number, std::string_view what) {
    constexpr std::size_t k_most_notes = 8;
    if (into_.notes.size() < k_most_notes)
      into_.notes.push_back({"", fmt::format("line {}: {} is not read", number, what)});
  }

  EnvironmentText& into_;
  int block_ = 0;  // the line of the key; 0: outside
  std::size_t key_indent_ = 0;
  std::optional<std::size_t> entry_indent_;
};

bool is_env(std::string_view word) {
  return word.size() == 3 && (word[0] | 0x20) == 'e' && (word[1] | 0x20) == 'n' && (word[2] | 0x20) == 'v';
}

// ENV NAME=value NAME=value, or in its old form ENV NAME all of the rest.
void read_env(std::string_view rest, int number, EnvironmentText& into) {
  const auto first_blank = rest.find_first_of(" \t");
  const std::string_view first = rest.substr(0, first_blank);
  if (first.find('=') == std::string_view::npos && first_blank != std::string_view::npos) {
    const std::string_view value = trimmed(rest.substr(first_blank));
    const bool computed = value.find('$') != std::string_view::npos;
    add_assignment({fmt::format("{}={}", first, without_quotes(value)), computed, false}, number, into);
    return;
  }
  while (const auto word = next_quoted_word(rest, "$")) add_assignment(*word, number, into);
}

}  // namespace

void read_compose_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {});
  ComposeReader reader(into);
  while (const auto line = lines.next_raw()) reader.read(*line, lines.number());
}

void read_dockerfile_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {.comments_between = true});
  while (const auto line = lines.next()) {
    const auto end = std::min(line->find_first_of(" \t"), line->size());
    const std::string_view all = *line;
    if (is_env(all.substr(0, end))) {
      read_env(trimmed(all.substr(end)), lines.number(), into);
    } else if (const auto document = here_document_of(all)) {
      skip_here_document(*document, lines);
    }
  }
}

}  // namespace convoy
