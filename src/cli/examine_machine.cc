// What detection found, as findings: cards that cannot be used and why, cards that pretend, databases that are not there.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/examine.h"
#include "cli/pretence.h"
#include "problem/printable.h"

namespace convoy {
namespace {

struct LackText {
  GpuLack kind;
  Severity severity;
  std::string_view sentence;  // empty where the detail is one
  std::string_view cure;
  std::string_view source;
};
constexpr std::string_view k_permissions =
    "https://rocm.docs.amd.com/projects/install-on-linux/en/latest/install/prerequisites.html";
constexpr std::string_view k_containers =
    "https://rocm.docs.amd.com/projects/install-on-linux/en/latest/how-to/docker.html";

constexpr LackText k_lacks[] = {
    {GpuLack::no_driver, Severity::broken, "no driver is bound to it", "load the kernel's driver: sudo modprobe amdgpu",
     k_permissions},
    {GpuLack::other_driver, Severity::warning, "another driver than amdgpu has it",
     "bind it to amdgpu, unless it is meant for a virtual machine", ""},
    {GpuLack::no_kfd, Severity::broken, "the kernel offers no compute interface (/sys/class/kfd)",
     "load amdgpu; in a container: look at the host's", k_containers},
    {GpuLack::not_in_kfd, Severity::broken, "the compute interface does not list it",
     "it is too old for this kernel, or was not handed into this container", ""},
    {GpuLack::no_kfd_device, Severity::broken, "",
     "load amdgpu; start a container with --device /dev/kfd --device /dev/dri", k_containers},
    {GpuLack::kfd_denied, Severity::broken, "you may not open /dev/kfd",
     "sudo usermod -aG render,video $USER, then log in again; in a container: --group-add", k_permissions},
    {GpuLack::no_render_node, Severity::broken, "", "load amdgpu; start a container with --device /dev/dri",
     k_containers},
    {GpuLack::render_denied, Severity::broken, "you may not open its render node",
     "sudo usermod -aG render,video $USER, then log in again; in a container: --group-add", k_permissions},
};

std::string name_of_gpu(const DetectedGpu& gpu) {
  return fmt::format("{} {:04x}:{:04x}{}{}", printable(gpu.pci_address), gpu.vendor, gpu.device,
                     gpu.architecture.empty() ? "" : " ", printable(gpu.architecture));
}

void add_lacks(const DetectedGpu& gpu, std::vector<Finding>& findings) {
  for (const Lack& lack : gpu.lacks) {
    const auto* text = std::ranges::find(k_lacks, lack.kind, &LackText::kind);
    if (text == std::end(k_lacks)) continue;
    // The graphics of a processor that nobody computes on is not worth an alarm.
    const Severity severity = gpu.integrated ? std::max(Severity::warning, text->severity) : text->severity;
    findings.push_back({fmt::format("gpu.{}", name_of(lack.kind)), severity,
                        fmt::format("{} cannot be used: {}{}{}.", name_of_gpu(gpu), text->sentence,
                                    lack.detail.empty() || text->sentence.empty() ? "" : "; ", printable(lack.detail)),
                        gpu.pci_address, std::string(text->cure), std::string(text->source)});
  }
}

// --- pretending ---

std::string joined(const std::vector<std::string>& places) {
  return fmt::format("{}", fmt::join(places, "; "));
}

void add_pretence(const DetectedGpu& gpu, const PlacedVariable& variable, std::vector<Finding>& findings) {
  const auto real = target_of_name(gpu.architecture);
  const auto pretended = target_of_version(variable.value);
  if (!real || !pretended) return;
  const std::string what = fmt::format("{}={}: {}", variable.name, printable(variable.value), name_of_gpu(gpu));
  if (real->major != pretended->major || real->minor != pretended->minor) {
    findings.push_back(
        {"gpu.pretends_across_families", Severity::broken,
         fmt::format("{} is made to pretend to be {}, of another family: it gets instructions that it does not "
                     "have. Programs hang or crash; newer runtimes refuse another major number (rocm-systems#5686).",
                     what, pretended->name),
         joined(variable.places), fmt::format("unset it: Convoy's kernels are compiled for {} itself", real->name),
         "https://github.com/ROCm/legacy-rocm-build/issues/887"});
  } else if (real->name == pretended->name) {
    findings.push_back({"gpu.pretends_itself", Severity::note, fmt::format("{} is just that: nothing changes.", what),
                        joined(variable.places), "unset it", "https://github.com/ROCm/rocm-systems/pull/3461"});
  } else {
    findings.push_back(
        {"gpu.pretends_within_family", Severity::note,
         fmt::format("{} pretends to be {}, of its own family: it mostly works, and MIOpen's kernels may still be "
                     "wrong.",
                     what, pretended->name),
         joined(variable.places), "", "https://github.com/ROCm/MIOpen/issues/3540"});
  }
}

// --- libraries ---

// The cards that AMD has databases for.
constexpr std::string_view k_with_databases[] = {"gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx1030"};

// MIOpen asks for the files of the card that it is told of.
std::string architecture_seen(const DetectedGpu& gpu, const std::vector<PlacedVariable>& variables) {
  for (const PlacedVariable& variable : variables) {
    const auto pretended = concerns_pretence(variable.name, gpu) ? target_of_version(variable.value) : std::nullopt;
    if (pretended) return pretended->name;
  }
  return gpu.architecture;
}

void add_databases(const DetectedLibrary& library, const DetectedGpu& gpu, const std::string& architecture,
                   std::vector<Finding>& findings) {
  if (architecture.empty()) return;
  const DatabaseFiles files = databases_for(library, architecture, gpu.compute_units);
  if (!files.kernels.empty() || !files.finds.empty()) return;
  const bool shipped = std::ranges::find(k_with_databases, architecture) != std::end(k_with_databases);
  findings.push_back(
      {"library.no_databases", shipped ? Severity::warning : Severity::note,
       fmt::format("{} has no kernels and no find records for {} with {} compute units: each new shape is compiled and "
                   "searched for.",
                   printable(library.path), printable(architecture), gpu.compute_units),
       library.database_folder.empty() ? library.path : library.database_folder,
       shipped ? fmt::format("install the package of MIOpen's kernels for {} (miopen-hip-{}kdb or the like)",
                             architecture, architecture)
               : "there is none to install for this card; `convoy tune` prepares Convoy's own",
       "https://github.com/ROCm/MIOpen/issues/1606"});
}

void add_libraries(const Detection& detection, const std::vector<PlacedVariable>& variables,
                   std::vector<Finding>& findings) {
  for (const DetectedLibrary& library : detection.libraries) {
    if (library.soname.empty()) {
      findings.push_back({"library.unloadable", Severity::warning,
                          fmt::format("{} is no library that can be loaded.", printable(library.path)), library.path,
                          "install its package again, or remove it", ""});
    }
    if (library.name != "libMIOpen" || library.soname.empty()) continue;
    if (library.embedded_databases) {
      findings.push_back(
          {"library.embedded_databases", Severity::warning,
           fmt::format("{} has its databases inside and keeps what it compiles in memory alone: every process "
                       "compiles again, and packages of kernels do not reach it.",
                       printable(library.path)),
           library.path, "use a newer wheel (ROCm 5.5 and later), or let Convoy compute: CONVOY_STRATEGY",
           "https://github.com/ROCm/MIOpen/issues/1391"});
      continue;
    }
    for (const DetectedGpu& gpu : detection.gpus) {
      add_databases(library, gpu, architecture_seen(gpu, variables), findings);
    }
  }
}

void add_user_folders(const Detection& detection, std::vector<Finding>& findings) {
  for (const UserFolder& folder : detection.user_folders) {
    const std::string name = printable(folder.path);
    if (!folder.writable) {
      findings.push_back({"library.user_folder_unwritable", Severity::warning,
                          fmt::format("MIOpen cannot write to {}: nothing that it finds or compiles is kept.", name),
                          name, "make the folder yours, or name another: MIOPEN_USER_DB_PATH, MIOPEN_CUSTOM_CACHE_DIR",
                          "https://github.com/jamiepine/voicebox/pull/865"});
    }
    if (folder.network) {
      findings.push_back(
          {"library.user_folder_network", Severity::warning,
           fmt::format("{} is on a network file system: MIOpen's databases get lost or damaged there.", name), name,
           "name a folder on a local disk: MIOPEN_USER_DB_PATH, MIOPEN_CUSTOM_CACHE_DIR",
           "https://github.com/ROCm/MIOpen/issues/1878"});
    }
  }
}

void add_absence(const Detection& detection, std::vector<Finding>& findings) {
  for (const std::string& place : detection.driver.blocked_by) {
    findings.push_back({"driver.blocked", detection.gpus.empty() ? Severity::note : Severity::broken,
                        fmt::format("The driver is kept from loading by {}.", printable(place)), printable(place),
                        "remove the line, then boot again", ""});
  }
  if (!detection.gpus.empty()) return;
  const bool wanted = !detection.rocm.empty();
  findings.push_back({"gpu.none", wanted ? Severity::warning : Severity::note,
                      wanted ? "ROCm is installed, and no AMD GPU can be seen." : "No AMD GPU can be seen.", "",
                      "in a container, hand the card in: --device /dev/kfd --device /dev/dri",
                      wanted ? std::string(k_containers) : ""});
}

}  // namespace

std::vector<Finding> examine_machine(const Detection& detection, const std::vector<PlacedVariable>& variables) {
  std::vector<Finding> findings;
  add_absence(detection, findings);
  for (const DetectedGpu& gpu : detection.gpus) {
    add_lacks(gpu, findings);
    for (const PlacedVariable& variable : variables) {
      if (concerns_pretence(variable.name, gpu)) add_pretence(gpu, variable, findings);
    }
  }
  add_libraries(detection, variables, findings);
  add_user_folders(detection, findings);
  for (const DetectNote& note : detection.notes) {
    findings.push_back({"machine.unread", Severity::note,
                        fmt::format("{}: {}.", printable(note.path), printable(note.text)), printable(note.path), "",
                        ""});
  }
  return findings;
}

}  // namespace convoy
