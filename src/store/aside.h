// Moves an unusable database file out of the way, with its journal files, keeping few such files.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace convoy {

struct Aside {
  std::string suffix;     // "corrupt-1700000000": `path` becomes `path`.`suffix`
  int kept = 1;           // so many files set aside remain, this one included
  std::string successor;  // a complete file that takes the place in the same step, unless empty
};
Result<void> set_aside(const std::string& path, const Aside& aside);

// An exclusive lock among processes on `path`.lock, held until the descriptor closes.
Result<Descriptor> take_repair_lock(const std::string& path, std::chrono::milliseconds patience);

// Why `path` cannot be a database file of ours (a link, a folder, a device); empty for a plain file or none
// at all.
std::string why_not_plain(const std::string& path);

}  // namespace convoy
