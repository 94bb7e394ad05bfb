// For the readers of environment_text.h: lines with those that they go on in, words, and what is an assignment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/environment_text.h"

namespace convoy {

struct LineRules {
  std::string_view comments = "#";  // a line that begins so is one, and is never continued
  std::string_view joint = {};      // stands for a backslash and the line's end
  bool continued = true;            // by a backslash at its end
  bool comments_between = false;    // comments may stand between a line and what it goes on in
};

class EnvironmentLines {
 public:
  EnvironmentLines(std::string_view text, const LineRules& rules) : rest_(text), rules_(rules) {}

  // The next line that is no comment and not blank, trimmed, with those that it continues on; nothing at the end.
  std::optional<std::string> next();
  // The next line as it stands, comments, too.
  std::optional<std::string_view> next_raw();
  // Where the last one began, from 1.
  int number() const { return number_; }

 private:
  bool is_comment(std::string_view line) const;

  std::string_view rest_;
  LineRules rules_;
  int number_ = 0;
  int ahead_ = 1;
};

struct EnvironmentWord {
  std::string text;
  bool computed = false;   // has something that its reader replaces
  bool separator = false;  // ; & | ( ) and the like: a new command begins
};
// Takes the next word off `rest`, with quotation marks taken off wherever they stand; nothing at its end. Outside of single
// quotation marks each of `replaced` makes a word computed.
std::optional<EnvironmentWord> next_quoted_word(std::string_view& rest, std::string_view replaced);

// True: "NAME=VALUE", which is added; else nothing is done.
bool add_assignment(const EnvironmentWord& word, int line, EnvironmentText& into);
bool is_variable_name(std::string_view text);
// Whole values only: "a" and 'a' become a.
std::string_view without_quotes(std::string_view value);

// Here-documents that a line opens. Their lines belong to the text of the document, not to the script.
struct HereDocument {
  std::string end;
  bool tabs_before_end = false;  // <<-
};
std::optional<HereDocument> here_document_of(std::string_view line);
void skip_here_document(const HereDocument& document, EnvironmentLines& lines);

}  // namespace convoy
