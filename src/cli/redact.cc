// Implementation of redact.h: one pass from left to right, at each place this machine's own names, then the first rule that matches.
#include "cli/redact.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/settings.h"
#include "cli/redact_rules.h"

namespace convoy {
namespace {

constexpr std::string_view k_user = "[user]", k_host = "[host]";

// Names that say nothing of whose machine it is, and words that reports are made of: a user called gpu must not cost the reader
// every "gpu", nor one called conv the MIOpenDriver lines.
constexpr std::string_view k_everybodys[] = {
    "root",      "localhost", "nobody",    "localdomain", "home",   "user",    "users",       "media",  "debian",
    "ubuntu",    "fedora",    "archlinux", "arch",        "mint",   "linux",   "vm",          "docker", "podman",
    "container", "admin",     "build",     "builder",     "runner", "ci",      "test",        "dev",    "server",
    "pc",        "desktop",   "laptop",    "local",       "data",   "opt",     "usr",         "lib",    "bin",
    "etc",       "var",       "srv",       "tmp",         "mnt",    "run",     "sys",         "proc",   "share",
    "cache",     "config",    "work",      "workspace",   "src",    "amd",     "gpu",         "gpus",   "cpu",
    "rocm",      "hip",       "cuda",      "opencl",      "miopen", "convoy",  "onednn",      "torch",  "pytorch",
    "python",    "conda",     "device",    "driver",      "system", "service", "environment", "conv",   "trans",
    "fwd",       "bwd",       "wrw",       "nchw",        "nhwc",   "ncdhw",   "miopendriver"};

// Between letters and digits, and where a capital begins a new word, too: "alice2", "modelsOfAlice".
bool is_boundary(char a, char b) {
  if (!is_letter_or_digit(a) || !is_letter_or_digit(b)) return true;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  return is_digit(a) != is_digit(b) || (!is_capital(a) && is_capital(b));
}

// As it stands in texts whose odd bytes were replaced.
std::string as_printed(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string first_line(const std::string& path) {
  constexpr std::uint64_t k_most = 4096;
  const auto text = read_file(path, k_most);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

std::string last_component(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

void add_entry(const passwd* entry, Redactor::Identity& identity) {
  if (entry == nullptr) return;
  identity.users.emplace_back(entry->pw_name);
  identity.folders.emplace_back(entry->pw_dir);
  const std::string full_name(entry->pw_gecos == nullptr ? "" : entry->pw_gecos);
  // One word of it may be any word: "Debian", "Administrator".
  if (full_name.find(' ') < full_name.find(',')) identity.users.push_back(full_name.substr(0, full_name.find(',')));
}

void add_account(uid_t user, Redactor::Identity& identity) {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, room.data(), room.size(), &found) == 0) add_entry(found, identity);
}

void add_account(const std::string& user, Redactor::Identity& identity) {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, room.data(), room.size(), &found) == 0) add_entry(found, identity);
}

}  // namespace

Redactor::Redactor(Identity identity) {
  const auto add = [&](const std::string& word, std::string_view stand_in) {
    std::string text = lower(word);
    const bool is_everybodys = std::ranges::find(k_everybodys, text) != std::ranges::end(k_everybodys);
    if (text.size() < 2 || is_everybodys) return;
    std::string printed = as_printed(text);
    if (printed != text) words_.push_back({std::move(printed), stand_in});
    words_.push_back({std::move(text), stand_in});
  };
  for (const std::string& user : identity.users) add(user, k_user);
  for (const std::string& id : identity.ids) add(id, "[id]");
  for (const std::string& host : identity.hosts) {
    const auto dot = std::min(host.find('.'), host.size());
    const std::string domain = host.substr(std::min(dot + 1, host.size()));
    add(host, k_host);
    add(host.substr(0, dot), k_host);
    // "example" alone may be any word.
    if (domain.find('.') != std::string::npos) add(domain, k_host);
  }
  for (std::string& folder : identity.folders) {
    while (folder.ends_with('/')) folder.pop_back();
    // "/" as a home is nobody's, and would be everywhere.
    if (!folder.starts_with('/')) continue;
    if (std::string printed = as_printed(folder); printed != folder) folders_.push_back(std::move(printed));
    folders_.push_back(std::move(folder));
  }
  const auto longer = [](const auto& a, const auto& b) { return a.size() > b.size(); };
  std::ranges::sort(folders_, longer);
  std::ranges::sort(words_, longer, &Word::text);
}

Redactor Redactor::of_this_machine() {
  Identity identity;
  for (const char* name : {"USER", "LOGNAME", "SUDO_USER"}) identity.users.push_back(Settings::environment(name));
  identity.folders.push_back(Settings::environment("HOME"));
  add_account(::getuid(), identity);
  add_account(::geteuid(), identity);
  add_account(Settings::environment("SUDO_USER"), identity);
  for (const std::string& folder : identity.folders) identity.users.push_back(last_component(folder));
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) identity.hosts.emplace_back(host.data());
  identity.hosts.push_back(Settings::environment("HOSTNAME"));
  identity.hosts.push_back(first_line("/etc/hostname"));
  identity.ids.push_back(first_line("/etc/machine-id"));
  return Redactor(std::move(identity));
}

std::size_t Redactor::length_of_word(const Word& word, std::string_view text, char before) const {
  const std::size_t size = word.text.size();
  if (lower(text.substr(0, size)) != word.text) return 0;
  const auto apart = [size, &word](char a, char b) {
    // Short names are parts of too much, and hosts and ids end with digits anyway.
    constexpr std::size_t k_short = 3;
    const bool strict = size < k_short || word.stand_in != k_user;
    return strict ? !is_letter_or_digit(a) || !is_letter_or_digit(b) : is_boundary(a, b);
  };
  if (!apart(before, text.front()) || (text.size() > size && !apart(text[size - 1], text[size]))) return 0;
  std::size_t length = size;
  // With the domain that it stands in.
  while (word.stand_in == k_host && length + 1 < text.size() && text[length] == '.' &&
         is_letter_or_digit(text[length + 1]))
    length += 1 + run_of(text.substr(length + 1), [](char c) { return is_letter_or_digit(c) || c == '-'; });
  return length;
}

std::string Redactor::operator()(std::string_view text) const {
  const auto match_own = [this](std::string_view rest, char before) -> std::optional<RedactMatch> {
    for (const std::string& folder : folders_) {
      const bool whole = rest.size() == folder.size() || (rest.size() > folder.size() && !is_name(rest[folder.size()]));
      if (!is_word(before) && whole && rest.starts_with(folder)) return RedactMatch{folder.size(), "~"};
    }
    for (const Word& word : words_) {
      if (const std::size_t length = length_of_word(word, rest, before); length > 0)
        return RedactMatch{length, word.stand_in};
    }
    return std::nullopt;
  };
  std::string result;
  char before = ' ';
  while (!text.empty()) {
    auto match = match_own(text, before);
    if (!match) match = match_anybodys(text, before);
    const std::size_t taken = match ? match->length : 1;
    result += text.substr(0, match ? match->kept : 1);
    if (match) result += match->stand_in;
    before = text[taken - 1];
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace convoy
