// Implementation of rooted_files.h. Each component is looked at with lstat: what has been passed holds no link, so no system call
// is ever given a path that leads out of the root.
#include "device/rooted_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "device/gpu_facts.h"

namespace convoy {
namespace {

constexpr int k_most_links = 40;  // as the kernel
constexpr std::size_t k_most_notes = 256;

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

std::optional<std::string> link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size <= 0 || size == static_cast<ssize_t>(target.size())) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

// Takes the first component off `path`; empty at its end.
std::string take_component(std::string& path) {
  const std::size_t begin = path.find_first_not_of('/');
  if (begin == std::string::npos) return {};
  const std::size_t end = std::min(path.find('/', begin), path.size());
  std::string component = path.substr(begin, end - begin);
  path.erase(0, end);
  return component;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

std::string last_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

std::string parent_folder(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

RootedFiles::RootedFiles(std::string root) : root_(std::move(root)) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

std::string RootedFiles::on_host(const std::string& resolved) const {
  return root_.empty() && resolved.empty() ? "/" : root_ + resolved;
}

std::optional<std::string> RootedFiles::resolve(std::string_view path) {
  std::string ahead(path.substr(0, PATH_MAX)), passed;
  int links = 0;
  while (true) {
    const std::string component = take_component(ahead);
    if (component.empty()) return passed;
    if (component == ".") continue;
    if (component == "..") {
      passed = parent_folder(passed);
      continue;
    }
    const std::string here = fmt::format("{}/{}", passed, component);
    struct stat status {};
    if (::lstat(on_host(here).c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) note(here, std::strerror(errno));
      return std::nullopt;
    }
    if (!S_ISLNK(status.st_mode)) {
      passed = here;
      continue;
    }
    const auto target = link_target(on_host(here));
    if (++links > k_most_links || !target || target->size() + ahead.size() > PATH_MAX ||
        has_control_character(*target)) {
      note(here, "a link that leads nowhere: it goes round in circles, or its target is no plausible path");
      return std::nullopt;
    }
    if (target->front() == '/') passed.clear();
    ahead.insert(0, *target);
  }
}

std::optional<std::string> RootedFiles::read(const std::string& path, std::uint64_t limit) {
  const auto place = resolve(path);
  if (!place) return std::nullopt;
  auto content = read_file(on_host(*place), limit);
  if (content) return std::move(*content);
  note(path, content.error().message);
  return std::nullopt;
}

std::string RootedFiles::first_line(const std::string& path) {
  const auto text = read(path);
  return text ? printable_name(text->substr(0, text->find('\n'))) : std::string();
}

std::uint64_t RootedFiles::number(const std::string& path, int base) {
  const std::string line = first_line(path);
  if (line.empty()) return 0;
  const std::string_view digits = std::string_view(line).substr(base == 16 && line.starts_with("0x") ? 2 : 0);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error == std::errc() && end == digits.data() + digits.size()) return value;
  note(path, "is no number: " + line);
  return 0;
}

std::vector<std::string> RootedFiles::list(const std::string& folder, std::string_view prefix) {
  std::vector<std::string> names;
  const auto place = resolve(folder);
  if (!place) return names;
  const std::unique_ptr<DIR, CloseFolder> stream(::opendir(on_host(*place).c_str()));
  if (stream == nullptr) {
    note(folder, fmt::format("cannot be listed: {}", std::strerror(errno)));
    return names;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || !name.starts_with(prefix)) continue;
    if (has_control_character(name)) {
      note(folder + "/" + std::string(name), "a name with control characters: left out");
    } else if (names.size() == k_most_names) {
      note(folder, fmt::format("holds more than {} files: the rest is left out", k_most_names));
      break;
    } else {
      names.emplace_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

bool RootedFiles::is_folder(const std::string& path) {
  const auto place = resolve(path);
  struct stat status {};
  return place && ::lstat(on_host(*place).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void RootedFiles::note(std::string path, std::string text) {
  const auto print = [](std::string& raw) {
    for (char& c : raw) {
      if (has_control_character({&c, 1})) c = '?';
    }
  };
  print(path);
  print(text);
  const bool known = std::ranges::any_of(notes_, [&](const DetectNote& n) { return n.path == path && n.text == text; });
  if (!known && notes_.size() < k_most_notes) notes_.push_back({std::move(path), std::move(text)});
}

}  // namespace convoy
