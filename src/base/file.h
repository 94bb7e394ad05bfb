// Files that other people can touch: nothing here follows a link in its last component unless it says so, and nothing
// leaves half a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace convoy {

// Whole file, at most `limit` bytes (an Error beyond, naming both numbers). Directories and devices are refused.
Result<std::string> read_file(const std::string& path, std::uint64_t limit);

// The same for a file that people write for us: links are followed (dotfiles are often links), but the file must belong to
// us or to root and must not be writable by everyone. nullopt: there is no such file.
Result<std::optional<std::string>> read_configuration(const std::string& path, std::uint64_t limit);

// Writes a temporary beside `path`, fsyncs, renames: readers see the former or the new content. Mode as given,
// whatever the umask. A link at `path` is replaced, not followed.
Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode = 0644);

// The same for a file that must not be there yet: whatever has that name stays, a link too, and is an Error.
Result<void> write_new_file_atomically(const std::string& path, std::string_view content, unsigned mode = 0644);

// Creates `path` and its missing parents (0700 for what is created). An Error when the last component is a link, not a
// directory, not ours, or writable by anybody else.
Result<void> make_private_folder(const std::string& path);

// True on file systems where SQLite's WAL and byte-range locks are not to be trusted (NFS, SMB, Lustre, Ceph, GPFS, AFS, FUSE...),
// and where that cannot be found out. A missing `path` counts as its nearest existing parent.
bool on_network_filesystem(const std::string& path);

}  // namespace convoy
