// Implementation of run_input.h.
#include "cli/run_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::uint64_t k_largest_input = 1ULL << 30;  // logs get long; more is a mistake

Result<std::string> read_all(int descriptor, const std::string& name) {
  std::string text;
  std::array<char, 1 << 16> chunk{};
  for (;;) {
    const ssize_t count = read(descriptor, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::io, fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
    if (count == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > k_largest_input)
      return fail(ErrorCode::io, fmt::format("{} is over 1 GiB; give it in parts", name));
  }
}

// The user named it: links are followed and pipes are welcome.
Result<std::string> read_named(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail(ErrorCode::io, fmt::format("{}: {}", path, std::strerror(errno)));
  auto text = read_all(descriptor, path);
  close(descriptor);
  return text;
}

bool is_problem(const std::string& argument) {
  return argument.starts_with("fwd:") || argument.starts_with("bwd:") || argument.starts_with("wrw:") ||
         argument.find("MIOpenDriver") != std::string::npos;
}

ProblemList read_argument(const std::string& argument) {
  if (is_problem(argument)) return read_problems(argument, "command line");
  const auto text = argument == "-" ? read_all(STDIN_FILENO, "standard input") : read_named(argument);
  if (text) return read_problems(*text, argument == "-" ? "standard input" : argument);
  std::string message = text.error().message;
  if (message.starts_with(argument + ": ")) message.erase(0, argument.size() + 2);
  message += "; expected a file, - or a problem such as fwd:f32:nchw:n1c3h32w32:k8r3s3:pad1x1:stride1x1:dil1x1:g1";
  ProblemList list;
  list.errors.push_back({argument, "", message});
  return list;
}

}  // namespace

ProblemList collect_problems(const std::vector<std::string>& arguments) {
  ProblemList all;
  std::unordered_map<Problem, std::size_t, ProblemHash> known;
  for (const std::string& argument : arguments) {
    ProblemList list = read_argument(argument);
    all.lines += list.lines;
    all.errors.insert(all.errors.end(), list.errors.begin(), list.errors.end());
    for (SourcedProblem& one : list.problems) {
      const auto [place, fresh] = known.emplace(one.problem, all.problems.size());
      if (fresh) {
        all.problems.push_back(std::move(one));
      } else {
        all.problems[place->second].count += one.count;
      }
    }
  }
  return all;
}

}  // namespace convoy
