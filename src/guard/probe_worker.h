// Tries suspects in a child process: a persistent worker (`convoy probe`), one request at a time, a deadline for each.
//
// Mechanism only: requests and answers are opaque lines. Protocol, text lines over the child's stdin and stdout:
//   child  -> "ready <text>"                once, after its start-up (bounded by start_deadline)
//   parent -> "try <request>"
//   child  -> "phase <name>"                "received" first, then any number: what it is about to do, kept for the report
//   child  -> "verdict <name> <detail>"     name is a Verdict; detail is the rest of the line, passed through
// Other lines are a library's chatter; they are kept with stderr for the report. A child that dies, closes its pipe or misses
// the deadline is killed with its group; the next request starts a new one. A child that dies before it says a word about a
// request has died of something else (the driver reset, the administrator): the request is given to a new one, once.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/subprocess.h"
#include "base/verdict.h"

namespace convoy {

struct ProbeResult {
  Verdict verdict = Verdict::failed;
  int signal = 0;           // that ended the child, when crashed
  int exit_status = 0;      // of the child, when crashed without a signal; -1: the host program reaped it, nobody knows
  bool given_up = false;    // the child could not be killed: the device it holds is suspect
  std::string phase;        // the last phase it announced
  std::string detail;       // after "verdict <name> ", or why there was no trial
  std::string last_output;  // tail of its stderr, and of what was no protocol on its stdout
  double milliseconds = 0;
  // One sentence for logs: "timed out after 2000 ms in phase run", "killed by SIGSEGV in phase plan".
  std::string reason() const;
};

// How long the child may take for each phase.
struct Patience {
  Patience(std::chrono::milliseconds patience) : each(patience) {}  // NOLINT: a duration is the ordinary patience
  Patience(std::chrono::milliseconds patience, std::string_view name, std::chrono::milliseconds for_it)
      : each(patience), slow_phase(name), slow(for_it) {}
  std::chrono::milliseconds of(std::string_view phase) const {
    return !slow_phase.empty() && phase == slow_phase ? slow : each;
  }

  std::chrono::milliseconds each;
  std::string_view slow_phase;  // where another patience holds; empty: nowhere
  std::chrono::milliseconds slow{0};
};

// Thread-safe: requests are served one after the other. After a fork the child process gets its own worker.
class ProbeWorker {
 public:
  // `command` starts a worker; a spawn failure is Verdict::refused ("no child could be started: ..."): it says nothing about the suspect.
  explicit ProbeWorker(SubprocessCommand command, std::chrono::milliseconds start_deadline = std::chrono::seconds(20));
  ~ProbeWorker();

  // `request` is one line. The time counts from the moment the child gets it, and anew from each new phase that the child
  // announces (100 at most); waiting for our turn is not counted.
  ProbeResult try_one(std::string_view request, const Patience& patience);
  // How many children this process has started so far.
  int starts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The child's side: reads requests until end of file, answers through `handle`. Returns the exit status. Dies with its parent,
// leaves no core file, and keeps the protocol to itself: whatever a library prints on stdout comes out on stderr.
// `handle(request, phase)` returns "<verdict name> <detail>"; `phase(name)` announces what comes next.
using ProbeHandler = std::string (*)(std::string_view request, void (*phase)(std::string_view));
int serve_probe(ProbeHandler handle, std::string_view ready_text);

}  // namespace convoy
