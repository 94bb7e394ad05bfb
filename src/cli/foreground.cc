// Implementation of foreground.h. Signals are blocked and waited for, not handled: the program inherits what was ignored
// and what was default, and nothing runs in a handler.
#include "cli/foreground.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace convoy {
namespace {

class BlockedSignals {
 public:
  BlockedSignals() {
    sigemptyset(&set_);
    // Those of terminals, and those that supervisors send to a program: Slurm's SIGUSR1, say.
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT})
      sigaddset(&set_, number);
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) sigaddset(&set_, number);
    sigprocmask(SIG_BLOCK, &set_, &former_);
    // Ignored, it would have the kernel forget how the child ended.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, nullptr);
  }
  // What is still pending was meant for the program, which has ended.
  ~BlockedSignals() {
    constexpr timespec k_now{};
    while (sigtimedwait(&set_, nullptr, &k_now) > 0) {
    }
    sigprocmask(SIG_SETMASK, &former_, nullptr);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  const sigset_t& set() const { return set_; }
  const sigset_t& former() const { return former_; }

 private:
  sigset_t set_{};
  sigset_t former_{};
};

int spawn(pid_t& pid, std::vector<std::string>& argv, const sigset_t& mask) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (std::string& text : argv) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &mask);
  const int error = posix_spawnp(&pid, pointers[0], nullptr, &attributes, pointers.data(), environ);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

ProgramEnd run_in_foreground(std::vector<std::string> argv) {
  const BlockedSignals blocked;
  pid_t pid = -1;
  if (const int error = spawn(pid, argv, blocked.former()); error != 0) return {0, 0, error};
  while (true) {
    int status = 0;
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid && WIFSIGNALED(status)) return {0, WTERMSIG(status), 0};
    if (ended == pid && WIFEXITED(status)) return {WEXITSTATUS(status), 0, 0};
    if (ended < 0 && errno != EINTR) return {0, 0, errno};
    siginfo_t info{};
    const int number = sigwaitinfo(&blocked.set(), &info);
    // The terminal signals the whole group, the program included; kill() may have meant this process alone.
    const bool from_terminal = info.si_code == SI_KERNEL;
    if (number > 0 && number != SIGCHLD && !from_terminal) kill(pid, number);
  }
}

}  // namespace convoy
