// Implementation of plan.h. A new file is a template, a row here, and a row in system/README.md and docs/install.md.
#include "install/plan.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

#include "install/block.h"
#include "system_templates.h"

namespace convoy {
namespace {

constexpr std::string_view k_systemd = "/etc/systemd";
constexpr std::string_view k_unit_file = ".service.d/60-convoy.conf";

constexpr std::string_view k_system_files[] = {
    "/etc/profile.d/convoy.sh",
    "/etc/profile.d/convoy-preload.sh",
    "/etc/zsh/zprofile",
    "/etc/fish/conf.d/convoy.fish",
    "/etc/systemd/system-environment-generators/60-convoy",
    "/etc/systemd/user-environment-generators/60-convoy",
    "/etc/systemd/system/convoy-environment.service",
    "/etc/udev/rules.d/60-convoy.rules",
    "/etc/convoy/container-entrypoint",
};
constexpr std::string_view k_home_files[] = {"/.profile", "/.bash_profile", "/.bash_login", "/.zprofile"};
constexpr std::string_view k_config_files[] = {
    "/fish/conf.d/convoy.fish",
    "/convoy/session-environment",
    "/systemd/user/convoy-session.service",
    "/systemd/user/basic.target.d/60-convoy.conf",
};

using Replacement = std::pair<std::string_view, std::string_view>;

std::string filled(std::string_view text, std::initializer_list<Replacement> replacements) {
  std::string result(text);
  for (const auto& [mark, value] : replacements) {
    for (std::size_t at = result.find(mark); at != std::string::npos; at = result.find(mark, at + value.size())) {
      result.replace(at, mark.size(), value);
    }
  }
  return result;
}

// systemd's, less what would need escaping in a file's name.
bool is_unit_name(std::string_view name) {
  const auto right = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view(":-_.@").find(c) != std::string_view::npos;
  };
  // Of a unit that is no service nobody would read what is written.
  constexpr std::string_view k_others[] = {".socket", ".device", ".mount", ".automount", ".swap",   ".target",
                                           ".path",   ".timer",  ".slice", ".scope",     ".service"};
  const bool other = std::ranges::any_of(k_others, [name](std::string_view end) { return name.ends_with(end); });
  return !name.empty() && name.size() <= 200 && std::string_view(".-@").find(name.front()) == std::string_view::npos &&
         !other && std::ranges::all_of(name, right);
}

// Debian's and the shadow suite's.
bool is_user_name(std::string_view name) {
  const auto right = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 32 && name.front() != '-' && std::ranges::all_of(name, right);
}

Result<void> check_path(std::string_view what, std::string_view path) {
  const auto hostile = [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f ||
           std::string_view("'\"\\%$`").find(c) != std::string_view::npos;
  };
  if (path.starts_with('/') && std::ranges::none_of(path, hostile)) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("the {} must have an absolute path without quotes, \\, %, $ and control characters", what));
}

std::string unit_folder(const InstallPlaces& places) {
  return places.scope == InstallScope::system ? fmt::format("{}/system", k_systemd) : places.config + "/systemd/user";
}

std::string unit_file(const InstallPlaces& places, std::string_view unit) {
  return fmt::format("{}/{}{}", unit_folder(places), unit, k_unit_file);
}

// Fills templates in and keeps them.
class Planner {
 public:
  Planner(const InstallPlaces& places, const InstallOptions& options) : places_(places), options_(options) {
    if (!options.strategy.empty()) strategy_ = " --strategy " + options.strategy;
  }

  void add(std::string path, std::string_view text, unsigned mode, std::string reason) {
    files_.push_back({std::move(path), fill(text), mode, false, std::move(reason)});
  }
  void add_block(std::string path, std::string_view text, std::string reason) {
    files_.push_back({std::move(path), as_block(fill(text)), 0644, true, std::move(reason)});
  }
  void add_units() {
    for (const std::string& unit : options_.preload_units) {
      add(unit_file(places_, unit), k_preload_unit_conf_in, 0644, fmt::format("Convoy in front of MIOpen in {}", unit));
    }
  }
  std::string fill(std::string_view text) const {
    std::string users;
    for (const std::string& user : options_.preload_users) users += (users.empty() ? "'" : " | '") + user + "'";
    return filled(text, {{"@CONVOY_PROGRAM@", options_.program},
                         {"@CONVOY_STRATEGY_OPTION@", strategy_},
                         {"@CONVOY_SYSTEMD_FOLDER@", k_systemd},
                         {"@CONVOY_LIBRARY@", options_.library},
                         {"@CONVOY_USERS@", users}});
  }
  std::vector<PlannedFile> take() { return std::move(files_); }

 private:
  const InstallPlaces& places_;
  const InstallOptions& options_;
  std::string strategy_;
  std::vector<PlannedFile> files_;
};

void plan_system(Planner& planner, const InstallOptions& options, const Surroundings& surroundings) {
  planner.add("/etc/profile.d/convoy.sh", k_profile_sh_in, 0644, "login shells");
  if (surroundings.zsh) planner.add_block("/etc/zsh/zprofile", k_profile_sh_in, "login shells that are zsh");
  if (surroundings.fish)
    planner.add("/etc/fish/conf.d/convoy.fish", k_profile_fish_in, 0644, "login shells that are fish");
  planner.add("/etc/systemd/system-environment-generators/60-convoy", k_system_environment_generator_in, 0755,
              "services");
  planner.add("/etc/systemd/user-environment-generators/60-convoy", k_user_environment_generator_in, 0755,
              "desktop sessions and services of users");
  planner.add("/etc/systemd/system/convoy-environment.service", k_convoy_environment_service_in, 0644,
              "asks again for services");
  planner.add("/etc/udev/rules.d/60-convoy.rules", k_convoy_rules_in, 0644,
              "starts that when an AMD GPU's driver has come");
  planner.add("/etc/convoy/container-entrypoint", k_container_entrypoint_in, 0755, "an entry point for images");
  if (!options.preload_users.empty()) {
    planner.add("/etc/profile.d/convoy-preload.sh", k_preload_sh_in, 0644,
                "Convoy in front of MIOpen for the users named");
  }
}

void plan_user(Planner& planner, const InstallPlaces& places, const InstallOptions& options,
               const Surroundings& surroundings) {
  std::string shell(k_profile_sh_in);
  if (!options.preload_users.empty()) shell += k_preload_sh_in;
  planner.add_block(places.home + "/.profile", shell, "login shells, many display managers");
  if (surroundings.bash_profile)
    planner.add_block(places.home + "/.bash_profile", shell, "bash reads it in place of ~/.profile");
  if (surroundings.bash_login)
    planner.add_block(places.home + "/.bash_login", shell, "bash reads it in place of ~/.profile");
  if (surroundings.zsh) planner.add_block(places.home + "/.zprofile", shell, "login shells that are zsh");
  if (surroundings.fish)
    planner.add(places.config + "/fish/conf.d/convoy.fish", k_profile_fish_in, 0644, "login shells that are fish");
  planner.add(places.config + "/convoy/session-environment", k_session_environment_in, 0755, "the unit below runs it");
  planner.add(places.config + "/systemd/user/convoy-session.service", k_convoy_session_service_in, 0644,
              "desktop sessions and services of this user");
  planner.add(places.config + "/systemd/user/basic.target.d/60-convoy.conf", k_basic_target_conf_in, 0644,
              "starts the unit with each session");
}

// "/etc/systemd/system/" NAME ".service.d/60-convoy.conf"
bool is_unit_drop_in(const InstallPlaces& places, std::string_view path) {
  const std::string folder = unit_folder(places) + "/";
  if (!path.starts_with(folder) || !path.ends_with(k_unit_file)) return false;
  path.remove_prefix(folder.size());
  return path.size() > k_unit_file.size() && is_unit_name(path.substr(0, path.size() - k_unit_file.size()));
}

}  // namespace

std::string_view name_of(InstallScope scope) {
  return scope == InstallScope::system ? "system" : "user";
}

std::string InstallPlaces::state_folder() const {
  return scope == InstallScope::system ? "/var/lib/convoy" : state + "/convoy";
}

bool InstallPlaces::may_write(std::string_view path) const {
  const auto below = [path](std::string_view folder, const auto& names) {
    return path.starts_with(folder) && std::ranges::find(names, path.substr(folder.size())) != std::end(names);
  };
  if (is_unit_drop_in(*this, path)) return true;
  if (scope == InstallScope::system) return below("", k_system_files);
  return below(home, k_home_files) || below(config, k_config_files);
}

bool InstallPlaces::may_make(std::string_view folder) const {
  const std::string inside = std::string(folder) + "/";
  if (inside.size() < 2 || inside.front() != '/') return false;
  const auto leads_to = [&inside](std::string_view start, const auto& names) {
    return std::ranges::any_of(
        names, [&](std::string_view name) { return (std::string(start).append(name)).starts_with(inside); });
  };
  const bool for_a_unit = folder.ends_with(".d") && is_unit_drop_in(*this, inside + "60-convoy.conf");
  if (for_a_unit || (state_folder() + "/backup/").starts_with(inside) || (unit_folder(*this) + "/").starts_with(inside))
    return true;
  if (scope == InstallScope::system) return leads_to("", k_system_files);
  return leads_to(home, k_home_files) || leads_to(config, k_config_files);
}

Result<void> check_options(const InstallOptions& options) {
  CONVOY_CHECK(check_path("program", options.program));
  if (!options.library.empty()) {
    CONVOY_CHECK(check_path("library", options.library));
    if (options.library.find_first_of(" :") != std::string::npos) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("LD_PRELOAD takes no spaces and colons, but {} has them; install Convoy elsewhere",
                              options.library));
    }
  }
  for (const std::string& name : options.preload_users) {
    if (!is_user_name(name)) return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no user's name", name));
  }
  for (const std::string& name : options.preload_units) {
    if (!is_unit_name(name))
      return fail(ErrorCode::invalid_argument,
                  fmt::format("'{}' is no service's name; give it without .service", name));
  }
  const bool word = std::ranges::all_of(options.strategy, [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); });
  if (!word) return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no strategy", options.strategy));
  return {};
}

std::vector<PlannedFile> plan_install(const InstallPlaces& places, const InstallOptions& options,
                                      const Surroundings& surroundings) {
  Planner planner(places, options);
  if (places.scope == InstallScope::system) {
    plan_system(planner, options, surroundings);
  } else {
    plan_user(planner, places, options, surroundings);
  }
  planner.add_units();
  return planner.take();
}

}  // namespace convoy
