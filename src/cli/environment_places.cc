// The places, and who reads them.
#include "cli/environment_places.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/setting_value.h"
#include "cli/environment_units.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

struct Place {
  std::string_view path;    // ~ is the home folder
  std::string_view suffix;  // not empty: a folder, of which files with this ending are read
  ReadEnvironmentText read;
  std::string_view reader;
};

constexpr Place k_places[] = {
    {"/etc/environment", "", read_pam_text, "logins"},
    {"/usr/lib/environment.d", ".conf", read_plain_text, "systemd user sessions"},
    {"/etc/environment.d", ".conf", read_plain_text, "systemd user sessions"},
    {"~/.config/environment.d", ".conf", read_plain_text, "systemd user sessions"},
    {"/etc/profile", "", read_shell_text, "login shells"},
    {"/etc/profile.d", ".sh", read_shell_text, "login shells"},
    {"/etc/bash.bashrc", "", read_shell_text, "interactive shells"},
    {"/etc/bashrc", "", read_shell_text, "interactive shells"},
    {"~/.profile", "", read_shell_text, "login shells"},
    {"~/.bash_profile", "", read_shell_text, "login shells"},
    {"~/.bash_login", "", read_shell_text, "login shells"},
    {"~/.bashrc", "", read_shell_text, "interactive shells"},
    {"/etc/zsh/zshenv", "", read_shell_text, "zsh"},
    {"/etc/zshenv", "", read_shell_text, "zsh"},
    {"/etc/zsh/zprofile", "", read_shell_text, "login shells"},
    {"/etc/zsh/zshrc", "", read_shell_text, "interactive shells"},
    {"~/.zshenv", "", read_shell_text, "zsh"},
    {"~/.zprofile", "", read_shell_text, "login shells"},
    {"~/.zshrc", "", read_shell_text, "interactive shells"},
    {"~/.zlogin", "", read_shell_text, "login shells"},
    {"/etc/fish/conf.d", ".fish", read_fish_text, "fish"},
    {"/etc/fish/config.fish", "", read_fish_text, "fish"},
    {"~/.config/fish/conf.d", ".fish", read_fish_text, "fish"},
    {"~/.config/fish/config.fish", "", read_fish_text, "fish"},
    {"~/.config/fish/fish_variables", "", read_fish_variables, "fish, set -Ux"},
    {"/etc/systemd/system.conf", "", read_manager_text, "services"},
    {"/usr/lib/systemd/system.conf.d", ".conf", read_manager_text, "services"},
    {"/etc/systemd/system.conf.d", ".conf", read_manager_text, "services"},
    {"/etc/systemd/user.conf", "", read_manager_text, "services of users"},
    {"/usr/lib/systemd/user.conf.d", ".conf", read_manager_text, "services of users"},
    {"/etc/systemd/user.conf.d", ".conf", read_manager_text, "services of users"},
};

// Units of one manager, the strongest folder first: "Unit File Load Path" of systemd.unit(5), quadlets: podman-systemd.unit(5).
struct UnitPlace {
  std::array<std::string_view, 7> folders;
  std::string_view suffix;
  ReadEnvironmentText read;
  std::string_view reader;
};

constexpr UnitPlace k_unit_places[] = {
    {{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
      "/lib/systemd/system"},
     ".service",
     read_service_text,
     "system service"},
    {{"~/.config/systemd/user", "/etc/systemd/user", "/run/systemd/user", "~/.local/share/systemd/user",
      "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"},
     ".service",
     read_service_text,
     "user service"},
    {{"/run/containers/systemd", "/etc/containers/systemd", "/usr/share/containers/systemd"},
     ".container",
     read_quadlet_text,
     "system container"},
    {{"~/.config/containers/systemd", "/etc/containers/systemd/users"},
     ".container",
     read_quadlet_text,
     "user container"},
};

constexpr std::string_view k_compose_files[] = {
    "compose.yaml",          "compose.yml",          "docker-compose.yaml",          "docker-compose.yml",
    "compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml", "docker-compose.override.yml"};
constexpr std::string_view k_image_files[] = {"Dockerfile", "Containerfile"};

constexpr std::uint64_t k_file_limit = 65536;
constexpr std::size_t k_most_files = 256;         // of one folder
constexpr std::size_t k_most_unit_files = 16;     // that one service names
constexpr std::size_t k_most_prefixes = 64;       // of conda
constexpr std::size_t k_most_assignments = 4096;  // of all files

bool has_section(std::string_view text, std::string_view section) {
  const auto at = text.find(section);
  return at != std::string_view::npos && (at == 0 || text[at - 1] == '\n');
}

// For a file that was named: what its name says, else what stands in it.
ReadEnvironmentText reader_of(const std::string& path, std::string_view text) {
  const std::string name = last_name(path);
  if (name.ends_with(".fish")) return read_fish_text;
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return read_compose_text;
  if (name.starts_with("Dockerfile") || name.starts_with("Containerfile") || name.ends_with(".dockerfile")) {
    return read_dockerfile_text;
  }
  if (name.ends_with(".json")) return read_conda_variables;
  if (has_section(text, "[Container]")) return read_quadlet_text;
  if (has_section(text, "[Service]")) return read_service_text;
  if (has_section(text, "[Manager]")) return read_manager_text;
  if (name.ends_with(".env") || name.ends_with(".conf") || name == "environment") return read_pam_text;
  return read_shell_text;
}

class Reader {
 public:
  Reader(const EnvironmentSearch& search, const std::function<bool(std::string_view)>& wanted)
      : root_(search.root), home_(search.home), wanted_(wanted) {}

  void read(const Place& place) {
    const std::string path = expanded(place.path);
    if (path.empty()) return;
    if (place.suffix.empty()) return read_alone(path, place.read, place.reader);
    read_folder(path, place.suffix, place.read, place.reader);
  }

  void read_units(const UnitPlace& place) {
    std::vector<std::string> folders;
    for (const std::string_view folder : place.folders) {
      if (std::string path = expanded(folder); !path.empty()) folders.push_back(std::move(path));
    }
    for (const UnitFiles& unit : find_units(root_, folders, place.suffix)) read_unit(unit, place);
  }

  void read_conda(const std::string& prefix) {
    const std::string reader = "conda environment " + printable(prefix);
    read_folder(prefix + "/etc/conda/env_vars.d", ".json", read_conda_variables, reader);
    read_alone(prefix + "/conda-meta/state", read_conda_state, reader);
    read_folder(prefix + "/etc/conda/activate.d", ".sh", read_shell_text, reader);
    read_folder(prefix + "/etc/conda/activate.d", ".fish", read_fish_text, reader);
  }

  // The environments that conda has noted for this user.
  std::vector<std::string> noted_prefixes() {
    std::vector<std::string> prefixes;
    const std::string list = expanded("~/.conda/environments.txt");
    const std::string text = list.empty() ? "" : root_.read(list, k_file_limit).value_or("");
    for (std::string_view rest = text; !rest.empty() && prefixes.size() < k_most_prefixes;) {
      const auto end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = trimmed(rest.substr(0, end));
      if (line.starts_with('/')) prefixes.emplace_back(line);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return prefixes;
  }

  void read_project(const std::string& folder) {
    for (const std::string_view name : k_compose_files) {
      read_alone(fmt::format("{}/{}", folder, name), read_compose_text, "containers that compose starts here");
    }
    for (const std::string_view name : k_image_files) {
      read_alone(fmt::format("{}/{}", folder, name), read_dockerfile_text, "images built here");
    }
  }

  void read_named(const std::string& path) {
    const auto text = root_.read(path, k_file_limit);
    if (text) read_alone(path, reader_of(path, *text), "named with --also");
  }

  EnvironmentFiles take() {
    std::ranges::move(root_.take_notes(), std::back_inserter(files_.unread));
    return std::move(files_);
  }

 private:
  // Empty where it is somebody's home, and nobody's is known.
  std::string expanded(std::string_view path) const {
    if (!path.starts_with('~')) return std::string(path);
    return home_.starts_with('/') ? home_ + std::string(path.substr(1)) : std::string();
  }

  void read_folder(const std::string& folder, std::string_view suffix, ReadEnvironmentText how,
                   std::string_view reader) {
    std::size_t count = 0;
    for (const std::string& name : root_.list(folder)) {
      if (!name.ends_with(suffix)) continue;
      if (++count > k_most_files) return root_.note(folder, fmt::format("only {} files of it are read", k_most_files));
      read_alone(fmt::format("{}/{}", folder, name), how, reader);
    }
  }

  // What it adds to `so_far` is marked as its.
  void read_into(const std::string& path, ReadEnvironmentText how, EnvironmentText& so_far) {
    const auto content = root_.read(path, k_file_limit);
    if (!content) return;
    how(*content, so_far);
    for (EnvironmentAssignment& one : so_far.assignments) {
      if (one.file.empty()) one.file = path;
    }
    for (DetectNote& note : so_far.notes) root_.note(path, note.text);
    so_far.notes.clear();
  }

  void read_alone(const std::string& path, ReadEnvironmentText how, std::string_view reader) {
    EnvironmentText text;
    read_into(path, how, text);
    keep(std::move(text), path, reader);
  }

  // One scope: the unit, its drop-ins, and over them the files that it names.
  void read_unit(const UnitFiles& unit, const UnitPlace& place) {
    EnvironmentText text;
    for (const std::string& file : unit.files) read_into(file, place.read, text);
    std::vector<std::string> named = std::move(text.files);
    if (named.size() > k_most_unit_files) {
      root_.note(unit.files.back(), fmt::format("only {} of the files that it names are read", k_most_unit_files));
      named.resize(k_most_unit_files);
    }
    for (const std::string& file : named) read_into(file, read_plain_text, text);
    for (const std::string& gone : text.unset) {
      std::erase_if(text.assignments, [&](const EnvironmentAssignment& one) {
        return gone == one.name || gone == one.name + "=" + one.value;
      });
    }
    const std::string reader = fmt::format("{} {}", place.reader, printable(unit.name));
    keep(std::move(text), reader, reader);
  }

  void keep(EnvironmentText&& text, const std::string& scope, std::string_view reader) {
    for (EnvironmentAssignment& one : text.assignments) {
      if (!wanted_(one.name)) continue;
      if (files_.assignments.size() >= k_most_assignments) {
        return root_.note(one.file, fmt::format("only {} variables of all files are read", k_most_assignments));
      }
      one.scope = one.block == 0 ? scope : fmt::format("{}:{}", scope, one.block);
      one.reader = reader;
      files_.assignments.push_back(std::move(one));
    }
  }

  RootedFiles root_;
  std::string home_;
  const std::function<bool(std::string_view)>& wanted_;
  EnvironmentFiles files_;
};

}  // namespace

std::string EnvironmentAssignment::place() const {
  return fmt::format("{}:{} ({})", printable(file), line, reader);
}

EnvironmentFiles read_environment_files(const EnvironmentSearch& search,
                                        const std::function<bool(std::string_view name)>& wanted) {
  Reader reader(search, wanted);
  for (const Place& place : k_places) reader.read(place);
  for (const UnitPlace& place : k_unit_places) reader.read_units(place);
  std::vector<std::string> prefixes = search.conda_prefixes;
  std::ranges::move(reader.noted_prefixes(), std::back_inserter(prefixes));
  std::ranges::sort(prefixes);
  prefixes.erase(std::ranges::unique(prefixes).begin(), prefixes.end());
  for (const std::string& prefix : prefixes) reader.read_conda(prefix);
  if (search.project.starts_with('/')) reader.read_project(search.project);
  for (const std::string& path : search.also) reader.read_named(path);
  return reader.take();
}

}  // namespace convoy
