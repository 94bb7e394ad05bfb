// What the variables that people set for AMD GPUs really do: environment_rules.inc holds the claims, each with the file or
// thread that shows it; environment_names.inc the names that exist. Pure: reads folders that values name, nothing else.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/finding.h"

namespace convoy {

// In falling order of who needs to know.
enum class EnvironmentJudgement { dangerous, contradictory, invented, no_effect, deprecated, effective, unknown };
std::string_view name_of(EnvironmentJudgement judgement);

// What must be true of a value for a rule to speak. Lists are separated by |, without regard to case. A value that is empty
// or quoted passes only the tests for that: what follows from it otherwise is guesswork.
enum class ValueTest {
  always,  // empty and quoted ones, too
  empty,
  quoted,  // quotation marks belong to the value
  is,      // one of `pattern`
  is_not,  // none of it
  on,      // as MIOpen reads booleans
  off,
  not_boolean,
  not_in_range,  // not an integer, or outside of "first|last"
  version,       // three numbers with dots
  not_version,
  bad_allocator,  // what PyTorch's allocator refuses
  missing_folder,
  unwritable_folder,
  network_folder,
};
struct ValueCondition {
  ValueTest test = ValueTest::always;
  std::string_view pattern = {};
};

// Names of MIOpen's that behave alike.
enum class NameKind {
  switch_on,   // turns something off with 0, is on anyway
  switch_off,  // turns something on with 1
  plain,
  invented,  // guides name it, nothing reads it
};

struct EnvironmentRule {
  std::string_view id = {};
  std::string_view variable = {};  // a name; "switch_on", "switch_off", "invented": every name of that kind; "*": all
  EnvironmentJudgement judgement = EnvironmentJudgement::effective;
  Severity severity = Severity::note;
  ValueCondition when = {};
  std::string_view also_variable = {};  // set beside it, with a value that passes `also`
  ValueCondition also = {};
  std::string_view sentence = {};
  std::string_view cure = {};
  std::string_view source = {};
};
std::span<const EnvironmentRule> environment_rules();

// Names of one kind, of which nothing more is to be said than `meaning`.
struct EnvironmentNames {
  NameKind kind = NameKind::plain;
  std::string_view prefix = {};
  std::string_view names = {};  // separated by blanks, without the prefix
  std::string_view meaning = {};
  std::string_view source = {};
};
std::span<const EnvironmentNames> environment_names();

// The families that are judged.
std::span<const std::string_view> environment_families();
bool is_judged(std::string_view name);

// Where folders are looked for, and how.
struct FolderContext {
  std::string root;                                    // before every path; empty: this machine
  std::string home;                                    // for values that begin with ~/
  std::function<bool(const std::string&)> on_network;  // empty: on_network_filesystem
};

using VariableSet = std::map<std::string, std::string, std::less<>>;

struct VariableVerdict {
  std::string rule;
  std::string variable;
  std::string value;
  EnvironmentJudgement judgement = EnvironmentJudgement::unknown;
  Severity severity = Severity::note;
  std::string sentence;
  std::string cure;
  std::string source;
};
// At least one verdict for each variable of the families in a set that one program would see.
std::vector<VariableVerdict> judge_variables(const VariableSet& variables, const FolderContext& folders);

}  // namespace convoy
