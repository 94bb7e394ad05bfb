// Where `convoy install`, `uninstall` and `status` work: this machine or an image, for the system or for one user.
#pragma once

#include <string>

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

Surroundings surroundings_of(InstallTree& tree, const InstallTarget& target);

// The program as it is called in the target: PREFIX/bin/convoy, or this one for an empty prefix. An Error: it is not there.
Result<std::string> program_in(const std::string& root, const std::string& prefix);
// libconvoy_miopen.so that belongs to that program, as called in the target.
Result<std::string> library_in(const std::string& root, const std::string& program);

}  // namespace convoy
