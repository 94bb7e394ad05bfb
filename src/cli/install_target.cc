// Implementation of install_target.h.
#include "cli/install_target.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "base/own_folder.h"
#include "base/settings.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_zsh_profile = "/etc/zsh/zprofile";

Result<std::string> home_folder(const std::string& root) {
  std::string home = Settings::environment("HOME");
  if (home.empty()) {
    const passwd* entry = ::getpwuid(::geteuid());
    if (entry != nullptr) home = entry->pw_dir;
  }
  if (!home.starts_with('/') || home == "/") {
    return fail(ErrorCode::invalid_argument, fmt::format("HOME is '{}', which is no home folder; set it", home));
  }
  struct stat status {};
  const std::string on_host = root + home;
  if (::stat(on_host.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::io, fmt::format("{}: there is no such folder; set HOME", on_host));
  }
  if (root.empty() && status.st_uid != ::geteuid()) {
    return fail(ErrorCode::io, fmt::format("{} belongs to user {}, this is user {}: call it as that user, without sudo",
                                           home, status.st_uid, ::geteuid()));
  }
  // On the way to a home links are common (/home -> /usr/home); from there on none is followed.
  std::error_code error;
  const std::string real =
      root.empty() ? fs::canonical(home, error).string() : fs::path(home).lexically_normal().string();
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", home, error.message()));
  return real.ends_with('/') ? real.substr(0, real.size() - 1) : real;
}

// `home`: where links have led from HOME, so that a folder that is said to be below HOME is below it.
std::string folder_or(const char* variable, const std::string& home, const std::string& otherwise) {
  std::string folder = Settings::environment(variable), called = Settings::environment("HOME");
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  while (called.size() > 1 && called.ends_with('/')) called.pop_back();
  if (!called.empty() && folder.starts_with(called + "/")) folder.replace(0, called.size(), home);
  return folder.starts_with('/') && folder.size() > 1 ? folder : home + otherwise;
}

// A line that is more than a comment; some distributions' zsh reads /etc/profile by itself.
bool reads_profile(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto begin = line.find_first_not_of(" \t");
    if (begin != std::string_view::npos && line[begin] != '#' && line.find("/etc/profile") != std::string_view::npos)
      return true;
  }
  return false;
}

// What cannot be read counts as there: the change then says why not.
bool has_file(InstallTree& tree, const std::string& path) {
  const auto file = tree.read(path);
  return !file || file->has_value();
}

bool has_folder(InstallTree& tree, const std::string& path) {
  const auto there = tree.has_folder(path);
  return !there || *there;
}

bool login_shell_is_zsh() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr && entry->pw_shell != nullptr && std::string_view(entry->pw_shell).ends_with("/zsh");
}

// As somebody in the root would find it; links are followed as they are there, but one must not lead out of it.
bool is_file(const std::string& root, const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(root + path, error);
}

}  // namespace

Result<InstallTarget> install_target(InstallScope scope, const std::string& root) {
  InstallTarget target;
  target.root = root;
  target.places.scope = scope;
  if (scope == InstallScope::system) return target;
  CONVOY_TRY(target.places.home, home_folder(root));
  target.places.config = folder_or("XDG_CONFIG_HOME", target.places.home, "/.config");
  target.places.state = folder_or("XDG_STATE_HOME", target.places.home, "/.local/state");
  return target;
}

Result<void> check_rights(const InstallTarget& target) {
  if (target.places.scope == InstallScope::user || !target.root.empty() || ::geteuid() == 0) return {};
  return fail(ErrorCode::invalid_argument,
              "only root may change the system; call it with sudo, or give --user to change your own sessions alone");
}

Result<void> check_program(const InstallTarget& target, const std::string& program) {
  if (target.places.scope == InstallScope::user || !target.root.empty()) return {};
  struct stat top {};
  std::error_code error;
  fs::path place = fs::canonical(program, error);
  if (error || ::stat("/", &top) != 0) return fail(ErrorCode::io, fmt::format("{}: cannot inspect it", program));
  for (; place.has_relative_path(); place = place.parent_path()) {
    struct stat status {};
    if (::stat(place.c_str(), &status) != 0) return fail(ErrorCode::io, fmt::format("{}: cannot inspect it", program));
    // Whoever has / has all below it. In a sticky folder nobody replaces what is another's.
    const bool ours = status.st_uid == 0 || status.st_uid == ::geteuid() || status.st_uid == top.st_uid;
    const bool open = (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0;
    if (ours && !open) continue;
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: {}, and the system would run it as root; install Convoy where only root writes, or "
                            "give --user",
                            place.string(),
                            ours ? "everyone may write it" : "belongs to user " + std::to_string(status.st_uid)));
  }
  return {};
}

Result<void> check_users(const InstallTarget& target, const std::vector<std::string>& names) {
  const passwd* me = ::getpwuid(::geteuid());
  if (target.places.scope == InstallScope::system || !target.root.empty() || me == nullptr) return {};
  for (const std::string& name : names) {
    if (name != me->pw_name) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("--preload user:{}: --user changes the logins of {} alone; give --system", name, me->pw_name));
    }
  }
  return {};
}

std::string file_of_package(const std::string& root) {
  std::string file = root + "/usr/lib/systemd/system-environment-generators/60-convoy";
  return ::access(file.c_str(), F_OK) == 0 ? file : "";
}

Surroundings surroundings_of(InstallTree& tree, const InstallTarget& target) {
  Surroundings result;
  if (target.places.scope == InstallScope::system) {
    result.fish = has_folder(tree, "/etc/fish");
    const auto zsh = tree.read(k_zsh_profile);
    result.zsh = !zsh || (*zsh && !reads_profile((*zsh)->content));
    return result;
  }
  const InstallPlaces& places = target.places;
  result.fish = has_folder(tree, places.config + "/fish");
  result.bash_profile = has_file(tree, places.home + "/.bash_profile");
  result.bash_login = has_file(tree, places.home + "/.bash_login");
  result.zsh = has_file(tree, places.home + "/.zprofile") || (target.root.empty() && login_shell_is_zsh());
  return result;
}

Result<std::string> program_in(const std::string& root, const std::string& prefix) {
  const std::string folder = prefix.empty() ? own_folder() : (fs::path(prefix) / "bin").lexically_normal().string();
  const std::string program = folder + "/convoy";
  if (folder.starts_with('/') && is_file(root, program)) return program;
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}{} is not there; install Convoy there, or say with --prefix where it is{}", root, program,
                          root.empty() ? "" : " in the root"));
}

Result<std::string> library_in(const std::string& root, const std::string& program) {
  const fs::path folder = fs::path(program).parent_path();
  std::string looked;
  // As built, as installed.
  for (const fs::path& place : {folder, folder / ".." / CONVOY_LIBRARY_FOLDER}) {
    const std::string library = (place / "libconvoy_miopen.so").lexically_normal().string();
    if (is_file(root, library)) return library;
    looked += (looked.empty() ? "" : ", ") + root + library;
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("--preload: libconvoy_miopen.so is not installed; looked for {}", looked));
}

std::string on_terminal(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace convoy
