// Which of the GPUs programs are offered: a processor's own beside a card, and lists that name GPUs which are not there.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/setting_value.h"
#include "cli/examine.h"
#include "problem/printable.h"

namespace convoy {
namespace {

constexpr std::string_view k_visible = "ROCR_VISIBLE_DEVICES";

// As ROCR counts them: the compute driver's nodes that are GPUs, in their order.
std::vector<const DetectedGpu*> counted(const Detection& detection) {
  std::vector<const DetectedGpu*> gpus;
  for (const DetectedGpu& gpu : detection.gpus) {
    if (gpu.kfd_node >= 0) gpus.push_back(&gpu);
  }
  std::ranges::sort(gpus, {}, &DetectedGpu::kfd_node);
  return gpus;
}

std::string name_of_gpu(const DetectedGpu& gpu) {
  return fmt::format("{} {}", printable(gpu.pci_address), printable(gpu.architecture));
}

void add_integrated(const std::vector<const DetectedGpu*>& gpus, const std::vector<PlacedVariable>& variables,
                    std::vector<Finding>& findings) {
  const bool chosen = std::ranges::any_of(
      variables, [](const PlacedVariable& one) { return one.name == k_visible || one.name == "HIP_VISIBLE_DEVICES"; });
  std::string cards;
  for (std::size_t index = 0; index < gpus.size(); ++index) {
    if (!gpus[index]->integrated) cards += fmt::format("{}{}", cards.empty() ? "" : ",", index);
  }
  if (chosen || cards.empty()) return;
  for (const DetectedGpu* gpu : gpus) {
    if (!gpu->integrated) continue;
    findings.push_back(
        {"gpu.integrated_visible", Severity::warning,
         fmt::format(
             "{} is part of the processor and offered to programs beside the card{}: those that take every GPU, or "
             "the wrong one, can crash.",
             name_of_gpu(*gpu), gpu == gpus.front() ? ", as the first" : ""),
         gpu->pci_address,
         fmt::format("{}={} for programs that compute, or switch the processor's graphics off in the firmware",
                     k_visible, cards),
         "https://rocm.docs.amd.com/projects/install-on-linux/en/docs-6.2.0/install/amdgpu-install.html"});
  }
}

// The first entry that is a number no GPU has, and its place in the list. Entries with an id of a GPU say nothing here.
struct Absent {
  std::size_t position = 0;
  std::string entry;
};
std::optional<Absent> absent_in(std::string_view list, std::size_t gpus) {
  for (std::size_t position = 0; !list.empty(); ++position) {
    const auto end = std::min(list.find(','), list.size());
    const std::string_view entry = trimmed(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (entry.starts_with('G') || entry.starts_with('g')) continue;
    const auto number = parse_integer(entry);
    const bool there = number && *number >= 0 && static_cast<std::size_t>(*number) < gpus;
    if (!there) return Absent{position, std::string(entry)};
  }
  return std::nullopt;
}

void add_absent(std::size_t gpus, const PlacedVariable& variable, std::vector<Finding>& findings) {
  const auto absent = absent_in(variable.value, gpus);
  if (!absent) return;
  const bool none = absent->position == 0;
  findings.push_back({"gpu.visible_devices_absent", none ? Severity::broken : Severity::warning,
                      fmt::format("{}={}: there is no GPU {} (they count from 0 to {}), and the list ends there: {}.",
                                  k_visible, printable(variable.value), printable(absent->entry), gpus - 1,
                                  none ? "programs get no GPU" : "programs do not get the rest"),
                      fmt::format("{}", fmt::join(variable.places, "; ")), "name GPUs that are there, or unset it",
                      "https://github.com/ROCm/ROCR-Runtime/blob/2f2de556b4645bfbb3578a1172daeabfb3fd3fc7/runtime/"
                      "hsa-runtime/core/runtime/"
                      "amd_filter_device.cpp"});
}

}  // namespace

std::vector<Finding> examine_visibility(const Detection& detection, const std::vector<PlacedVariable>& variables) {
  std::vector<Finding> findings;
  const std::vector<const DetectedGpu*> gpus = counted(detection);
  if (gpus.empty()) return findings;
  add_integrated(gpus, variables, findings);
  for (const PlacedVariable& variable : variables) {
    if (variable.name == k_visible) add_absent(gpus.size(), variable, findings);
  }
  return findings;
}

}  // namespace convoy
