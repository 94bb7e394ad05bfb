// A program that takes this one's place at the terminal for a while: same process group, same streams, same signals.
#pragma once

#include <string>
#include <vector>

namespace convoy {

struct ProgramEnd {
  int status = 0;       // its exit status, when the others are 0
  int signal = 0;       // that ended it
  int start_error = 0;  // errno: it could not be started
};

// Runs argv (PATH is searched) and waits for its end. Meanwhile SIGINT, SIGTERM, SIGHUP and SIGQUIT do not end this process:
// those of the terminal reach the program by themselves, others are passed on. Call it while there is only one thread.
ProgramEnd run_in_foreground(std::vector<std::string> argv);

}  // namespace convoy
