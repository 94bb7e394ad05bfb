// What has to change for a plan, or to have the former state back: decided from the manifest and from what is there now, without
// changing anything. A file that somebody has changed since is left alone, and why is said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "install/manifest.h"

namespace convoy {

struct FileChange {
  enum class Kind { none, write, remove, left_alone };
  Kind kind = Kind::none;
  std::string path;
  std::string reason;                  // who reads the file, or why it is left alone
  std::optional<FileState> now, next;  // nullopt: no file
  std::optional<ManifestEntry> entry;  // what the manifest shall say then; nullopt: nothing
};

// `manifest`: of what is installed. Files of it that are no longer planned get their former state back.
std::vector<FileChange> changes_to_install(InstallTree& tree, const InstallPlaces& places,
                                           const std::vector<PlannedFile>& plan,
                                           const std::optional<Manifest>& manifest);
std::vector<FileChange> changes_to_uninstall(InstallTree& tree, const InstallPlaces& places, const Manifest& manifest);

enum class InstalledState { as_written, changed, missing, unreadable };
std::string_view name_of(InstalledState state);
InstalledState state_of(InstallTree& tree, const ManifestEntry& entry);

}  // namespace convoy
