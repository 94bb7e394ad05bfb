// The parent's side of probe_worker.h. Nothing that the child says is believed before it is bounded and
// parsed: it runs the very code that is suspected.
#include "guard/probe_worker.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/timing.h"
#include "guard/per_process.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds k_kill_patience{2000};
constexpr std::size_t k_phase_limit = 64;
constexpr int k_most_phases = 100;
constexpr std::size_t k_chatter_limit = 4096;

// True when `line` begins with `word` and a blank, or is `word`; cuts them off.
bool consume_word(std::string_view& line, std::string_view word) {
  if (!line.starts_with(word)) return false;
  if (line.size() > word.size() && line[word.size()] != ' ') return false;
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return true;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

std::string describe(const SubprocessExit& exit) {
  if (exit.unknown) return "ended, the host program reaped it";
  return exit.signal != 0 ? "killed by " + signal_name(exit.signal) : fmt::format("exited with status {}", exit.status);
}

// Phases and details end up in logs and reports.
std::string printable(std::string_view text) {
  std::string result(text);
  const auto is_control = [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; };
  std::ranges::replace_if(result, is_control, ' ');
  return result;
}

// What a loader or a driver complained of before the program was up, in a length for one line of a log.
std::string last_line_of(std::string_view output) {
  constexpr std::size_t k_longest = 200;
  while (output.ends_with('\n')) output.remove_suffix(1);
  const std::size_t begin = output.rfind('\n');  // npos + 1 is 0: the whole
  return printable(output.substr(begin + 1, k_longest));
}

// The one child, and the conversation with it. One caller at a time.
class Worker {
 public:
  ProbeResult serve(const SubprocessCommand& command, milliseconds start_deadline, std::string_view request,
                    const Patience& patience);
  int starts() const { return starts_; }

 private:
  enum class Ending { verdict, overdue, closed };

  bool is_usable();
  bool start(const SubprocessCommand& command, milliseconds start_deadline, ProbeResult& result);
  Ending converse(std::string_view request, const Patience& patience, ProbeResult& result);
  bool take_verdict(std::string_view line, ProbeResult& result);
  void keep_chatter(std::string_view line);
  std::string last_output() const;
  void bury(Ending ending, ProbeResult& result);

  std::mutex mutex_;
  std::unique_ptr<Subprocess> child_;
  std::string chatter_;
  std::atomic<int> starts_{0};
};

ProbeResult Worker::serve(const SubprocessCommand& command, milliseconds start_deadline, std::string_view request,
                          const Patience& patience) {
  const std::lock_guard lock(mutex_);
  ProbeResult result;
  for (int attempt = 0; attempt < 2; ++attempt) {
    result = {};
    if (!is_usable() && !start(command, start_deadline, result)) return result;
    const Stopwatch stopwatch;
    const Ending ending = converse(request, patience, result);
    result.milliseconds = stopwatch.milliseconds();
    if (ending == Ending::verdict) {
      result.last_output = last_output();
      return result;
    }
    bury(ending, result);
    if (ending == Ending::overdue || !result.phase.empty()) break;
  }
  return result;
}

// Also throws away what was printed since the last verdict: it answers nothing that we are going to ask.
bool Worker::is_usable() {
  if (!child_ || child_->wait_for_exit(milliseconds(0))) return false;
  std::string line;
  constexpr int k_patience_lines = 1000;  // more: it floods us
  for (int i = 0; i < k_patience_lines; ++i) {
    const auto status = child_->read_line(line, steady_clock::now());
    if (status != Subprocess::ReadStatus::line) return status == Subprocess::ReadStatus::timeout;
  }
  return false;
}

bool Worker::start(const SubprocessCommand& command, milliseconds start_deadline, ProbeResult& result) {
  child_.reset();
  chatter_.clear();
  auto started = Subprocess::start(command);
  if (!started) {
    result.verdict = Verdict::refused;
    result.detail = "no child could be started: " + started.error().message;
    return false;
  }
  child_ = *std::move(started);
  ++starts_;
  const auto deadline = deadline_in(start_deadline);
  std::string line;
  auto status = Subprocess::ReadStatus::line;
  while (status == Subprocess::ReadStatus::line && steady_clock::now() < deadline) {
    status = child_->read_line(line, deadline);
    std::string_view rest = line;
    if (status != Subprocess::ReadStatus::line) continue;
    if (consume_word(rest, "ready")) return true;
    keep_chatter(line);
  }
  const bool closed = status == Subprocess::ReadStatus::closed;
  bury(closed ? Ending::closed : Ending::overdue, result);
  result.detail = closed ? fmt::format("no child could be started: {} before it was ready", result.reason())
                         : fmt::format("no child could be started: not ready within {} ms", start_deadline.count());
  const std::string said = last_line_of(result.last_output);
  if (!said.empty()) result.detail += " (it said: " + said + ")";
  result.verdict = Verdict::refused;
  return false;
}

Worker::Ending Worker::converse(std::string_view request, const Patience& patience, ProbeResult& result) {
  chatter_.clear();
  auto deadline = deadline_in(patience.each);
  if (!child_->write_line(fmt::format("try {}", request))) return Ending::closed;
  std::string line;
  int phases = 0;
  do {
    const auto status = child_->read_line(line, deadline);
    if (status == Subprocess::ReadStatus::closed) return Ending::closed;
    if (status == Subprocess::ReadStatus::timeout) return Ending::overdue;
    std::string_view rest = line;
    if (consume_word(rest, "phase")) {
      const std::string phase = printable(rest.substr(0, k_phase_limit));
      // Announcing the same phase again buys no time.
      if (phase != result.phase) deadline = deadline_in(patience.of(phase));
      result.phase = phase;
      if (++phases > k_most_phases) return Ending::overdue;
    } else if (take_verdict(line, result)) {
      return Ending::verdict;
    } else {
      keep_chatter(line);
    }
  } while (steady_clock::now() < deadline);  // a child that never stops talking is overdue as well
  return Ending::overdue;
}

bool Worker::take_verdict(std::string_view line, ProbeResult& result) {
  if (!consume_word(line, "verdict")) return false;
  const std::string_view name = line.substr(0, line.find(' '));
  const auto verdict = verdict_from_string(name);
  if (!verdict) return false;
  consume_word(line, name);
  result.verdict = *verdict;
  result.detail = printable(line);
  return true;
}

void Worker::keep_chatter(std::string_view line) {
  chatter_.append(line).append("\n");
  // At twice the limit: else a flood of short lines would move the whole tail once per line.
  if (chatter_.size() > 2 * k_chatter_limit) chatter_.erase(0, chatter_.size() - k_chatter_limit);
}

std::string Worker::last_output() const {
  const std::size_t excess = chatter_.size() - std::min(chatter_.size(), k_chatter_limit);
  return chatter_.substr(excess) + child_->error_tail();
}

// Ends the child, if it has not ended by itself, and says how.
void Worker::bury(Ending ending, ProbeResult& result) {
  constexpr milliseconds k_exit_patience{500};  // between the end of its stdout and its own
  std::optional<SubprocessExit> exit;
  if (ending == Ending::closed) exit = child_->wait_for_exit(k_exit_patience);
  result.given_up = !exit && !child_->kill_and_reap(k_kill_patience);
  result.last_output = last_output();
  result.verdict = ending == Ending::closed ? Verdict::crashed : Verdict::timed_out;
  if (ending == Ending::closed) {
    const SubprocessExit known = exit.value_or(SubprocessExit{-1, 0, true});
    result.signal = known.signal;
    result.exit_status = known.unknown ? -1 : known.status;
    result.detail = exit ? describe(known) : "closed its output and lived on";
  }
  child_.reset();
}

}  // namespace

std::string ProbeResult::reason() const {
  const std::string in_phase = phase.empty() ? "" : " in phase " + phase;
  const std::string with_detail = detail.empty() ? "" : ": " + detail;
  const std::string survivor = given_up ? "; it could not be killed" : "";
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::wrong_result: return "wrong result" + with_detail;
    case Verdict::failed: return "failed" + with_detail;
    case Verdict::refused: return "refused" + with_detail;
    case Verdict::crashed: return (detail.empty() ? "crashed" : detail) + in_phase + survivor;
    case Verdict::timed_out: return fmt::format("timed out after {:.0f} ms{}{}", milliseconds, in_phase, survivor);
  }
  return "failed";
}

struct ProbeWorker::State {
  SubprocessCommand command;
  milliseconds start_deadline;
  PerProcess<Worker> worker;
};

ProbeWorker::ProbeWorker(SubprocessCommand command, milliseconds start_deadline)
    : state_(new State{std::move(command), start_deadline, {}}) {}

ProbeWorker::~ProbeWorker() = default;

ProbeResult ProbeWorker::try_one(std::string_view request, const Patience& patience) {
  if (request.find('\n') != std::string_view::npos) {
    ProbeResult result;
    result.verdict = Verdict::refused;
    result.detail = "a request is one line";
    return result;
  }
  return state_->worker.get().serve(state_->command, state_->start_deadline, request, patience);
}

int ProbeWorker::starts() const {
  return state_->worker.get().starts();
}

}  // namespace convoy
