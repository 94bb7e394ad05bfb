// What is around a program: several copies of the same library that could meet in one process, and a container's shared memory.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/setting_value.h"
#include "cli/examine.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

bool is_brought_along(const DetectedLibrary& library) {
  return library.origin == LibraryOrigin::wheel || library.origin == LibraryOrigin::conda;
}

std::vector<std::string> folders_of(RootedFiles& files, std::string_view path) {
  constexpr std::size_t k_most_folders = 64;
  std::vector<std::string> folders;
  while (!path.empty() && folders.size() < k_most_folders) {
    const auto end = std::min(path.find(':'), path.size());
    const std::string_view folder = path.substr(0, end);
    if (const auto place = folder.starts_with('/') ? files.resolve(folder) : std::nullopt) folders.push_back(*place);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return folders;
}

// True: something was found.
bool add_mixed(RootedFiles& files, const std::vector<DetectedLibrary>& libraries, std::string_view library_path,
               std::vector<Finding>& findings) {
  const std::vector<std::string> folders = folders_of(files, library_path);
  const auto wheel = std::ranges::find_if(libraries, is_brought_along);
  if (wheel == libraries.end()) return false;
  for (const DetectedLibrary& library : libraries) {
    const bool in_front = std::ranges::find(folders, parent_folder(library.path)) != folders.end();
    if (is_brought_along(library) || !in_front) continue;
    findings.push_back(
        {"library.mixed", Severity::warning,
         fmt::format(
             "LD_LIBRARY_PATH puts {} before the libraries that a wheel or conda brings along ({}): a program can "
             "get parts of both, which do not fit each other.",
             printable(library.path), printable(wheel->path)),
         "environment of this process", "unset LD_LIBRARY_PATH for programs that bring their own ROCm",
         "https://github.com/pytorch/builder/pull/1468"});
    return true;
  }
  return false;
}

void add_several(const std::vector<DetectedLibrary>& libraries, std::string_view name, std::vector<Finding>& findings) {
  std::set<std::string> versions;
  std::string places;
  for (const DetectedLibrary& library : libraries) {
    if (library.name != name || library.soname.empty()) continue;
    versions.insert(library.version);
    places += fmt::format("{}{} ({})", places.empty() ? "" : "; ", printable(library.path), printable(library.version));
  }
  if (versions.size() < 2) return;
  findings.push_back(
      {"library.several", Severity::note,
       fmt::format("There are {} versions of {}: programs must not load two of them.", versions.size(), name), places,
       "", "https://github.com/ROCm/pytorch/issues/1340"});
}

bool is_container(RootedFiles& files) {
  return files.resolve("/.dockerenv") || files.resolve("/run/.containerenv");
}

// From the options of its mount, "size=65536k"; nullopt: it has no limit of its own, or is not there.
std::optional<std::int64_t> shared_memory_kib(RootedFiles& files) {
  constexpr std::uint64_t k_limit = 1 << 20;
  constexpr std::string_view k_size = "size=";
  std::istringstream lines(files.read("/proc/mounts", k_limit).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string device, place, type, options;
    fields >> device >> place >> type >> options;
    const auto at = ("," + options).find(",size=");
    if (place != "/dev/shm" || at == std::string::npos) continue;
    std::string_view size = std::string_view(options).substr(at + k_size.size());
    size = size.substr(0, size.find(','));
    if (!size.ends_with('k')) return std::nullopt;
    size.remove_suffix(1);
    return parse_integer(size);
  }
  return std::nullopt;
}

void add_shared_memory(RootedFiles& files, std::vector<Finding>& findings) {
  constexpr std::int64_t k_dockers_default = 65536;  // KiB
  const auto size = is_container(files) ? shared_memory_kib(files) : std::nullopt;
  if (!size || *size > k_dockers_default) return;
  findings.push_back(
      {"container.shared_memory", Severity::warning,
       fmt::format("This container's /dev/shm has {} MiB: PyTorch's data loaders hand their batches over "
                   "there, and end with a bus error when it is full.",
                   *size / 1024),
       "/proc/mounts", "start the container with --ipc=host or --shm-size=8g (shm_size: in compose files)",
       "https://github.com/cortexlabs/cortex/issues/2115"});
}

}  // namespace

std::vector<Finding> examine_surroundings(const std::string& root, const std::vector<DetectedLibrary>& libraries,
                                          std::string_view library_path) {
  RootedFiles files(root);
  std::vector<Finding> findings;
  if (!add_mixed(files, libraries, library_path, findings)) {
    for (const std::string_view name : {"libMIOpen", "libamdhip64"}) add_several(libraries, name, findings);
  }
  add_shared_memory(files, findings);
  return findings;
}

}  // namespace convoy
