// Device rules: what is known of cards, drivers, libraries and problems that no program can find out by asking, as data
// (rules/devices.json; docs/rules.md has the format). A rule is a sentence with a source, predicates that must all hold, effects,
// and an example that it must match. Pure: facts in, yes or no out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"
#include "rules/range.h"

namespace convoy {

// What rules look at. A fact that is not known is empty, and a predicate on it does not hold.
struct RuleMachine {
  std::string backend;       // "hip", "cuda", "opencl", "cpu"
  std::string pci;           // "1002:731f"
  std::string architecture;  // of the silicon: "gfx1010"
  std::string pretends;      // what HSA_OVERRIDE_GFX_VERSION makes of it: "gfx1030"; empty: nothing
  std::string driver;        // "amdgpu 6.8.5"
  std::string miopen;        // "miopen 3.2.0"
  std::string rocblas;       // "yes" or "no": whether it has kernels for `architecture`
  std::string hip{};         // "HIP 7.0", the newest there is
};

// Predicates. Lists: one of them must match, and an empty list asks nothing; patterns may contain * and ?.
struct MachinePredicates {
  std::vector<std::string> backends, pci, architectures, pretends, rocblas;
  bool no_pretence = false;  // it must not pretend
  std::optional<Range> driver, miopen, hip;
};

struct ProblemPredicates {
  std::vector<std::string> directions, dtypes, layouts;
  std::vector<std::string> strings;  // of the canonical string
  std::optional<bool> depthwise, transposed;
  std::optional<Range> rank, groups, batch, channels, outputs;
  std::optional<Range> image, filter, stride, dilation;  // of the largest number
  bool any() const;                                      // asks anything at all
};

// Architectures of cards, for where only their numbers can be read: early in boot, without a driver.
struct RuleCards {
  std::string architecture;
  std::vector<std::string> pci;  // patterns
};

struct RuleSetting {
  std::string name, value;
};

struct RuleEffects {
  std::vector<std::string> refuse;   // solvers and tiers that are not used
  std::vector<std::string> first;    // that are tried before all others
  std::vector<std::string> without;  // families of algorithms that the vendor's library shall not use
  std::string strategy;              // where the user has set none
  std::vector<RuleSetting> environment;
};

struct RuleExample {
  RuleMachine machine;
  std::optional<Problem> problem;
};

struct DeviceRule {
  std::string id, sentence;
  std::vector<std::string> sources;
  MachinePredicates machine;
  ProblemPredicates problem;
  RuleEffects effects;
  RuleExample example;
  bool disabled = false;
  std::string origin;  // the file it was read from; "built in"
};

bool applies(const MachinePredicates& predicates, const RuleMachine& machine);
bool applies(const ProblemPredicates& predicates, const Problem& problem);

std::string_view name_of(Layout layout);  // "channels_first", PyTorch's names

// Whether `text` is what `pattern` describes; * stands for any letters, ? for one.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace convoy
