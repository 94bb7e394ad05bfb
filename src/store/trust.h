// Whose machine code may run in this process. A wrong find result costs time; wrong machine code is somebody else's program
// in ours, so a file that others could have written may be read for decisions, but never for code.
#pragma once

#include <string>

namespace convoy {

enum class CodeOwner { user_or_root, root_alone };

// Why machine code from the database at `path` is not to be used; empty when nobody else can have written it. For
// `root_alone` all folders above count too: who may rename one of them chooses what lies at `path`.
std::string why_code_distrusted(const std::string& path, CodeOwner owner);

}  // namespace convoy
