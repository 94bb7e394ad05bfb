// The tables of names and rules, and what they say of a set of variables.
#include "cli/environment_rules.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/edit_distance.h"
#include "cli/value_condition.h"
#include "problem/printable.h"

// Where the claims are shown. MIOpen as of version 3.3: its names are the same from 2.17 on, unless a rule says so.
#define CONVOY_MIOPEN "https://github.com/ROCm/MIOpen/blob/2d1fd997a/"
#define CONVOY_ROCR "https://github.com/ROCm/ROCR-Runtime/blob/2f2de556b4645bfbb3578a1172daeabfb3fd3fc7/"
#define CONVOY_ROCR_VARIABLES \
  "https://rocm.docs.amd.com/projects/ROCR-Runtime/en/docs-6.2.1/api-reference/environment_variables.html"
#define CONVOY_ROCR_FLAGS CONVOY_ROCR "runtime/hsa-runtime/core/util/flag.h"
// Of later releases, which stand in another repository.
#define CONVOY_MIOPEN_VARIABLES                                                                                \
  "https://github.com/ROCm/rocm-libraries/blob/05200be8f300d69145aa5cf05641167793f02314/projects/miopen/docs/" \
  "reference/"                                                                                                 \
  "env_variables.rst"
#define CONVOY_MIOPEN_LATER_LOGGING                                                                                   \
  "https://github.com/ROCm/rocm-libraries/blob/03ed395138e4986b4ac65a8fb27c03eb6ef77cee/projects/miopen/docs/how-to/" \
  "debug-log.rst"
#define CONVOY_MIOPEN_PERFDB \
  "https://github.com/ROCm/MIOpen/blob/04f279d96a136795318d325720849ecfa20111d6/docs/conceptual/perfdb.rst"
#define CONVOY_ALLOCATOR_CHOICE \
  "https://github.com/pytorch/pytorch/blob/012117ce596c0254dab7ef2cee454df935c6ebd9/c10/cuda/CUDAAllocatorConfig.h"
#define CONVOY_GUIDE "https://github.com/hkevin01/rocm-patch/"
#define CONVOY_ALLOCATOR \
  "https://github.com/pytorch/pytorch/blob/01f9ef32eae5ef513002dd44902c23cbe6be3aae/c10/cuda/CUDAAllocatorConfig.cpp"

namespace convoy {
namespace {

constexpr std::string_view k_families[] = {"MIOPEN_", "HIP_", "HSA_", "ROCR_", "PYTORCH_"};

constexpr EnvironmentNames k_names[] = {
#include "cli/environment_names.inc"
};

constexpr EnvironmentRule k_rules[] = {
#include "cli/environment_rules.inc"
};

constexpr std::string_view k_per_node_override = "HSA_OVERRIDE_GFX_VERSION_";

// Calls visit(row, name without prefix) until it returns true.
template <typename Visit>
void for_each_name(Visit&& visit) {
  for (const EnvironmentNames& row : k_names) {
    std::string_view rest = row.names;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(' '), rest.size());
      if (visit(row, rest.substr(0, end))) return;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

const EnvironmentNames* row_of(std::string_view variable) {
  const EnvironmentNames* found = nullptr;
  for_each_name([&](const EnvironmentNames& row, std::string_view name) {
    const bool same = variable.starts_with(row.prefix) && variable.substr(row.prefix.size()) == name;
    if (same) found = &row;
    return same;
  });
  return found;
}

// HSA_OVERRIDE_GFX_VERSION_1 follows the rules of the name without _1.
bool is_per_node_override(std::string_view variable) {
  if (!variable.starts_with(k_per_node_override)) return false;
  const std::string_view node = variable.substr(k_per_node_override.size());
  return !node.empty() && node.find_first_not_of("0123456789") == std::string_view::npos;
}

// The existing name that was probably meant; empty when none is near.
std::string nearest_name(std::string_view wrong) {
  constexpr std::size_t k_longest = 96;
  std::string best;
  if (wrong.size() > k_longest) return best;
  const std::string_view family = wrong.substr(0, wrong.find('_') + 1);
  std::size_t distance = wrong.size() / 8 + 1;
  for_each_name([&](const EnvironmentNames& row, std::string_view name) {
    std::string candidate = std::string(row.prefix).append(name);
    if (row.kind == NameKind::invented || !candidate.starts_with(family)) return false;
    const std::size_t now = edit_distance(wrong, candidate);
    if (now < distance) distance = now, best = std::move(candidate);
    return false;
  });
  return best;
}

bool speaks_of(const EnvironmentRule& rule, std::string_view variable, const EnvironmentNames* row) {
  if (rule.variable == "*") return true;
  if (row != nullptr && rule.variable == "switch_on") return row->kind == NameKind::switch_on;
  if (row != nullptr && rule.variable == "switch_off") return row->kind == NameKind::switch_off;
  if (row != nullptr && rule.variable == "invented") return row->kind == NameKind::invented;
  if (rule.variable == variable) return true;
  // A name for one node does not speak for all.
  return is_per_node_override(variable) && rule.id != "override_everywhere" &&
         rule.variable == k_per_node_override.substr(0, k_per_node_override.size() - 1);
}

bool applies(const EnvironmentRule& rule, std::string_view value, const VariableSet& variables,
             const FolderContext& folders) {
  if (!passes(rule.when, value, folders)) return false;
  if (rule.also_variable.empty()) return true;
  const auto other = variables.find(rule.also_variable);
  return other != variables.end() && passes(rule.also, other->second, folders);
}

VariableVerdict verdict_of(const EnvironmentRule& rule, const EnvironmentNames& row, const std::string& variable,
                           const std::string& value) {
  // Where a name was invented stands with the name.
  const std::string_view source =
      row.kind == NameKind::invented && rule.variable == "invented" ? row.source : rule.source;
  return {.rule = std::string(rule.id),
          .variable = variable,
          .value = value,
          .judgement = rule.judgement,
          .severity = rule.severity,
          .sentence = fmt::format("{}={}: {}", printable(variable), printable(value), rule.sentence),
          .cure = std::string(rule.cure),
          .source = std::string(source)};
}

// For a name that exists, with a value that no rule speaks of.
VariableVerdict plain_verdict(const EnvironmentNames& row, const std::string& variable, const std::string& value) {
  const bool ignored = value.empty();
  return {
      .rule = ignored ? "empty_value" : "effective",
      .variable = variable,
      .value = value,
      .judgement = ignored ? EnvironmentJudgement::no_effect : EnvironmentJudgement::effective,
      .severity = Severity::note,
      .sentence = fmt::format("{}={}: {}", printable(variable), printable(value),
                              ignored ? "empty; what reads it takes its default or fails, by version." : row.meaning),
      .cure = ignored ? "unset it" : "",
      .source = std::string(row.source)};
}

VariableVerdict stranger_verdict(const std::string& variable, const std::string& value) {
  VariableVerdict verdict;
  verdict.rule = "unknown_name";
  verdict.variable = variable;
  verdict.value = value;
  const std::string meant = nearest_name(variable);
  if (meant.empty()) {
    verdict.sentence = fmt::format("{}={}: Convoy knows no variable of this name, neither as real nor as invented.",
                                   printable(variable), printable(value));
    verdict.cure = "look it up where you have it from; a program that you use may read it itself";
  } else {
    verdict.rule = "misspelt_name";
    verdict.judgement = EnvironmentJudgement::invented;
    verdict.severity = Severity::warning;
    verdict.sentence = fmt::format("{}={}: no such variable is known, so nothing comes of it; {} exists.",
                                   printable(variable), printable(value), meant);
    verdict.cure = fmt::format("write {}, or remove it", meant);
  }
  verdict.source = variable.starts_with("MIOPEN_")
                       ? CONVOY_MIOPEN "docs/how-to/debug-log.rst"
                       : "https://rocm.docs.amd.com/en/docs-7.1.1/reference/env-variables.html";
  return verdict;
}

void judge_one(const std::string& variable, const std::string& value, const VariableSet& variables,
               const FolderContext& folders, std::vector<VariableVerdict>& verdicts) {
  const EnvironmentNames* row =
      row_of(is_per_node_override(variable) ? k_per_node_override.substr(0, k_per_node_override.size() - 1) : variable);
  if (row == nullptr) return verdicts.push_back(stranger_verdict(variable, value));
  const std::size_t before = verdicts.size();
  for (const EnvironmentRule& rule : k_rules) {
    if (speaks_of(rule, variable, row) && applies(rule, value, variables, folders)) {
      verdicts.push_back(verdict_of(rule, *row, variable, value));
    }
  }
  if (verdicts.size() > before) return;
  verdicts.push_back(plain_verdict(*row, variable, value));
}

}  // namespace

std::string_view name_of(EnvironmentJudgement judgement) {
  switch (judgement) {
    case EnvironmentJudgement::dangerous: return "dangerous";
    case EnvironmentJudgement::contradictory: return "contradictory";
    case EnvironmentJudgement::invented: return "invented";
    case EnvironmentJudgement::no_effect: return "no effect";
    case EnvironmentJudgement::deprecated: return "deprecated";
    case EnvironmentJudgement::effective: return "effective";
    case EnvironmentJudgement::unknown: return "unknown";
  }
  return "unknown";
}

std::span<const EnvironmentRule> environment_rules() {
  return k_rules;
}

std::span<const EnvironmentNames> environment_names() {
  return k_names;
}

std::span<const std::string_view> environment_families() {
  return k_families;
}

bool is_judged(std::string_view name) {
  return std::ranges::any_of(k_families, [&](std::string_view family) { return name.starts_with(family); });
}

std::vector<VariableVerdict> judge_variables(const VariableSet& variables, const FolderContext& folders) {
  std::vector<VariableVerdict> verdicts;
  for (const auto& [variable, value] : variables) {
    if (is_judged(variable)) judge_one(variable, value, variables, folders, verdicts);
  }
  return verdicts;
}

}  // namespace convoy
