// Implementation of spawn.h.
#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/environment.h"

namespace convoy {
namespace {

// The two ends of the three channels.
struct Channels {
  Descriptor our_in, our_out, our_error;
  Descriptor child_in, child_out, child_error;
};

tl::unexpected<Error> system_failure(std::string_view what, int error) {
  return fail(ErrorCode::io, fmt::format("{}: {}", what, std::strerror(error)));
}

// Where the host program has closed its own stdout, a new descriptor may be number 1, and whatever the host
// prints from then on would go to the child.
bool move_above_stdio(Descriptor& descriptor) {
  if (descriptor.get() > STDERR_FILENO) return true;
  descriptor = Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return descriptor.valid();
}

Result<void> open_channels(Channels& channels) {
  std::array<int, 2> pair{};
  // stdin is a socket: only sockets let us write without SIGPIPE whatever the host program does with that
  // signal.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return system_failure("socketpair", errno);
  channels.our_in.reset(pair[0]);
  channels.child_in.reset(pair[1]);
  if (::pipe2(pair.data(), O_CLOEXEC) != 0) return system_failure("pipe2", errno);
  channels.our_out.reset(pair[0]);
  channels.child_out.reset(pair[1]);
  if (::pipe2(pair.data(), O_CLOEXEC) != 0) return system_failure("pipe2", errno);
  channels.our_error.reset(pair[0]);
  channels.child_error.reset(pair[1]);
  for (Descriptor* end : {&channels.child_in, &channels.child_out, &channels.child_error, &channels.our_out,
                          &channels.our_error, &channels.our_in}) {
    if (!move_above_stdio(*end)) return system_failure("fcntl(F_DUPFD_CLOEXEC)", errno);
  }
  for (const Descriptor* end : {&channels.our_out, &channels.our_error}) {
    if (::fcntl(end->get(), F_SETFL, O_NONBLOCK) != 0) return system_failure("fcntl(O_NONBLOCK)", errno);
  }
  return {};
}

std::vector<std::string> merged_environment(const std::vector<std::string>& replacements) {
  const auto name_of = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
  std::vector<std::string> result;
  for (const char* const* entry = environment_entries(); *entry != nullptr; ++entry) {
    const bool replaced =
        std::ranges::any_of(replacements, [&](const std::string& ours) { return name_of(ours) == name_of(*entry); });
    if (!replaced) result.emplace_back(*entry);
  }
  result.insert(result.end(), replacements.begin(), replacements.end());
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// posix_spawn's two descriptions of the child, released together.
class SpawnRecipe {
 public:
  SpawnRecipe() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnRecipe() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnRecipe(const SpawnRecipe&) = delete;
  SpawnRecipe& operator=(const SpawnRecipe&) = delete;

  // The error number, 0 for success.
  int prepare(const Channels& channels) {
    sigset_t all{};
    sigset_t none{};
    sigfillset(&all);
    sigemptyset(&none);
    constexpr short k_flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    int error = ::posix_spawnattr_setflags(&attributes_, k_flags);
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes_, 0);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = redirect(channels.child_in, STDIN_FILENO);
    if (error == 0) error = redirect(channels.child_out, STDOUT_FILENO);
    if (error == 0) error = redirect(channels.child_error, STDERR_FILENO);
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    // The host's descriptors, not all of them close-on-exec: a held GPU or pipe would outlive the host in our
    // child.
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
#endif
#endif
    return error;
  }
  int spawn(pid_t& pid, std::vector<std::string> argv, std::vector<std::string> environment) {
    return ::posix_spawn(&pid, argv[0].c_str(), &actions_, &attributes_, pointers_to(argv).data(),
                         pointers_to(environment).data());
  }

 private:
  int redirect(const Descriptor& from, int to) {
    return ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<SpawnedChild> spawn_child(const SubprocessCommand& command) {
  if (command.argv.empty() || !command.argv[0].starts_with('/')) {
    return fail(ErrorCode::invalid_argument, fmt::format("a program is started by its absolute path, not as \"{}\"",
                                                         command.argv.empty() ? "" : command.argv[0]));
  }
  Channels channels;
  CONVOY_CHECK(open_channels(channels));
  SpawnRecipe recipe;
  pid_t pid = -1;
  int error = recipe.prepare(channels);
  if (error == 0) error = recipe.spawn(pid, command.argv, merged_environment(command.environment));
  if (error != 0) return system_failure("cannot start " + command.argv[0], error);
  return SpawnedChild{pid, std::move(channels.our_in), std::move(channels.our_out), std::move(channels.our_error)};
}

}  // namespace convoy
