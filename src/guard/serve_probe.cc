// The child's side of probe_worker.h. Handlers run vendor libraries, which print wherever they like:
// descriptors 0 and 1 are taken away from them before the first request.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "guard/probe_worker.h"

namespace convoy {
namespace {

class Protocol {
 public:
  // Takes stdin and stdout over; libraries get /dev/null to read and stderr to print on.
  bool take_over() {
    in_.reset(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    out_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return in_.valid() && out_.valid() && nothing.valid() && ::dup2(nothing.get(), STDIN_FILENO) >= 0 &&
           ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
  }

  bool write_line(std::string_view word, std::string_view rest) const {
    std::string line = std::string(word) + " " + std::string(rest);
    std::ranges::replace(line, '\n', ' ');
    line += '\n';
    std::string_view left = line;
    while (!left.empty()) {
      const ssize_t count = ::write(out_.get(), left.data(), left.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      left.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // False at the end of the input. Half a line before it is not a request.
  bool read_line(std::string& line) {
    std::array<char, 4096> chunk{};
    while (true) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        line.assign(buffer_, 0, end);
        buffer_.erase(0, end + 1);
        return true;
      }
      const ssize_t count = ::read(in_.get(), chunk.data(), chunk.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  Descriptor in_;
  Descriptor out_;
  std::string buffer_;
};

// A plain function announces phases, and there is one protocol per process.
const Protocol* g_protocol = nullptr;

void announce(std::string_view phase) {
  g_protocol->write_line("phase", phase);
}

std::string answer(ProbeHandler handle, std::string_view line) {
  constexpr std::string_view k_try = "try ";
  if (!line.starts_with(k_try)) return "refused the request does not begin with \"try\"";
  try {
    announce("received");
    return handle(line.substr(k_try.size()), announce);
  } catch (const std::exception& error) {
    return std::string("failed exception: ") + error.what();
  } catch (...) {
    return "failed exception of an unknown type";
  }
}

// We expect to crash. Limit 1, not 0: with 0 the kernel still runs a core handler
// ("|/usr/lib/systemd/systemd-coredump"), which reads gigabytes of a GPU process while the parent waits; 1
// means no core of either kind (fs/coredump.c).
void leave_no_core() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(1, limit.rlim_max);
  ::setrlimit(RLIMIT_CORE, &limit);
}

bool serve_requests(Protocol& protocol, ProbeHandler handle, std::string_view ready_text) {
  if (!protocol.write_line("ready", ready_text)) return false;
  std::string line;
  while (protocol.read_line(line)) {
    if (!protocol.write_line("verdict", answer(handle, line))) return false;
  }
  return true;
}

}  // namespace

int serve_probe(ProbeHandler handle, std::string_view ready_text) {
  die_with_parent();
  leave_no_core();
  ::signal(SIGPIPE, SIG_IGN);  // a parent that went away is an error of write()
  Protocol protocol;
  if (!protocol.take_over()) return 1;
  g_protocol = &protocol;
  const bool served = serve_requests(protocol, handle, ready_text);
  g_protocol = nullptr;
  return served ? 0 : 1;
}

}  // namespace convoy
