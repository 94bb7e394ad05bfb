// What an installation has written and what was there before: install.json in its state folder. It is written before the first
// file is touched and after the last, so that an interrupted run can be finished or undone. As a file it is untrusted: it must
// belong to us or root, and names only paths that we could have written.
//
//   {"format": 1, "version": "0.1.0", "complete": true, "program": "/usr/local/bin/convoy", "strategy": "",
//    "files": [{"path": "/etc/zsh/zprofile", "block": true, "mode": 420, "ours": ["<hash>"],
//               "former": {"hash": "<hash>", "mode": 420, "owner": 0, "group": 0, "modified_ns": 1700000000000000000}}],
//    "folders": ["/etc/convoy"]}
//
// What was at a path stands in backup/<hash>. Hashes are XXH3, 128 bits: they tell a change, not an attack; who can write these
// files can write the manifest, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "install/plan.h"
#include "install/tree.h"

namespace convoy {

// 32 hexadecimal digits.
std::string hash_of(std::string_view content);

struct FormerFile {
  std::string hash;
  unsigned mode = 0;
  std::uint32_t owner = 0, group = 0;
  std::int64_t modified_ns = 0;
};

struct ManifestEntry {
  std::string path;
  bool block = false;
  unsigned mode = 0;
  // Of the file, or of the block in it. While a run is not complete, what it was about to write and what the run before wrote.
  std::vector<std::string> ours;
  std::optional<FormerFile> former;  // none: there was no file

  bool is_ours(std::string_view content) const;
};

struct Manifest {
  std::string version;
  bool complete = false;
  std::string program, strategy;
  std::vector<ManifestEntry> files;
  std::vector<std::string> folders;  // that we made, parents first

  ManifestEntry* find(std::string_view path);
};

std::string manifest_path(const InstallPlaces& places);
std::string backup_path(const InstallPlaces& places, std::string_view hash);

std::string manifest_as_text(const Manifest& manifest);
// The same, but an Error where it could not be read back: too many files, a path that is not UTF-8.
Result<std::string> manifest_to_write(const Manifest& manifest, const InstallPlaces& places);
Result<Manifest> manifest_from_text(std::string_view text, const InstallPlaces& places);
// nullopt: nothing is installed.
Result<std::optional<Manifest>> read_manifest(InstallTree& tree, const InstallPlaces& places);

}  // namespace convoy
