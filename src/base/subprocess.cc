// Implementation of subprocess.h. Everything that could wait for the child is non-blocking and bounded: a
// child that holds a GPU may stop answering anything, even SIGKILL.
#include "base/subprocess.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/spawn.h"
#include "base/timing.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t k_longest_line = 1 << 20;
constexpr std::size_t k_tail = 4096;
constexpr milliseconds k_write_patience{5000};
constexpr milliseconds k_destructor_patience{2000};

// False when there is nothing more to read for now. Closes the channel at its end.
bool read_some(Descriptor& channel, std::string& into) {
  std::array<char, 16384> chunk{};
  if (!channel.valid()) return false;
  const ssize_t count = ::read(channel.get(), chunk.data(), chunk.size());
  if (count > 0) into.append(chunk.data(), static_cast<std::size_t>(count));
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) channel.reset();
  return count > 0;
}

int milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

}  // namespace

struct Subprocess::State {
  SpawnedChild child;
  std::string received;     // from stdout
  std::size_t taken = 0;    // so much of it has been handed out
  std::size_t scanned = 0;  // from there up to here it has no newline
  std::string tail;         // of stderr
  pid_t owner = -1;
  std::optional<SubprocessExit> exit;
  bool given_up = false;

  bool ours() const { return ::getpid() == owner; }
  bool drain_error();  // one read; false when there was nothing
  void drain_out();
  bool take_line(std::string& line);
  void poll_outputs(int timeout_ms);
  bool has_ended() const;
  void reap();
  std::optional<SubprocessExit> await_exit(milliseconds patience);
};

bool Subprocess::State::drain_error() {
  const bool got_some = read_some(child.error, tail);
  if (tail.size() > k_tail) tail.erase(0, tail.size() - k_tail);
  return got_some;
}

void Subprocess::State::drain_out() {
  // Here, not for every line: a flood of short lines would be moved once per line.
  received.erase(0, taken);
  scanned -= std::exchange(taken, 0);
  read_some(child.out, received);
}

bool Subprocess::State::take_line(std::string& line) {
  const auto end = received.find('\n', scanned);
  scanned = end == std::string::npos ? received.size() : end + 1;
  if (end == std::string::npos) return false;
  line.assign(received, taken, end - taken);
  taken = scanned;
  return true;
}

void Subprocess::State::poll_outputs(int timeout_ms) {
  const int out = received.size() > k_longest_line ? -1 : child.out.get();  // poll() skips -1
  std::array<pollfd, 2> polled{pollfd{out, POLLIN, 0}, pollfd{child.error.get(), POLLIN, 0}};
  if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return;
  if (polled[0].revents != 0) drain_out();
  if (polled[1].revents != 0) drain_error();
}

// True as well when somebody else has reaped the child (the host program waits for any child, or ignores
// SIGCHLD).
bool Subprocess::State::has_ended() const {
  siginfo_t info{};
  const int result = ::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return (result == 0 && info.si_pid == child.pid) || (result != 0 && errno == ECHILD);
}

void Subprocess::State::reap() {
  // What the child started ends with it. Before reaping: until then nobody else can get the group's number.
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    ::kill(-child.pid, SIGKILL);
  }
  int status = 0;
  exit.emplace();
  if (::waitpid(child.pid, &status, WNOHANG) != child.pid) {
    exit->unknown = true;
  } else if (WIFSIGNALED(status)) {
    exit->signal = WTERMSIG(status);
  } else {
    exit->status = WEXITSTATUS(status);
  }
  // A full pipe takes four reads. Bounded, since a grandchild that has left the group may write for ever.
  for (int reads = 0; reads < 64 && drain_error(); ++reads) continue;
}

std::optional<SubprocessExit> Subprocess::State::await_exit(milliseconds patience) {
  if (exit || given_up || !ours()) return exit;
  const auto deadline = deadline_in(patience);
  for (int pause_ms = 1; !has_ended(); pause_ms = std::min(2 * pause_ms, 20)) {
    const int left = milliseconds_until(deadline);
    if (left == 0) return std::nullopt;
    poll_outputs(std::min(pause_ms, left));  // a child that blocks on a full pipe would never end
  }
  reap();
  return exit;
}

Result<std::unique_ptr<Subprocess>> Subprocess::start(const SubprocessCommand& command) {
  CONVOY_TRY(SpawnedChild child, spawn_child(command));
  auto state = std::make_unique<State>();
  state->child = std::move(child);
  state->owner = ::getpid();
  return std::unique_ptr<Subprocess>(new Subprocess(std::move(state)));
}

Subprocess::Subprocess(std::unique_ptr<State> state) : state_(std::move(state)) {}

Subprocess::~Subprocess() {
  if (state_->exit || state_->given_up || !state_->ours()) return;
  if (!kill_and_reap(k_destructor_patience)) {
    log(LogLevel::warning, "child process {} cannot be killed and is left behind", state_->child.pid);
  }
}

Result<void> Subprocess::write_line(std::string_view line) {
  if (!state_->ours()) return fail(ErrorCode::io, "the child belongs to the process that forked this one");
  std::string text(line);
  text += '\n';
  std::string_view rest = text;
  auto deadline = deadline_in(k_write_patience);
  while (!rest.empty()) {
    const ssize_t count = ::send(state_->child.in.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
      deadline = deadline_in(k_write_patience);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return fail(ErrorCode::io, fmt::format("the child does not read: {}", std::strerror(errno)));
    }
    const int left = milliseconds_until(deadline);
    if (left == 0) {
      return fail(ErrorCode::io, fmt::format("the child read nothing for {} ms", k_write_patience.count()));
    }
    state_->drain_error();
    pollfd polled{state_->child.in.get(), POLLOUT, 0};
    ::poll(&polled, 1, std::min(left, 20));
  }
  return {};
}

Subprocess::ReadStatus Subprocess::read_line(std::string& line, steady_clock::time_point deadline) {
  State& state = *state_;
  if (!state.ours()) return ReadStatus::closed;
  while (true) {
    if (state.take_line(line)) return ReadStatus::line;
    if (!state.child.out.valid() || state.received.size() > k_longest_line) return ReadStatus::closed;
    const int left = milliseconds_until(deadline);
    state.poll_outputs(left);
    if (left == 0) return state.take_line(line) ? ReadStatus::line : ReadStatus::timeout;
  }
}

std::string Subprocess::error_tail() const {
  if (state_->ours()) state_->drain_error();
  return state_->tail;
}

std::optional<SubprocessExit> Subprocess::kill_and_reap(milliseconds patience) {
  State& state = *state_;
  if (state.exit || state.given_up || !state.ours()) return state.exit;
  if (!state.has_ended()) ::kill(-state.child.pid, SIGKILL);
  auto exit = state.await_exit(patience);
  state.given_up = !exit.has_value();
  return exit;
}

std::optional<SubprocessExit> Subprocess::wait_for_exit(milliseconds patience) {
  return state_->await_exit(patience);
}

int Subprocess::pid() const {
  return state_->child.pid;
}

void die_with_parent() {
  const pid_t parent = ::getppid();
  // pidfd_open: Linux 5.3; without it, poll() of a negative descriptor is a sleep. Also older libraries lack
  // the wrapper.
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, parent, 0));
  const auto watch = [parent, descriptor] {
    sigset_t all{};
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    constexpr int k_interval_ms = 1000;
    pollfd polled{descriptor, POLLIN, 0};
    while (::getppid() == parent) ::poll(&polled, 1, k_interval_ms);
    ::kill(::getpgrp() == ::getpid() ? 0 : ::getpid(), SIGKILL);
  };
  try {
    std::thread(watch).detach();
  } catch (const std::system_error&) {
    if (descriptor >= 0) ::close(descriptor);
    log(LogLevel::warning, "no thread to watch the parent: this process may outlive it");
  }
}

}  // namespace convoy
