// Implementation of detect.h: the machine's driver, device files and folders. GPUs are in detect_gpus.cc, libraries in
// detect_libraries.cc.
#include "device/detect.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <set>
#include <sstream>

#include "base/file.h"
#include "device/detect_parts.h"
#include "device/gpu_facts.h"

namespace convoy {
namespace {

// modprobe.d(5), the first wins where two have a file of the same name.
constexpr std::array k_modprobe_folders{"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
                                        "/usr/lib/modprobe.d", "/lib/modprobe.d"};

// "blacklist amdgpu" keeps a module from being loaded for its devices, "install amdgpu /bin/false" from being loaded at all.
bool blocks_amdgpu(const std::string& line) {
  std::istringstream words(line);
  std::string command, module, program;
  words >> command >> module >> program;
  if (module != "amdgpu") return false;
  return command == "blacklist" ||
         (command == "install" && (program.ends_with("/false") || program.ends_with("/true")));
}

void add_blocking_files(RootedFiles& files, std::vector<std::string>& found) {
  std::set<std::string> seen;
  for (const std::string folder : k_modprobe_folders) {
    for (const std::string& name : files.list(folder)) {
      if (!name.ends_with(".conf") || !seen.insert(name).second) continue;
      std::istringstream lines(files.read(fmt::format("{}/{}", folder, name)).value_or(""));
      for (std::string line; std::getline(lines, line);) {
        if (blocks_amdgpu(line)) found.push_back(fmt::format("{}/{}: {}", folder, name, printable_name(line)));
      }
    }
  }
}

// Names of modules in "modprobe.blacklist=a,b"; nomodeset keeps every DRM driver from its card.
bool word_blocks_amdgpu(const std::string& word) {
  if (word == "nomodeset") return true;
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return false;
  const std::string key = word.substr(0, equals);
  if (key != "modprobe.blacklist" && key != "module_blacklist") return false;
  return ("," + word.substr(equals + 1) + ",").find(",amdgpu,") != std::string::npos;
}

void add_blocking_words(RootedFiles& files, std::vector<std::string>& found) {
  std::istringstream words(files.read("/proc/cmdline").value_or(""));
  for (std::string word; words >> word;) {
    if (word_blocks_amdgpu(word)) found.push_back("/proc/cmdline: " + printable_name(word));
  }
}

KernelDriver look_at_driver(RootedFiles& files) {
  KernelDriver driver;
  driver.loaded = files.is_folder("/sys/module/amdgpu");
  driver.version = files.first_line("/sys/module/amdgpu/version");
  driver.kernel_release = files.first_line("/proc/sys/kernel/osrelease");
  add_blocking_files(files, driver.blocked_by);
  add_blocking_words(files, driver.blocked_by);
  return driver;
}

// A line of group(5) is name:password:number:members.
std::string name_of_group(RootedFiles& files, std::uint32_t group) {
  std::istringstream lines(files.read("/etc/group", std::uint64_t{1} << 20).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name, password, number;
    std::getline(fields, name, ':');
    std::getline(fields, password, ':');
    std::getline(fields, number, ':');
    if (number == std::to_string(group)) return printable_name(name);
  }
  return {};
}

bool may(const std::string& host_path, int what) {
  return ::faccessat(AT_FDCWD, host_path.c_str(), what, AT_EACCESS) == 0;
}

UserFolder look_at_user_folder(RootedFiles& files, const std::string& path) {
  UserFolder folder;
  folder.path = path;
  folder.exists = files.is_folder(path);
  std::string nearest = path;
  std::optional<std::string> place = files.resolve(nearest);
  const bool is_something_else = place.has_value() && !folder.exists;
  while (!place && !nearest.empty()) {
    nearest = parent_folder(nearest);
    place = files.resolve(nearest);
  }
  const std::string there = files.on_host(place.value_or(""));
  folder.writable = !is_something_else && may(there, W_OK | X_OK);
  folder.network = on_network_filesystem(there);
  if (is_something_else) files.note(path, "is no folder: MIOpen cannot write its databases there");
  return folder;
}

}  // namespace

const char* name_of(GpuLack lack) {
  switch (lack) {
    case GpuLack::no_driver: return "no_driver";
    case GpuLack::other_driver: return "other_driver";
    case GpuLack::no_kfd: return "no_kfd";
    case GpuLack::not_in_kfd: return "not_in_kfd";
    case GpuLack::no_kfd_device: return "no_kfd_device";
    case GpuLack::kfd_denied: return "kfd_denied";
    case GpuLack::no_render_node: return "no_render_node";
    case GpuLack::render_denied: return "render_denied";
  }
  return "unknown";
}

const char* name_of(LibraryOrigin origin) {
  switch (origin) {
    case LibraryOrigin::system: return "system";
    case LibraryOrigin::rocm: return "rocm";
    case LibraryOrigin::conda: return "conda";
    case LibraryOrigin::wheel: return "wheel";
  }
  return "unknown";
}

DeviceNode look_at_device(RootedFiles& files, const std::string& path) {
  DeviceNode node;
  node.path = path;
  const auto place = files.resolve(path);
  struct stat status {};
  if (!place || ::lstat(files.on_host(*place).c_str(), &status) != 0) return node;
  // Docker makes a folder where a device was to be mounted that the host does not have.
  if (S_ISDIR(status.st_mode)) {
    files.note(path, "is a folder where a device should be");
    return node;
  }
  node.exists = true;
  node.mode = status.st_mode & 07777U;
  node.owner = status.st_uid;
  node.group = status.st_gid;
  node.group_name = name_of_group(files, node.group);
  node.may_open = may(files.on_host(*place), R_OK | W_OK);
  return node;
}

Detection detect(const std::string& root, const DetectOptions& options) {
  RootedFiles files(root);
  Detection found;
  found.driver = look_at_driver(files);
  found.kfd = look_at_device(files, "/dev/kfd");
  found.gpus = find_gpus(files, found);
  found.rocm = find_rocm(files);
  found.libraries = find_libraries(files, options, found.rocm);
  for (const std::string& folder : options.user_folders)
    found.user_folders.push_back(look_at_user_folder(files, folder));
  found.notes = files.take_notes();
  return found;
}

}  // namespace convoy
