// What `convoy install` writes where: templates of system/ filled in, and the places that it may write at all. Pure: what there is
// on the machine is handed in. No file holds a card's settings: all ask `convoy env` when they are read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace convoy {

enum class InstallScope { system, user };
std::string_view name_of(InstallScope scope);

// Where an installation may write.
struct InstallPlaces {
  InstallScope scope = InstallScope::system;
  std::string home;    // of the user; these three are unused for the system
  std::string config;  // $XDG_CONFIG_HOME or ~/.config
  std::string state;   // $XDG_STATE_HOME or ~/.local/state

  // Of the manifest and the backups: /var/lib/convoy, ~/.local/state/convoy.
  std::string state_folder() const;
  // True for each path that plan_install() can name. A manifest is believed about no other.
  bool may_write(std::string_view path) const;
  // True for the folders on the way to these files and to the state folder.
  bool may_make(std::string_view folder) const;
};

struct InstallOptions {
  std::string program;   // absolute, as somebody in the tree would call it
  std::string strategy;  // empty: as `convoy env` chooses
  std::string library;   // libconvoy_miopen.so, needed for preloading only
  std::vector<std::string> preload_users, preload_units;
};
// An Error for what would not mean itself in a shell or a unit: quotes, %, $, control characters, names that are none.
Result<void> check_options(const InstallOptions& options);

// What decides which files are worth writing.
struct Surroundings {
  bool fish = false;  // there is a folder of fish's settings
  bool zsh = false;   // system: /etc/zsh/zprofile is there and does not read /etc/profile itself; user: ~/.zprofile is
                      // there, or zsh is the login shell
  bool bash_profile = false;  // ~/.bash_profile is there; bash then never reads ~/.profile
  bool bash_login = false;    // the same for ~/.bash_login
};

struct PlannedFile {
  std::string path;
  std::string content;  // of the file, or of a marked block in it
  unsigned mode = 0644;
  bool block = false;
  std::string reason;  // who reads it: "login shells"
};
std::vector<PlannedFile> plan_install(const InstallPlaces& places, const InstallOptions& options,
                                      const Surroundings& surroundings);

}  // namespace convoy
