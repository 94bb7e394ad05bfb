// Implementation of signal_keeper.h.
#include "base/signal_keeper.h"

#include <array>
#include <csignal>
#include <mutex>
#include <string_view>

#include <dlfcn.h>

namespace convoy {
namespace {

// Real-time signals are nobody's.
constexpr int k_end = 32;

std::mutex mutex;
int keepers = 0;
std::array<struct sigaction, k_end> kept;
std::array<bool, k_end> known;

bool is_default(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
}

// Both members of the union begin at the same place.
void* handler_of(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ? reinterpret_cast<void*>(action.sa_sigaction)
                                             : reinterpret_cast<void*>(action.sa_handler);
}

bool is_of_a_compiler(const struct sigaction& action) {
  constexpr std::array<std::string_view, 2> k_libraries{"libLLVM", "libamd_comgr"};
  Dl_info where{};
  if (is_default(action) || dladdr(handler_of(action), &where) == 0 || where.dli_fname == nullptr) return false;
  std::string_view file = where.dli_fname;
  file.remove_prefix(file.rfind('/') + 1);
  for (const std::string_view library : k_libraries) {
    if (file.substr(0, library.size()) == library) return true;
  }
  return false;
}

}  // namespace

SignalKeeper::SignalKeeper() {
  const std::lock_guard lock(mutex);
  if (keepers++ > 0) return;
  for (int number = 1; number < k_end; ++number) {
    const auto i = static_cast<std::size_t>(number);
    known[i] = sigaction(number, nullptr, &kept[i]) == 0;
  }
}

SignalKeeper::~SignalKeeper() {
  const std::lock_guard lock(mutex);
  if (--keepers > 0) return;
  for (int number = 1; number < k_end; ++number) {
    const auto i = static_cast<std::size_t>(number);
    struct sigaction now {};
    if (!known[i] || sigaction(number, nullptr, &now) != 0) continue;
    if (is_of_a_compiler(now) && handler_of(now) != handler_of(kept[i])) sigaction(number, &kept[i], nullptr);
  }
}

}  // namespace convoy
