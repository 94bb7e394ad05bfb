// Files of the community's scripts: what each does, and how to be rid of it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/examine.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

constexpr std::string_view k_source = "https://github.com/hkevin01/rocm-patch";
constexpr std::uint64_t k_file_limit = 1 << 20;

struct Leftover {
  std::string_view id;
  std::string_view path;  // ~ is the home folder
  std::string_view mark;  // not empty: text that the file has in it, for files that are the user's own
  Severity severity;
  std::string_view sentence;
  std::string_view cure;
};

constexpr Leftover k_leftovers[] = {
    {"profile", "/etc/profile.d/rocm-rdna1.sh", "", Severity::warning,
     "makes the card pretend to be gfx1030 in every login shell, switches MIOpen's algorithms off and tunes every "
     "convolution",
     "sudo rm {}"},
    {"profile_52", "/etc/profile.d/rocm-rdna1-52.sh", "", Severity::warning,
     "sets the recipe for ROCm 5.2 in every login shell: the card pretends to be gfx1030, algorithms are switched off",
     "sudo rm {}"},
    {"profile_57", "/etc/profile.d/rocm-rdna1-57.sh", "", Severity::warning,
     "sets the recipe for ROCm 5.7 in every login shell: the card pretends to be gfx1030, algorithms are switched off",
     "sudo rm {}"},
    {"systemd", "/etc/systemd/system.conf.d/rocm-rdna1.conf", "", Severity::warning,
     "sets the same for every system service, whatever GPU is there", "sudo rm {} && sudo systemctl daemon-reexec"},
    {"environment_d", "/etc/environment.d/90-rocm-rdna1.conf", "", Severity::warning,
     "sets the same for every user session, whatever GPU is there", "sudo rm {}, then log in again"},
    {"udev", "/etc/udev/rules.d/90-rocm-rdna1.rules", "", Severity::warning,
     "has no effect: ENV{} of udev names properties of the device, which no process gets",
     "sudo rm {} && sudo udevadm control --reload"},
    {"modprobe", "/etc/modprobe.d/amdgpu-fix.conf", "", Severity::warning,
     "changes the driver's memory and power options (noretry, vm_fragment_size, ppfeaturemask) for every AMD GPU",
     "sudo rm {} && sudo update-initramfs -u, then boot again"},
    {"user_environment", "~/rocm_rdna1_env.sh", "", Severity::warning,
     "forces GEMM and switches the other algorithms off, the setting that its authors later called broken", "rm {}"},
    {"bashrc", "~/.bashrc", "rocm_rdna1_env.sh", Severity::warning,
     "prints a banner in every interactive shell, which can break scp and rsync, and sets the recipe's variables",
     "remove the lines with rocm_rdna1_env.sh from {}"},
    {"description", "/etc/rocm-rdna1-fix.info", "", Severity::note, "is a description and does nothing", "sudo rm {}"},
    {"user_test", "~/test_all_conv2d.py", "", Severity::note, "is a test script and does nothing by itself", "rm {}"},
};

// Two of these set different values for the same variables.
constexpr std::array k_recipes = {std::string_view("profile"), std::string_view("profile_52"),
                                  std::string_view("profile_57"), std::string_view("user_environment")};

bool has(RootedFiles& files, const std::string& path, std::string_view mark) {
  if (mark.empty()) return files.resolve(path).has_value();
  const auto text = files.read(path, k_file_limit);
  return text && text->find(mark) != std::string::npos;
}

}  // namespace

std::vector<Finding> examine_leftovers(const std::string& root, const std::string& home) {
  RootedFiles files(root);
  std::vector<Finding> findings;
  std::string recipes;
  int recipe_count = 0;
  for (const Leftover& one : k_leftovers) {
    std::string path(one.path);
    if (path.starts_with('~')) {
      if (!home.starts_with('/')) continue;
      path = home + path.substr(1);
    }
    if (!has(files, path, one.mark)) continue;
    const std::string name = printable(path);
    findings.push_back({fmt::format("leftover.{}", one.id), one.severity,
                        fmt::format("Left by the scripts of rocm-patch: {} {}.", name, one.sentence), name,
                        fmt::format(fmt::runtime(one.cure), name), std::string(k_source)});
    if (std::ranges::find(k_recipes, one.id) == k_recipes.end()) continue;
    recipes += (recipes.empty() ? "" : "; ") + name;
    ++recipe_count;
  }
  if (recipe_count > 1) {
    findings.push_back(
        {"leftover.two_recipes", Severity::warning,
         "Recipes that exclude each other are installed together: which one counts depends on the order of reading.",
         recipes, "remove all of them", std::string(k_source)});
  }
  return findings;
}

}  // namespace convoy
