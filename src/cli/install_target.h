// Where `convoy install`, `uninstall` and `status` work: this machine or an image, for the system or for one user.
#pragma once

#include <string>
#include <vector>

#include "install/plan.h"
#include "install/tree.h"

namespace convoy {

struct InstallTarget {
  std::string root;  // "" for this machine
  InstallPlaces places;
};

// An Error: there is no home folder, or it is somebody else's.
Result<InstallTarget> install_target(InstallScope scope, const std::string& root);
// An Error, before anything is touched: only root may change the system.
Result<void> check_rights(const InstallTarget& target);
// An Error: this machine's systemd is to run as root what somebody else can change.
Result<void> check_program(const InstallTarget& target, const std::string& program);
// An Error: somebody else's logins cannot be changed from this user's home.
Result<void> check_users(const InstallTarget& target, const std::vector<std::string>& names);
// What the package convoy-system has in its stead; "" where it is not installed.
std::string file_of_package(const std::string& root);

Surroundings surroundings_of(InstallTree& tree, const InstallTarget& target);

// The program as it is called in the target: PREFIX/bin/convoy, or this one for an empty prefix. An Error: it is not there.
Result<std::string> program_in(const std::string& root, const std::string& prefix);
// libconvoy_miopen.so that belongs to that program, as called in the target.
Result<std::string> library_in(const std::string& root, const std::string& program);

// Of any length, without bytes that could drive a terminal: paths and what lists of images say.
std::string on_terminal(std::string text);

}  // namespace convoy
