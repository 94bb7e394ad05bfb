// Parameters of the kernel's driver that hurt computing: as they are now, and where they are set for the next start.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/examine.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

constexpr std::string_view k_source = "https://docs.kernel.org/6.12/gpu/amdgpu/module-parameters.html";

struct Option {
  std::string_view name;
  std::string_view bad;  // this value; "set": anything that is no number 0; "not": anything but `good`
  std::uint64_t good = 0;
  Severity severity = Severity::warning;
  std::string_view sentence;
};

constexpr Option k_options[] = {
    {"gpu_recovery", "0", 0, Severity::warning,
     "a GPU that hangs is not reset: only a restart of the machine brings it back"},
    {"vramlimit", "set", 0, Severity::warning, "the card's memory is cut to so many MiB, for testing"},
    {"debug_largebar", "1", 0, Severity::warning,
     "programs get only the visible part of the card's memory, mostly 256 MiB"},
    {"sched_policy", "2", 0, Severity::warning,
     "queues are assigned by hand instead of by the hardware's scheduler, for debugging: few processes fit on the GPU"},
    {"halt_if_hws_hang", "1", 0, Severity::warning, "the scheduler stops for good when it hangs, for debugging"},
    {"emu_mode", "1", 0, Severity::warning, "this is for emulators"},
    {"disable_cu", "set", 0, Severity::warning, "some of the GPU's compute units are switched off"},
    {"ip_block_mask", "not", 0xffffffff, Severity::note, "parts of the GPU are switched off"},
    {"cwsr_enable", "0", 0, Severity::note,
     "a running kernel cannot be interrupted: while it runs, nothing else gets the GPU"},
};

std::optional<std::uint64_t> number_in(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool hurts(const Option& option, std::string_view value) {
  const auto number = number_in(value);
  if (option.bad == "not") return number && *number != option.good;
  if (option.bad == "set") return !value.empty() && value != "(null)" && !value.starts_with('-') && number != 0U;
  return value == option.bad;
}

// Where each parameter has a value that hurts, by its name.
class Places {
 public:
  void add(std::string_view name, std::string_view value, const std::string& where) {
    const auto* option = std::ranges::find(k_options, name, &Option::name);
    if (option == std::end(k_options) || !hurts(*option, value)) return;
    std::string& places = places_[option - std::begin(k_options)];
    places += fmt::format("{}{}={} in {}", places.empty() ? "" : "; ", name, printable(value), printable(where));
  }
  // "name=value"
  void add_word(std::string_view word, const std::string& where) {
    const auto equals = word.find('=');
    if (equals != std::string_view::npos) add(word.substr(0, equals), word.substr(equals + 1), where);
  }
  std::vector<Finding> findings() const {
    std::vector<Finding> found;
    for (const auto& [index, places] : places_) {
      const Option& option = k_options[index];
      found.push_back({fmt::format("driver.{}", option.name), option.severity,
                       fmt::format("amdgpu.{}: {}.", option.name, option.sentence), places,
                       "remove the option where it is set, then boot again", std::string(k_source)});
    }
    return found;
  }

 private:
  std::map<std::ptrdiff_t, std::string> places_;
};

// Lines "options amdgpu name=value ...".
void read_options(RootedFiles& files, const std::string& path, Places& places) {
  std::istringstream lines(files.read(path).value_or(""));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string word, module;
    if (!(words >> word >> module) || word != "options" || module != "amdgpu") continue;
    while (words >> word) places.add_word(word, fmt::format("{}:{}", path, number));
  }
}

}  // namespace

std::vector<Finding> examine_driver_options(const std::string& root) {
  RootedFiles files(root);
  Places places;
  for (const Option& option : k_options) {
    const std::string path = fmt::format("/sys/module/amdgpu/parameters/{}", option.name);
    places.add(option.name, files.first_line(path), path);
  }
  // As modprobe.d(5): the same name in an earlier folder hides the file.
  std::map<std::string, std::string> by_name;
  for (const char* folder :
       {"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"}) {
    for (const std::string& name : files.list(folder)) {
      if (name.ends_with(".conf")) by_name.try_emplace(name, fmt::format("{}/{}", folder, name));
    }
  }
  for (const auto& [name, path] : by_name) read_options(files, path, places);
  constexpr std::string_view k_prefix = "amdgpu.";
  std::istringstream words(files.read("/proc/cmdline").value_or(""));
  for (std::string word; words >> word;) {
    if (word.starts_with(k_prefix)) places.add_word(std::string_view(word).substr(k_prefix.size()), "/proc/cmdline");
  }
  return places.findings();
}

}  // namespace convoy
