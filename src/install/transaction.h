// Carries changes out so that an interruption leaves every file as it was or as it shall be, and the next run can finish or undo
// the rest. The order is what makes that true:
//   1. the manifest with the intent: what each file was, and every text of ours that may stand there from now on;
//   2. backups; a file is only replaced when all are on the disk;
//   3. folders, then files, one rename each;
//   4. the manifest as complete, or none; then what is needed no longer: backups, empty folders.
// A failure that leaves us alive is undone at once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "install/changes.h"

namespace convoy {

struct InstallLabel {
  std::string version, program, strategy;
};

// True: install() or uninstall() would change a file or the manifest.
bool is_work(const std::vector<FileChange>& changes, const std::optional<Manifest>& manifest,
             const InstallLabel& label);

// Both give what they have done. An Error: everything is as it was before, or its message says that it is not.
Result<std::vector<FileChange>> install(InstallTree& tree, const InstallPlaces& places,
                                        const std::vector<PlannedFile>& plan, const InstallLabel& label);
// Where nothing is installed, what an interrupted run has left is removed.
Result<std::vector<FileChange>> uninstall(InstallTree& tree, const InstallPlaces& places);

}  // namespace convoy
