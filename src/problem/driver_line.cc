// Finds MIOpenDriver commands and canonical strings in any text. Text is untrusted and mostly not ours: a
// mention in prose is passed over, but a command that has begun (a conv verb, then a flag) is read completely
// or reported, never half.
#include "problem/driver_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "problem/driver_problem.h"
#include "problem/printable.h"

namespace convoy {
namespace {

constexpr std::string_view k_program = "MIOpenDriver";

// What ends a command: control characters (a tab is the next column, an escape the end of a colour), quotes,
// Markdown's marks, brackets, and what a shell would not hand on to the program.
bool ends_command(char c) {
  constexpr std::string_view k_ends = "|`\"',;&<>()[]{}";
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f' || k_ends.find(c) != std::string_view::npos;
}

// "-n", and the dashes that word processors make of it, which deserve an error rather than silence.
bool flag_like(std::string_view token) {
  return token.starts_with('-') || token.starts_with("\xe2\x80");
}

// The words of one command, one after the other, until something ends it.
class Words {
 public:
  Words(std::string_view line, std::size_t at) : line_(line), at_(at) {}

  std::string_view peek() {
    const std::size_t start = std::min(line_.find_first_not_of(' ', at_), line_.size());
    std::size_t end = start;
    while (end < line_.size() && line_[end] != ' ' && !ends_command(line_[end])) ++end;
    next_ = end;
    return line_.substr(start, end - start);
  }
  void take() { at_ = next_; }  // after peek()
  std::size_t position() const { return at_; }

  // No more words of this command: its text has ended, a comment, another command or a shell's "2>" begins.
  bool at_end(std::string_view word) const {
    return word.empty() || word[0] == '#' || word.find(k_program) != std::string_view::npos ||
           (next_ < line_.size() && line_[next_] == '>' &&
            word.find_first_not_of("0123456789") == std::string_view::npos);
  }

 private:
  std::string_view line_;
  std::size_t at_;
  std::size_t next_ = 0;
};

tl::unexpected<InputError> misread(std::string_view token, std::string message) {
  return tl::unexpected<InputError>(InputError{{}, printable(token), std::move(message)});
}

tl::unexpected<InputError> unknown_flag(std::string_view token) {
  if (!flag_like(token))
    return misread(token, "a flag should stand here: put the command in quotes or backticks where other text follows");
  const std::string nearest = nearest_driver_flag(token);
  return misread(token, nearest.empty() ? "unknown flag: docs/problems.md lists them"
                                        : fmt::format("unknown flag: did you mean {}?", nearest));
}

enum class Outcome { complete, help };

// Reads "flag value" pairs up to the command's end.
tl::expected<Outcome, InputError> read_flags(Words& words, DriverValues& values) {
  while (true) {
    const std::string_view word = words.peek();
    if (words.at_end(word)) return Outcome::complete;
    words.take();
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    const DriverFlag* const flag = find_driver_flag(name);
    if (flag == nullptr) return unknown_flag(name);
    if (flag->kind == FlagKind::help) return Outcome::help;
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else {
      value = words.peek();
      if (words.at_end(value) || find_driver_flag(value) != nullptr)
        return misread(word,
                       fmt::format("the flag has no value: write one after it, its default is '{}'", flag->initial));
      words.take();
    }
    if (Result<void> set = values.set(*flag, value); !set)
      return misread(fmt::format("{} {}", printable(name), printable(value)), std::move(set).error().message);
  }
}

class TextReader {
 public:
  explicit TextReader(std::string_view name) : name_(name) {}

  void read_line(std::string_view line, std::int64_t number);
  ProblemList finish(std::string_view text) &&;
  std::int64_t& lines() { return list_.lines; }

 private:
  void read_commands(std::string_view line);
  std::size_t read_command(std::string_view line, std::size_t at);
  void read_strings(std::string_view line);
  void add(const Problem& problem);
  void add(InputError error);

  std::string_view name_;
  std::string source_;  // of the line being read
  ProblemList list_;
  std::unordered_map<Problem, std::size_t, ProblemHash> index_;  // into list_.problems
};

void TextReader::add(const Problem& problem) {
  const auto [found, fresh] = index_.try_emplace(problem, list_.problems.size());
  if (fresh) {
    list_.problems.push_back({problem, source_, 1});
  } else {
    ++list_.problems[found->second].count;
  }
}

void TextReader::add(InputError error) {
  error.source = source_;
  list_.errors.push_back(std::move(error));
}

// Reads what stands behind the program's name at `at` and returns where to go on.
std::size_t TextReader::read_command(std::string_view line, std::size_t at) {
  if (line.substr(at).starts_with(".exe")) at += 4;
  if (at < line.size() && (line[at] == '"' || line[at] == '\'')) ++at;  // a quoted path: "C:\bin\MIOpenDriver.exe" conv
  if (at >= line.size() || line[at] != ' ') return at;
  Words words(line, at);
  const std::string_view verb = words.peek();
  if (!verb.starts_with("conv")) return at;  // prose, or pool, bnorm, gemm
  words.take();
  const std::string_view first = words.peek();
  const bool prose = words.at_end(first) ? !is_conv_verb(verb) : !flag_like(first);
  if (prose) return words.position();
  DriverValues values;
  tl::expected<Outcome, InputError> outcome = read_flags(words, values);
  if (!outcome) {
    add(std::move(outcome).error());
  } else if (*outcome == Outcome::complete) {
    DriverProblems read = problems_of(verb, values);
    for (const Problem& problem : read.problems) add(problem);
    for (InputError& error : read.errors) add(std::move(error));
  }
  return words.position();
}

void TextReader::read_commands(std::string_view line) {
  std::size_t at = line.find(k_program);
  while (at != std::string_view::npos) at = line.find(k_program, read_command(line, at + k_program.size()));
}

// Canonical strings are found by their first colon: fwd:, bwd: or wrw: at the beginning of a word.
void TextReader::read_strings(std::string_view line) {
  const auto separates = [](char c) { return c == ' ' || c == '=' || ends_command(c); };
  std::size_t at = 0;
  while ((at = line.find(':', at)) != std::string_view::npos) {
    const std::size_t colon = at++;
    if (colon < 3 || (colon > 3 && !separates(line[colon - 4]))) continue;
    const std::string_view start = line.substr(colon - 3, 3);
    if (start != "fwd" && start != "bwd" && start != "wrw") continue;
    while (at < line.size() && !separates(line[at])) ++at;
    std::string_view token = line.substr(colon - 3, at - colon + 3);
    if (token.size() == 4) continue;                                              // "fwd: 3 ms"
    while (token.ends_with('.') || token.ends_with(':')) token.remove_suffix(1);  // punctuation of a sentence
    if (Result<Problem> problem = parse_problem(token); problem) {
      add(*problem);
    } else {
      add(InputError{{}, printable(token), std::move(problem).error().message});
    }
  }
}

void TextReader::read_line(std::string_view line, std::int64_t number) {
  if (line.starts_with('#')) return;
  source_ = fmt::format("{}:{}", name_, number);
  read_commands(line);
  read_strings(line);
}

ProblemList TextReader::finish(std::string_view text) && {
  if (list_.problems.empty() && list_.errors.empty()) {
    const bool utf16 = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
    list_.errors.push_back(
        {std::string(name_),
         {},
         utf16 ? std::string("the text is UTF-16: save it as UTF-8")
               : fmt::format("no problem in {} lines: expected MIOpenDriver commands ('./bin/MIOpenDriver "
                             "conv -n 1 -c 3 "
                             "...', also inside logs) or problem strings ('fwd:f32:nchw:...')",
                             list_.lines)});
  }
  return std::move(list_);
}

// Takes the first line off `text`, without its line feed.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

ProblemList read_problems(std::string_view text, std::string_view name) {
  TextReader reader(name);
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  std::string joined;
  while (!rest.empty()) {
    std::string_view line = take_line(rest);
    const std::int64_t number = ++reader.lines();
    if (line.ends_with('\\') && line.find(k_program) != std::string_view::npos) {
      // A shell command that goes on in the next line: half of it would be another problem.
      joined.clear();
      while (line.ends_with('\\') && !rest.empty()) {
        joined.append(line.substr(0, line.size() - 1)).append(" ");
        line = take_line(rest);
        ++reader.lines();
      }
      line = joined.append(line);
    }
    reader.read_line(line, number);
  }
  return std::move(reader).finish(text);
}

}  // namespace convoy
