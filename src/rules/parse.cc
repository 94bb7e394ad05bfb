// The schema of rules, one function for each object of it.
#include "rules/parse.h"

#include <algorithm>
#include <regex>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "rules/json_place.h"

namespace convoy {
namespace {

using Json = nlohmann::json;

constexpr std::size_t k_most_rules = 1000;
constexpr std::size_t k_most_problems = 50;  // each is a line for whoever reads
constexpr std::size_t k_deepest = 8;  // twice what the schema needs; values below may be copied without a thought
constexpr int k_format = 1;

// What the parser takes and a file of rules must not have: nesting without end, and a name twice in one object, of which only the
// last would count.
class StrictParser {
 public:
  static Json parse(std::string_view text) {
    StrictParser state;
    return Json::parse(text, [&state](int, Json::parse_event_t event, const Json& value) {
      state.see(event, value);
      return true;
    });
  }

 private:
  void see(Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      names_.emplace_back();
      if (names_.size() > k_deepest) throw std::invalid_argument("is nested too deep");
    } else if (event == Event::object_end || event == Event::array_end) {
      names_.pop_back();
    } else if (event == Event::key) {
      const auto& name = value.get_ref<const std::string&>();
      if (!names_.back().insert(name).second)
        throw std::invalid_argument(fmt::format("\"{}\" stands twice in one object", name));
    }
  }

  std::vector<std::set<std::string>> names_;  // of the objects that are open
};

void read_range(const JsonPlace& place, std::optional<Range>& range) {
  const auto& value = place.value();
  const std::string text = value.is_number_integer() ? value.dump() : place.text();
  range = Range::parse(text);
  if (!range && !text.empty()) place.complain("must be a range such as \">=6.0 <6.2\", \">42\" or 3");
}

void read_pci(const JsonPlace& place, std::vector<std::string>& ids) {
  ids = place.texts();
  const auto is_id = [](const std::string& id) {
    static const std::regex form("[0-9a-f]{4}:[0-9a-f?*]{1,4}");
    return std::regex_match(id, form);
  };
  if (!std::ranges::all_of(ids, is_id)) place.complain("must be ids such as \"1002:731f\", in small letters");
}

bool read_machine_predicate(const std::string& name, const JsonPlace& place, MachinePredicates& predicates) {
  if (name == "backend") return predicates.backends = place.names_of({"hip", "cuda", "opencl", "cpu"}), true;
  if (name == "pci") return read_pci(place, predicates.pci), true;
  if (name == "architecture") return predicates.architectures = place.texts(), true;
  if (name == "driver") return read_range(place, predicates.driver), true;
  if (name == "miopen") return read_range(place, predicates.miopen), true;
  if (name == "hip") return read_range(place, predicates.hip), true;
  if (name == "rocblas") return predicates.rocblas = {place.boolean() ? "yes" : "no"}, true;
  if (name != "pretends") return false;
  if (!place.value().is_boolean()) return predicates.pretends = place.texts(), true;
  // false: it does not; true: it does, as whatever.
  predicates.no_pretence = !place.boolean();
  if (!predicates.no_pretence) predicates.pretends = {"*"};
  return true;
}

bool read_problem_predicate(const std::string& name, const JsonPlace& place, ProblemPredicates& predicates) {
  if (name == "direction") return predicates.directions = place.names_of({"fwd", "bwd", "wrw"}), true;
  if (name == "dtype") return predicates.dtypes = place.names_of({"f32", "f16", "bf16", "f64", "i8"}), true;
  if (name == "layout") return predicates.layouts = place.names_of({"channels_first", "channels_last"}), true;
  if (name == "string") return predicates.strings = place.texts(), true;
  if (name == "depthwise") return predicates.depthwise = place.boolean(), true;
  if (name == "transposed") return predicates.transposed = place.boolean(), true;
  const std::pair<std::string_view, std::optional<Range>*> ranges[] = {
      {"rank", &predicates.rank},         {"groups", &predicates.groups},   {"batch", &predicates.batch},
      {"channels", &predicates.channels}, {"outputs", &predicates.outputs}, {"image", &predicates.image},
      {"filter", &predicates.filter},     {"stride", &predicates.stride},   {"dilation", &predicates.dilation}};
  const auto* found =
      std::ranges::find(ranges, std::string_view(name), &std::pair<std::string_view, std::optional<Range>*>::first);
  if (found == std::end(ranges)) return false;
  read_range(place, *found->second);
  return true;
}

void read_when(const JsonPlace& when, DeviceRule& rule) {
  when.each_member([&rule](const std::string& name, const JsonPlace& place) {
    if (name != "problem") return read_machine_predicate(name, place, rule.machine);
    place.each_member([&rule](const std::string& inner, const JsonPlace& member) {
      return read_problem_predicate(inner, member, rule.problem);
    });
    return true;
  });
}

// Names of programs' settings, no more: a rule that came from elsewhere must not make programs load or run something.
void read_environment(const JsonPlace& place, std::vector<RuleSetting>& settings) {
  static const std::regex form("(MIOPEN|HSA|HIP|ROCR|AMD|GPU|PYTORCH|CONVOY)_[A-Z0-9_]{1,100}");
  place.each_member([&settings](const std::string& name, const JsonPlace& member) {
    if (!std::regex_match(name, form)) member.complain("must be a variable of MIOpen, ROCm, PyTorch or Convoy");
    const std::string value = member.text(200);
    // No letter that any shell or service manager reads as something else.
    static const std::regex plain("[A-Za-z0-9_.,:=+-]*");
    if (!std::regex_match(value, plain)) member.complain("may have letters, digits and _.,:=+- only");
    const bool loads = name.find("LIBRARY") != std::string::npos || name.find("PROBE") != std::string::npos ||
                       name.find("TOOLS") != std::string::npos || name.find("PATH") != std::string::npos;
    if (loads) member.complain("rules set no variables that name files");
    settings.push_back({name, value});
    return true;
  });
}

void read_effects(const JsonPlace& then, const RuleVocabulary& vocabulary, RuleEffects& effects) {
  then.each_member([&](const std::string& name, const JsonPlace& place) {
    if (name == "refuse") return effects.refuse = place.names_of(vocabulary.candidates), true;
    if (name == "first") return effects.first = place.names_of(vocabulary.candidates), true;
    if (name == "without") return effects.without = place.names_of(vocabulary.algorithms), true;
    if (name == "strategy") return effects.strategy = place.name_of(vocabulary.strategies), true;
    if (name == "environment") return read_environment(place, effects.environment), true;
    return false;
  });
}

void read_example_problem(const JsonPlace& place, RuleExample& example) {
  const std::string text = place.text();
  auto problem = parse_problem(text);
  if (!problem && !text.empty()) place.complain(problem.error().message);
  if (problem) example.problem = std::move(*problem);
}

void read_example(const JsonPlace& place, RuleExample& example) {
  place.each_member([&example](const std::string& name, const JsonPlace& member) {
    RuleMachine& machine = example.machine;
    if (name == "problem") return read_example_problem(member, example), true;
    const std::pair<std::string_view, std::string*> texts[] = {
        {"backend", &machine.backend},   {"pci", &machine.pci},       {"architecture", &machine.architecture},
        {"pretends", &machine.pretends}, {"driver", &machine.driver}, {"miopen", &machine.miopen},
        {"rocblas", &machine.rocblas},   {"hip", &machine.hip}};
    const auto* found =
        std::ranges::find(texts, std::string_view(name), &std::pair<std::string_view, std::string*>::first);
    if (found == std::end(texts)) return false;
    *found->second = member.text();
    return true;
  });
}

void check_whole(const JsonPlace& place, const DeviceRule& rule) {
  static const std::regex form("[a-z0-9][a-z0-9-]{0,63}");
  if (!std::regex_match(rule.id, form)) place.complain("id: must be small letters, digits and hyphens");
  if (rule.disabled) return;
  const RuleEffects& effects = rule.effects;
  const bool machine_wide = !effects.without.empty() || !effects.strategy.empty() || !effects.environment.empty();
  if (rule.sentence.empty()) place.complain("sentence: says in one sentence what is known");
  if (!machine_wide && effects.refuse.empty() && effects.first.empty()) place.complain("then: has no effect");
  if (machine_wide && rule.problem.any())
    place.complain("then: without, strategy and environment belong to a machine, not to one problem");
  if (!applies(rule.machine, rule.example.machine)) place.complain("example: is not matched by when");
  if (!rule.problem.any()) return;
  if (!rule.example.problem) return place.complain("example.problem: is missing");
  if (!applies(rule.problem, *rule.example.problem)) place.complain("example.problem: is not matched by when.problem");
}

DeviceRule read_rule(const JsonPlace& place, const RuleVocabulary& vocabulary) {
  DeviceRule rule;
  place.each_member([&](const std::string& name, const JsonPlace& member) {
    if (name == "id") return rule.id = member.text(64), true;
    if (name == "sentence") return rule.sentence = member.text(), true;
    if (name == "source") return rule.sources = member.texts(), true;
    if (name == "disabled") return rule.disabled = member.boolean(), true;
    if (name == "when") return read_when(member, rule), true;
    if (name == "then") return read_effects(member, vocabulary, rule.effects), true;
    if (name == "example") return read_example(member, rule.example), true;
    return false;
  });
  return rule;
}

void read_rules(const Json& list, const RuleVocabulary& vocabulary, ParsedRules& parsed) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < std::min(list.size(), k_most_rules); ++i) {
    JsonPlace::Problems found;
    const JsonPlace place(list[i], "", found);
    DeviceRule rule = read_rule(place, vocabulary);
    if (found.empty()) check_whole(place, rule);
    if (found.empty() && !ids.insert(rule.id).second) place.complain("id: is used twice");
    for (const std::string& one : found)
      parsed.problems.push_back(fmt::format("rules[{}]{}: {}", i, rule.id.empty() ? "" : " (" + rule.id + ")", one));
    if (found.empty()) parsed.rules.push_back(std::move(rule));
  }
  if (list.size() > k_most_rules) parsed.problems.push_back(fmt::format("more than {} rules", k_most_rules));
}

void read_cards(const Json& list, ParsedRules& parsed) {
  const JsonPlace place(list, "cards", parsed.problems);
  place.each_element([&parsed](const JsonPlace& element) {
    const std::size_t problems = parsed.problems.size();
    RuleCards cards;
    element.each_member([&cards](const std::string& name, const JsonPlace& member) {
      if (name == "architecture") return cards.architecture = member.text(), true;
      if (name == "pci") return read_pci(member, cards.pci), true;
      return name == "source" && !member.text().empty();
    });
    if (cards.architecture.empty() || cards.pci.empty()) element.complain("needs architecture and pci");
    if (parsed.problems.size() == problems) parsed.cards.push_back(std::move(cards));
  });
}

void read_document(const Json& document, const RuleVocabulary& vocabulary, ParsedRules& parsed) {
  if (!document.is_object() || !document.contains("rules") || !document["rules"].is_array())
    return parsed.problems.emplace_back("must be an object with \"format\" and the list \"rules\""), void();
  if (document.value("format", Json()) != k_format)
    return parsed.problems.push_back(fmt::format("\"format\" must be {}; another Convoy wrote it", k_format));
  if (document.contains("cards")) read_cards(document["cards"], parsed);
  read_rules(document["rules"], vocabulary, parsed);
}

}  // namespace

ParsedRules parse_rules(std::string_view text, std::string_view origin, const RuleVocabulary& vocabulary) {
  ParsedRules parsed;
  try {
    read_document(StrictParser::parse(text), vocabulary, parsed);
  } catch (const std::exception& error) {  // of the parser, which names line and column, or of StrictParser
    parsed.problems.emplace_back(printable(error.what()));
  }
  if (const std::size_t all = parsed.problems.size(); all > k_most_problems) {
    parsed.problems.resize(k_most_problems);
    parsed.problems.push_back(fmt::format("and {} more", all - k_most_problems));
  }
  for (std::string& problem : parsed.problems) problem = fmt::format("{}: {}", origin, problem);
  for (DeviceRule& rule : parsed.rules) rule.origin = origin;
  return parsed;
}

}  // namespace convoy
