// Compilers that come as libraries take over the process's signals: LLVM installs handlers for SIGINT, SIGTERM, SIGSEGV and
// a dozen more as soon as it owns a temporary file (llvm/lib/Support/Unix/Signals.inc; PoCL does so when it lists its devices).
// Ctrl-C then no longer reaches the program's own handler.
#pragma once

namespace convoy {

// While one lives: whatever handler a compiler library installs is taken out again at the end of the last one. Handlers that
// others install meanwhile stay. Any thread, any number at a time.
class SignalKeeper {
 public:
  SignalKeeper();
  ~SignalKeeper();
  SignalKeeper(const SignalKeeper&) = delete;
  SignalKeeper& operator=(const SignalKeeper&) = delete;
};

}  // namespace convoy
