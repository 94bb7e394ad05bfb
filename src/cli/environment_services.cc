// Assignments of services and sessions: NAME=VALUE files, systemd's managers, services and quadlets, conda's JSON.
#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/setting_value.h"
#include "cli/environment_lines.h"

namespace convoy {
namespace {

constexpr std::string_view k_export = "export ";

void read_plain_line(std::string_view line, int number, EnvironmentText& into) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view value = without_quotes(trimmed(line.substr(equals + 1)));
  std::string text(trimmed(line.substr(0, equals)));
  text.append("=").append(value);
  add_assignment({std::move(text), value.find('$') != std::string_view::npos, false}, number, into);
}

// systemd takes quotation marks off wherever they stand (its manual speaks of whole words only), and replaces %h and the like.
void read_words(std::string_view value, int number, EnvironmentText& into) {
  while (const auto word = next_quoted_word(value, "%")) add_assignment(*word, number, into);
}

// A - before the path: it may be absent.
void read_file_name(std::string_view value, int number, EnvironmentText& into) {
  if (value.starts_with('-')) value.remove_prefix(1);
  const bool plain = value.starts_with('/') && value.find_first_of("%*?[") == std::string_view::npos;
  if (plain) {
    into.files.emplace_back(value);
  } else {
    into.notes.push_back({"", "line " + std::to_string(number) + ": EnvironmentFile= with a pattern is not read"});
  }
}

// Names alone; the manager's values stand elsewhere, and the service's own come first.
void read_passed(std::string_view value, int number, EnvironmentText& into) {
  while (const auto word = next_quoted_word(value, "")) {
    if (!is_variable_name(word->text)) continue;
    EnvironmentAssignment passed;
    passed.name = word->text;
    passed.computed = true;
    passed.line = number;
    into.assignments.insert(into.assignments.begin(), std::move(passed));
  }
}

void read_directive(std::string_view key, std::string_view value, int number, EnvironmentText& into) {
  if (key == "Environment" || key == "DefaultEnvironment") {
    if (value.empty()) into.assignments.clear();
    read_words(value, number, into);
  } else if (key == "EnvironmentFile") {
    if (value.empty()) return into.files.clear();
    read_file_name(without_quotes(value), number, into);
  } else if (key == "PassEnvironment") {
    read_passed(value, number, into);
  } else if (key == "UnsetEnvironment") {
    if (value.empty()) into.unset.clear();
    while (const auto word = next_quoted_word(value, "%")) into.unset.push_back(word->text);
  }
}

// systemd passes over what stands before the first section.
void read_section(std::string_view text, std::string_view wanted, EnvironmentText& into) {
  EnvironmentLines lines(text, {.comments = "#;", .joint = " ", .comments_between = true});
  bool inside = false;
  while (const auto line = lines.next()) {
    const std::string_view all = *line;
    if (all.front() == '[') {
      inside = all == wanted;
      continue;
    }
    const auto equals = all.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    read_directive(trimmed(all.substr(0, equals)), trimmed(all.substr(equals + 1)), lines.number(), into);
  }
}

// JSON has no line numbers: that of the name's first appearance.
int line_of(std::string_view text, const std::string& name) {
  const auto at = std::min(text.find('"' + name + '"'), text.size());
  return static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1;
}

void read_json(std::string_view text, const char* member, EnvironmentText& into) {
  constexpr std::string_view k_unset = "***unset***";  // conda's mark for a variable that it takes away
  const auto whole = nlohmann::json::parse(text, nullptr, false);
  if (!whole.is_object()) {
    into.notes.push_back({"", "is no JSON object"});
    return;
  }
  const auto found = member != nullptr ? whole.find(member) : whole.end();
  if (member != nullptr && (found == whole.end() || !found->is_object())) return;
  const nlohmann::json& variables = member != nullptr ? *found : whole;
  for (const auto& [name, value] : variables.items()) {
    if (!value.is_string() || value.get_ref<const std::string&>() == k_unset) continue;
    add_assignment({name + "=" + value.get<std::string>(), false, false}, line_of(text, name), into);
  }
}

}  // namespace

void read_plain_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {.comments = "#;"});
  while (const auto line = lines.next()) read_plain_line(*line, lines.number(), into);
}

void read_pam_text(std::string_view text, EnvironmentText& into) {
  EnvironmentLines lines(text, {});
  while (const auto line = lines.next()) {
    std::string_view rest = *line;
    if (rest.starts_with(k_export)) rest = trimmed(rest.substr(k_export.size()));
    read_plain_line(rest, lines.number(), into);
  }
}

void read_manager_text(std::string_view text, EnvironmentText& into) {
  read_section(text, "[Manager]", into);
}

void read_service_text(std::string_view text, EnvironmentText& into) {
  read_section(text, "[Service]", into);
}

void read_quadlet_text(std::string_view text, EnvironmentText& into) {
  read_section(text, "[Container]", into);
}

void read_conda_state(std::string_view text, EnvironmentText& into) {
  read_json(text, "env_vars", into);
}

void read_conda_variables(std::string_view text, EnvironmentText& into) {
  read_json(text, nullptr, into);
}

}  // namespace convoy
