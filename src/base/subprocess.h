// A child process: own process group, stdin from and stdout to us, stderr captured (its tail), no other descriptor of ours,
// default signal handling. posix_spawn, not fork: we live inside programs with many threads and a GPU runtime in their
// address space. posix_spawn cannot set a parent-death signal, so the child's program sees to it: die_with_parent().
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace convoy {

struct SubprocessCommand {
  std::vector<std::string> argv;  // argv[0] is an absolute path; PATH is not searched
  // "NAME=value" pairs that replace the same names of our environment in the child's.
  std::vector<std::string> environment;
};

struct SubprocessExit {
  int status = 0;  // exit status when signal == 0
  int signal = 0;  // signal that ended it, else 0
  // The host program reaps or ignores all children, ours too: how this one ended cannot be known.
  bool unknown = false;
};

// Not thread-safe: one user at a time. The destructor kills the group and reaps; it waits at most two seconds for that. In a
// process forked from ours the object is dead: it neither kills nor reaps what belongs to the parent.
class Subprocess {
 public:
  enum class ReadStatus { line, timeout, closed };

  static Result<std::unique_ptr<Subprocess>> start(const SubprocessCommand& command);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  // Writes `line` and a newline. An Error when the child no longer reads, or reads nothing for five seconds (SIGPIPE never
  // reaches the host program).
  Result<void> write_line(std::string_view line);
  // Waits for the next line of the child's stdout; drains its stderr meanwhile. A line over 1 MiB counts as closed, and so does
  // a last line without its newline: it may be half of what was to be said.
  ReadStatus read_line(std::string& line, std::chrono::steady_clock::time_point deadline);
  // The last 4 KiB that the child wrote to stderr.
  std::string error_tail() const;

  // SIGKILL to the whole group, then waits up to `patience` for the child to be reaped. nullopt: it could not be killed
  // (a process stuck in a driver call is in uninterruptible sleep) and is given up; nobody waits for it again.
  std::optional<SubprocessExit> kill_and_reap(std::chrono::milliseconds patience);
  // Waits up to `patience` for the child to end by itself.
  std::optional<SubprocessExit> wait_for_exit(std::chrono::milliseconds patience);
  int pid() const;

 private:
  struct State;
  explicit Subprocess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// For the child's program, early in main: when the parent process dies, so does our process group (or we alone, where we do
// not lead one). Not PR_SET_PDEATHSIG: that fires when the *thread* that started us ends, while its process may live on and
// still talk to us. Not end of file on stdin: a hung main thread does not read, and programs forked from the parent hold its
// end of the pipe.
void die_with_parent();

}  // namespace convoy
