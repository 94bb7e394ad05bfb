// All variables of the process, for those who do not ask for one by its name.
#pragma once

namespace convoy {

// "NAME=value" entries, ended by a null pointer; never null itself. The process's own array: another thread's setenv may replace it.
// Not `environ`: where our symbols are bound among themselves (RTLD_DEEPBIND, see ARCHITECTURE.md), that names the copy in libc,
// which stays empty when the program has one of its own, as interpreters and shells do.
const char* const* environment_entries();

}  // namespace convoy
