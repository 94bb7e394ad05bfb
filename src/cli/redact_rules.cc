// What only looks like somebody's: paths of users, addresses, identities of hardware. No regular expressions: the text may be
// anybody's, and long.
#include "cli/redact_rules.h"

#include <algorithm>
#include <array>

namespace convoy {
namespace {

using Match = RedactMatch;
using Rule = std::optional<Match> (*)(std::string_view text, char before);

bool is_slash(char c) {
  return c == '/' || c == '\\';
}

// Of somebody's name in a path. Windows' have blanks: they belong to the name where a folder of it follows.
std::size_t length_of_name(std::string_view text, bool windows) {
  const auto ends = [](char c) {
    return is_slash(c) || std::string_view(":;,\"'`)<>|").find(c) != std::string_view::npos;
  };
  const std::size_t until_blank = run_of(text, [&](char c) { return !ends(c) && static_cast<unsigned char>(c) > ' '; });
  if (!windows) return until_blank;
  const std::size_t all = run_of(text, [&](char c) { return !ends(c) && static_cast<unsigned char>(c) >= ' '; });
  return all < text.size() && is_slash(text[all]) ? all : until_blank;
}

// "/home/alice": everything below stays, without whose it is. Below other folders these stay, too: "/mnt/c/Users/alice".
std::optional<Match> match_home(std::string_view text, char before) {
  const std::size_t slashes = is_slash(before) ? 0 : run_of(text, is_slash);
  if (slashes == 0) return std::nullopt;
  for (const std::string_view parent : {"home", "users", "media"}) {
    if (lower(text.substr(slashes, parent.size())) != parent) continue;
    std::size_t at = slashes + parent.size();
    const std::size_t more = run_of(text.substr(std::min(at, text.size())), is_slash);
    at += more;
    if (more == 0 || (at < text.size() && text[at] == '[')) return std::nullopt;
    const std::size_t name = length_of_name(text.substr(at), parent == "users");
    if (name == 0) return std::nullopt;
    const bool whole = !is_word(before) && parent != "media" && text.front() == '/';
    return whole ? Match{at + name, "~"} : Match{at + name, "[user]", at};
  }
  if (!is_word(before) && text.starts_with("/root") && (text.size() == 5 || !is_name(text[5]))) return Match{5, "~"};
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

// "192.168.7.12". Four numbers of a version look the same and go as well.
std::optional<Match> match_ipv4(std::string_view text, char before) {
  constexpr std::size_t k_parts = 4, k_most_digits = 3;
  constexpr int k_largest = 255;
  if (is_word(before) || before == '.' || before == '-') return std::nullopt;
  std::size_t at = 0;
  for (std::size_t part = 0; part < k_parts; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return std::nullopt;
    const std::size_t digits = run_of(text.substr(at), [](char c) { return c >= '0' && c <= '9'; });
    if (digits == 0 || digits > k_most_digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = 10 * value + (text[at + i] - '0');
    if (value > k_largest) return std::nullopt;
    at += digits;
  }
  const bool goes_on = at < text.size() && (is_word(text[at]) || text[at] == '-');
  if (goes_on || (at + 1 < text.size() && text[at] == '.' && is_word(text[at + 1]))) return std::nullopt;
  return Match{at, "[address]"};
}

// "fe80::21a:2bff:fe3c:4d5e". PCI addresses have two colons.
std::optional<Match> match_ipv6(std::string_view text, char before) {
  constexpr std::ptrdiff_t k_least_colons = 3, k_whole = 7;
  if (is_word(before) || before == ':') return std::nullopt;
  const std::size_t length = run_of(text, [](char c) { return is_hex(c) || c == ':'; });
  const std::string_view address = text.substr(0, length);
  const std::ptrdiff_t colons = std::ranges::count(address, ':');
  const bool shortened = address.find("::") != std::string_view::npos;
  if (colons < k_least_colons || colons > k_whole || (!shortened && colons != k_whole)) return std::nullopt;
  if (length < text.size() && is_word(text[length])) return std::nullopt;
  return Match{length, "[address]"};
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

constexpr std::array<Rule, 9> k_rules{match_home, match_uuid, match_gpu_id,  match_digits, match_mac,
                                      match_ipv4, match_ipv6, match_account, match_serial};

}  // namespace

std::optional<RedactMatch> match_anybodys(std::string_view text, char before) {
  for (const Rule rule : k_rules) {
    if (auto match = rule(text, before)) return match;
  }
  return std::nullopt;
}

}  // namespace convoy
