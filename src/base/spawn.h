// The start of a Subprocess: channels, and posix_spawn with everything that a child of an unknown host
// program needs.
#pragma once

#include <sys/types.h>

#include "base/descriptor.h"
#include "base/result.h"
#include "base/subprocess.h"

namespace convoy {

struct SpawnedChild {
  pid_t pid = -1;
  Descriptor in;     // a socket: the child's stdin
  Descriptor out;    // the child's stdout, non-blocking
  Descriptor error;  // the child's stderr, non-blocking
};
Result<SpawnedChild> spawn_child(const SubprocessCommand& command);

}  // namespace convoy
