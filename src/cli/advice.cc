// Implementation of advice.h.
#include "cli/advice.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/pretence.h"
#include "device/rooted_files.h"

namespace convoy {
namespace {

constexpr std::uint16_t k_amd = 0x1002;
constexpr const char* k_switches_source = "https://github.com/ROCm/MIOpen/issues/693";

// Cards that ROCm has or is about to have: early in boot the driver is not there yet. One that another driver holds is not ROCm's.
bool is_for_rocm(const DetectedGpu& gpu) {
  const auto is_other = [](const Lack& lack) { return lack.kind == GpuLack::other_driver; };
  return gpu.vendor == k_amd && std::ranges::none_of(gpu.lacks, is_other);
}

// The variable that makes a card pretend: of the one for all and its own ROCm's runtime takes the latter
// (https://github.com/ROCm/ROCR-Runtime/blob/master/libhsakmt/src/topology.c). End: none does.
VariableSet::const_iterator pretence_of(const DetectedGpu& gpu, const VariableSet& variables) {
  auto found = variables.end();
  for (auto one = variables.begin(); one != variables.end(); ++one) {
    if (concerns_pretence(one->first, gpu) && (found == variables.end() || found->first == k_override_variable))
      found = one;
  }
  return found;
}

std::string pretended_by(const DetectedGpu& gpu, const VariableSet& variables) {
  const auto found = pretence_of(gpu, variables);
  const auto target = found == variables.end() ? std::nullopt : target_of_version(found->second);
  return target ? target->name : "";
}

// Files of rocBLAS are called by the architectures that they are for. "yes", "no", or "" where there is no rocBLAS.
std::string rocblas_knows(const std::string& architecture, const Detection& detection, const std::string& root) {
  RootedFiles files(root);
  std::vector<std::string> folders{"/usr/lib/x86_64-linux-gnu/rocblas/library"};
  for (const RocmInstall& one : detection.rocm) folders.push_back(one.path + "/lib/rocblas/library");
  for (const DetectedLibrary& one : detection.libraries)
    folders.push_back(parent_folder(one.path) + "/rocblas/library");
  bool any = false;
  for (const std::string& folder : folders) {
    for (const std::string& name : files.list(folder)) {
      any = true;
      // gfx103 must not find gfx1030.
      for (auto at = name.find(architecture); at != std::string::npos; at = name.find(architecture, at + 1)) {
        const std::size_t end = at + architecture.size();
        if (end == name.size() || std::isxdigit(static_cast<unsigned char>(name[end])) == 0) return "yes";
      }
    }
  }
  return any ? "no" : "";
}

// Of the newest: settings are for whichever program comes.
std::string hip_version(const Detection& detection) {
  std::string newest;
  for (const DetectedLibrary& one : detection.libraries) {
    if (one.name == "libamdhip64" && version_in(one.version) > version_in(newest)) newest = one.version;
  }
  return newest;
}

RuleMachine machine_with(const DetectedGpu& gpu, const Detection& detection, std::string pretends) {
  RuleMachine machine = machine_of(gpu, detection.driver, std::move(pretends));
  machine.hip = hip_version(detection);
  return machine;
}

class Adviser {
 public:
  Adviser(const Detection& detection, const AdviceQuestion& question) : detection_(detection), question_(question) {
    std::ranges::copy_if(detection.gpus, std::back_inserter(gpus_), is_for_rocm);
  }

  std::vector<AdvisedSetting> by(const RuleSet& rules) {
    for (const DetectedGpu& gpu : gpus_)
      if (!is_beside_a_card(gpu)) add_rules(gpu, rules);
    if (!gpus_.empty()) add_strategy();
    return std::move(advice_);
  }

 private:
  void add(AdvisedSetting setting) {
    if (std::ranges::find(advice_, setting.name, &AdvisedSetting::name) != advice_.end()) return;
    const auto present = question_.variables.find(setting.name);
    if (present != question_.variables.end() && present->second != setting.value) setting.kept = present->second;
    advice_.push_back(std::move(setting));
  }

  // A processor's small GPU that nobody computes on: what variables take away for its sake the card would lose, too, and under a
  // borrowed name programs would take it for a second card.
  bool is_beside_a_card(const DetectedGpu& gpu) const {
    constexpr int k_small = 16;  // compute units; those of a Radeon 8060S, 40, do compute
    const bool has_card = std::ranges::any_of(gpus_, [](const DetectedGpu& one) { return !one.integrated; });
    return has_card && gpu.integrated && gpu.compute_units < k_small;
  }

  // Advice to pretend must not vanish by being followed: rules that give it see the card as it is, the others as it pretends to be.
  void add_rules(const DetectedGpu& gpu, const RuleSet& rules) {
    const auto machine_as = [&](std::string pretends) {
      RuleMachine machine = machine_with(gpu, detection_, std::move(pretends));
      if (!gpu.architecture.empty()) machine.rocblas = rocblas_knows(gpu.architecture, detection_, question_.root);
      return machine;
    };
    const auto sets_pretence = [](const DeviceRule& rule) {
      return std::ranges::find(rule.effects.environment, k_override_variable, &RuleSetting::name) !=
             rule.effects.environment.end();
    };
    for (const DeviceRule& rule : rules.for_machine(machine_as(pretended_by(gpu, question_.variables))))
      if (!sets_pretence(rule)) add_rule(gpu, rule);
    for (const DeviceRule& rule : rules.for_machine(machine_as("")))
      if (sets_pretence(rule)) add_rule(gpu, rule);
  }

  void add_rule(const DetectedGpu& gpu, const DeviceRule& rule) {
    for (const RuleSetting& one : rule.effects.environment) {
      const std::string name = one.name == k_override_variable ? override_for(gpu) : one.name;
      if (name.empty()) continue;
      add({name, one.value, fmt::format("{}: {}", name_of(gpu), rule.sentence), rule.id,
           rule.sources.empty() ? "" : rule.sources.front(), ""});
    }
  }

  // The name that is in use already; else for this card alone where there are others, which must not pretend. "" where its number is
  // not known.
  std::string override_for(const DetectedGpu& gpu) const {
    const auto present = pretence_of(gpu, question_.variables);
    if (present != question_.variables.end() && present->first != k_override_variable) return present->first;
    const auto is_another = [&gpu](const DetectedGpu& one) { return one.architecture != gpu.architecture; };
    if (std::ranges::none_of(gpus_, is_another)) return std::string(k_override_variable);
    return gpu.kfd_node < 0 ? "" : fmt::format("{}_{}", k_override_variable, gpu.kfd_node);
  }

  static std::string name_of(const DetectedGpu& gpu) {
    return fmt::format("{} ({:04x}:{:04x})", gpu.architecture.empty() ? "GPU" : gpu.architecture, gpu.vendor,
                       gpu.device);
  }

  void add_strategy() {
    const std::string& strategy = question_.strategy;
    if (strategy == "auto") return;
    if (!question_.strategy_is_set)
      add({"CONVOY_STRATEGY", strategy, "the strategy that was asked for, in programs with Convoy", "", "", ""});
    if (strategy == "gemm" || strategy == "implicit_gemm") add_switches(strategy);
  }

  // MIOpen's switches take algorithms away and force none: 1 is what they are anyway. The direct ones stay: its naive kernels are
  // among them, without which problems that GEMM cannot do would fail.
  void add_switches(const std::string& strategy) {
    const std::pair<const char*, const char*> switches[] = {
        {"gemm", "GEMM"}, {"winograd", "WINOGRAD"}, {"fft", "FFT"}, {"implicit_gemm", "IMPLICIT_GEMM"}};
    for (const auto& [algorithm, name] : switches) {
      if (strategy == algorithm) continue;
      add({fmt::format("MIOPEN_DEBUG_CONV_{}", name), "0",
           fmt::format("strategy {} in programs without Convoy: MIOpen looks for no {} algorithm, unless its find "
                       "records name one",
                       strategy, algorithm),
           "", k_switches_source, ""});
    }
  }

  const Detection& detection_;
  const AdviceQuestion& question_;
  std::vector<DetectedGpu> gpus_;
  std::vector<AdvisedSetting> advice_;
};

}  // namespace

std::vector<DeviceRule> rules_here(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question) {
  std::vector<DeviceRule> found;
  for (const DetectedGpu& gpu : detection.gpus) {
    if (!is_for_rocm(gpu)) continue;
    const std::string pretended = pretended_by(gpu, question.variables);
    for (DeviceRule& rule : rules.for_machine(machine_with(gpu, detection, pretended))) {
      if (std::ranges::find(found, rule.id, &DeviceRule::id) == found.end()) found.push_back(std::move(rule));
    }
  }
  return found;
}

std::vector<AdvisedSetting> advise(const Detection& detection, const RuleSet& rules, const AdviceQuestion& question) {
  return Adviser(detection, question).by(rules);
}

}  // namespace convoy
