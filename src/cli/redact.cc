// Implementation of redact.h: one pass from left to right, at each place the first rule that matches. No regular expressions: the text
// may be anybody's, and long.
#include "cli/redact.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/settings.h"

namespace convoy {
namespace {

bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}
bool is_word(char c) {
  return is_letter_or_digit(c) || c == '_';
}
bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_name(char c) {  // of users and machines
  return is_word(c) || c == '.' || c == '-' || c == '+';
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

template <typename Test>
std::size_t run_of(std::string_view text, Test test) {
  std::size_t length = 0;
  while (length < text.size() && test(text[length])) ++length;
  return length;
}

// How many characters of `text` go, and what stands in for them.
struct Match {
  std::size_t length = 0;
  std::string_view stand_in;
};
using Rule = std::optional<Match> (*)(std::string_view text, char before);

// "/home/alice": everything below stays, without whose it is.
std::optional<Match> match_home(std::string_view text, char before) {
  if (is_word(before)) return std::nullopt;
  for (const std::string_view parent : {"/home/", "/Users/", "/export/home/", "/var/home/"}) {
    if (!text.starts_with(parent)) continue;
    const std::size_t name = run_of(text.substr(parent.size()), [](char c) {
      return c != '/' && c != ':' && c != ';' && c != ',' && c != '"' && c != '\'' && c != '`' && c > ' ';
    });
    if (name > 0) return Match{parent.size() + name, "~"};
  }
  if (text.starts_with("/root") && (text.size() == 5 || !is_name(text[5]))) return Match{5, "~"};
  return std::nullopt;
}

// 8-4-4-4-12 hexadecimal digits.
std::optional<Match> match_uuid(std::string_view text, char before) {
  if (is_word(before)) return std::nullopt;
  std::size_t at = 0;
  for (const std::size_t digits : {8, 4, 4, 4, 12}) {
    if (at > 0 && (at >= text.size() || text[at++] != '-')) return std::nullopt;
    if (at > text.size() || run_of(text.substr(at), is_hex) != digits) return std::nullopt;
    at += digits;
  }
  return Match{at, "[id]"};
}

std::optional<Match> match_gpu_id(std::string_view text, char before) {
  constexpr std::string_view k_prefix = "gpu-";
  if (is_word(before) || lower(text.substr(0, k_prefix.size())) != k_prefix) return std::nullopt;
  const std::size_t digits = run_of(text.substr(k_prefix.size()), [](char c) { return is_hex(c) || c == '-'; });
  if (digits < 8) return std::nullopt;
  return Match{k_prefix.size() + digits, "GPU-[id]"};
}

// Identities and hashes. The 40 digits of a commit name no machine.
std::optional<Match> match_digits(std::string_view text, char before) {
  constexpr std::size_t k_least = 16, k_commit = 40;
  if (is_word(before)) return std::nullopt;
  const std::size_t prefix = text.starts_with("0x") ? 2 : 0;
  const std::size_t digits = run_of(text.substr(prefix), is_hex);
  const std::size_t all = prefix + digits;
  if (digits < k_least || digits == k_commit || (all < text.size() && is_word(text[all]))) return std::nullopt;
  return Match{all, "[id]"};
}

std::optional<Match> match_mac(std::string_view text, char before) {
  constexpr std::size_t k_length = 17;
  if (is_word(before) || before == ':' || text.size() < k_length) return std::nullopt;
  for (std::size_t i = 0; i < k_length; ++i) {
    if (i % 3 == 2 ? text[i] != ':' && text[i] != '-' : !is_hex(text[i])) return std::nullopt;
  }
  if (text.size() > k_length && (is_word(text[k_length]) || text[k_length] == ':')) return std::nullopt;
  return Match{k_length, "[id]"};
}

std::optional<Match> match_account(std::string_view text, char before) {
  if (is_name(before)) return std::nullopt;
  const std::size_t user = run_of(text, is_name);
  if (user == 0 || user >= text.size() || text[user] != '@') return std::nullopt;
  const std::size_t host = run_of(text.substr(user + 1), is_name);
  // "onednn:hang@hw>42" is a fault: one of its sizes follows, and a comparison.
  const std::size_t end = user + 1 + host;
  if (host == 0 || (end < text.size() && std::string_view("<>=").find(text[end]) != std::string_view::npos))
    return std::nullopt;
  return Match{end, "[user]@[host]"};
}

// "serial: 123", "serial_number=123", "Serial No 123".
std::optional<Match> match_serial(std::string_view text, char before) {
  constexpr std::string_view k_word = "serial";
  if (is_word(before) || lower(text.substr(0, k_word.size())) != k_word) return std::nullopt;
  constexpr std::size_t k_longest_name = 20;
  const std::string_view rest = text.substr(k_word.size(), k_longest_name);
  const std::size_t name = run_of(rest, [](char c) { return is_word(c) || c == ' ' || c == '#' || c == '-'; });
  if (name >= rest.size() || (rest[name] != ':' && rest[name] != '=')) return std::nullopt;
  std::size_t at = k_word.size() + name + 1;
  at += run_of(text.substr(at), [](char c) { return c == ' ' || c == '"'; });
  const std::size_t number = run_of(text.substr(at), is_name);
  if (number == 0) return std::nullopt;
  return Match{at + number, "serial: [id]"};
}

constexpr std::array<Rule, 7> k_rules{match_home, match_uuid,    match_gpu_id, match_digits,
                                      match_mac,  match_account, match_serial};

std::string first_line(const std::string& path) {
  constexpr std::uint64_t k_most = 4096;
  const auto text = read_file(path, k_most);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

std::string last_component(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

void add_account(uid_t user, Redactor::Identity& identity) {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, room.data(), room.size(), &found) != 0 || found == nullptr) return;
  identity.users.emplace_back(entry.pw_name);
  identity.folders.emplace_back(entry.pw_dir);
}

}  // namespace

Redactor::Redactor(Identity identity) {
  constexpr std::array<std::string_view, 11> k_everybodys{
      "root", "localhost", "nobody", "localdomain", "home", "user", "users", "debian", "ubuntu", "fedora", "archlinux"};
  const auto add = [&](const std::string& word, std::string_view stand_in) {
    std::string text = lower(word);
    if (!text.empty() && std::ranges::find(k_everybodys, text) == k_everybodys.end())
      words_.push_back({std::move(text), stand_in});
  };
  for (const std::string& user : identity.users) add(user, "[user]");
  for (const std::string& id : identity.ids) add(id, "[id]");
  for (const std::string& host : identity.hosts) {
    add(host, "[host]");
    add(host.substr(0, host.find('.')), "[host]");
  }
  for (std::string& folder : identity.folders) {
    while (folder.ends_with('/')) folder.pop_back();
    // "/" as a home is nobody's, and would be everywhere.
    if (folder.starts_with('/')) folders_.push_back(std::move(folder));
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
  for (const std::string& folder : identity.folders) identity.users.push_back(last_component(folder));
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) identity.hosts.emplace_back(host.data());
  identity.hosts.push_back(Settings::environment("HOSTNAME"));
  identity.hosts.push_back(first_line("/etc/hostname"));
  identity.ids.push_back(first_line("/etc/machine-id"));
  return Redactor(std::move(identity));
}

std::string Redactor::operator()(std::string_view text) const {
  const auto match_own = [this](std::string_view rest, char before) -> std::optional<Match> {
    for (const std::string& folder : folders_) {
      const bool whole = rest.size() == folder.size() || (rest.size() > folder.size() && !is_name(rest[folder.size()]));
      if (!is_word(before) && whole && rest.starts_with(folder)) return Match{folder.size(), "~"};
    }
    // "alice_models" tells, too.
    if (is_letter_or_digit(before)) return std::nullopt;
    for (const Word& word : words_) {
      const bool whole = rest.size() == word.text.size() ||
                         (rest.size() > word.text.size() && !is_letter_or_digit(rest[word.text.size()]));
      if (whole && lower(rest.substr(0, word.text.size())) == word.text) return Match{word.text.size(), word.stand_in};
    }
    return std::nullopt;
  };
  std::string result;
  char before = ' ';
  while (!text.empty()) {
    auto match = match_own(text, before);
    for (std::size_t i = 0; i < k_rules.size() && !match; ++i) match = k_rules[i](text, before);
    const std::size_t taken = match ? match->length : 1;
    if (match) {
      result += match->stand_in;
    } else {
      result += text.front();
    }
    before = text[taken - 1];
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace convoy
