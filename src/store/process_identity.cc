// Process identity from /proc.
#include "store/process_identity.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>

#include <fmt/format.h>

#include "base/file.h"

namespace convoy {
namespace {

constexpr std::int64_t k_unjudged_seconds = std::int64_t{24} * 3600;
constexpr std::uint64_t k_max_proc_file = std::uint64_t{64} * 1024;

struct ProcessState {
  char state = '?';
  std::int64_t threads = 0;
  std::int64_t started = 0;
};

// Fields 3, 20 and 22 of /proc/<pid>/stat. The name in field 2 may hold blanks and parentheses: counting
// starts behind it.
std::optional<ProcessState> process_state(std::int64_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid), k_max_proc_file);
  if (!text) return std::nullopt;
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text->substr(name_end + 1));
  ProcessState process;
  std::string skipped;
  fields >> process.state;
  for (int field = 4; field < 20; ++field) fields >> skipped;
  fields >> process.threads >> skipped >> process.started;
  if (!fields) return std::nullopt;
  return process;
}

// Judged in our own process namespace only.
bool process_gone(std::int64_t pid, std::int64_t started) {
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return true;
  const auto process = process_state(pid);
  if (!process) return false;  // /proc is not there or hides it
  if (started != 0 && process->started != started) return true;
  // A zombie is gone, unless only its first thread has ended.
  return (process->state == 'Z' || process->state == 'X') && process->threads <= 1;
}

std::string read_line(const std::string& path) {
  auto text = read_file(path, k_max_proc_file).value_or("");
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

ProcessIdentity this_process(std::string_view host) {
  ProcessIdentity self;
  self.pid = ::getpid();
  if (const auto process = process_state(self.pid)) self.started = process->started;
  std::array<char, 64> link{};
  if (::readlink("/proc/self/ns/pid", link.data(), link.size() - 1) > 0) self.pid_namespace = link.data();
  self.boot = read_line("/proc/sys/kernel/random/boot_id");
  self.host = host.empty() ? host_name() : std::string(host);
  return self;
}

std::optional<std::string_view> why_abandoned(const IntentRow& row, const ProcessIdentity& self, std::int64_t now) {
  constexpr std::string_view k_ended = "process ended while it was running (no verdict)";
  const bool same_boot = row.boot == self.boot;
  if (same_boot && row.pid_namespace == self.pid_namespace) {
    if (process_gone(row.intent.pid, row.process_started)) return k_ended;
    return std::nullopt;
  }
  // "localhost" is many machines: on a shared home its rows have to wait for the day to pass.
  if (!same_boot && row.intent.host == self.host && !self.host.starts_with("localhost")) {
    return "machine restarted while it was running";
  }
  // Another container or another machine: its processes cannot be seen from here. The clock may have been set
  // meanwhile.
  const std::int64_t age = now - row.intent.at;
  if (age > k_unjudged_seconds || age < -k_unjudged_seconds) return k_ended;
  return std::nullopt;
}

}  // namespace convoy
