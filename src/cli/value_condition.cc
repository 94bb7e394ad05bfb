// The tests that conditions of rules make of values, which strangers wrote.
#include "cli/value_condition.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/setting_value.h"

namespace convoy {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool in_list(std::string_view list, std::string_view value) {
  return std::ranges::any_of(split(list, '|'), [&](std::string_view one) { return same_letters(one, value); });
}

constexpr std::string_view k_on = "1|yes|on|true|enable|enabled";
constexpr std::string_view k_off = "0|no|off|false|disable|disabled";

bool has_quotes(std::string_view value) {
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  return !value.empty() && (is_quote(value.front()) || is_quote(value.back()));
}

bool is_version(std::string_view value) {
  const auto parts = split(value, '.');
  return parts.size() == 3 && std::ranges::all_of(parts, [](std::string_view part) {
           return !part.empty() && part.size() <= 3 &&
                  std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
         });
}

bool in_range(std::string_view first_and_last, std::string_view value) {
  const auto bounds = split(first_and_last, '|');
  const auto number = parse_integer(value);
  const auto first = parse_integer(bounds.front());
  const auto last = parse_integer(bounds.back());
  return number && first && last && *first <= *number && *number <= *last;
}

// --- PyTorch's allocator: option:value,option:value; blanks do not count ---

bool allocator_value_is_right(std::string_view key, std::string_view value) {
  constexpr std::int64_t k_smallest_split_mb = 20;  // PyTorch wants more than this
  if (value.empty()) return false;
  if (key == "max_split_size_mb") {
    const auto number = parse_integer(value);
    return number && *number > k_smallest_split_mb;
  }
  if (key == "garbage_collection_threshold") {
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    return error == std::errc{} && end == value.data() + value.size() && number > 0 && number < 1;
  }
  if (key == "backend") return in_list("native|cudaMallocAsync|hipMallocAsync", value);
  if (key == "pinned_num_register_threads" || key == "pinned_reserve_segment_size_mb") {
    const auto number = parse_integer(value);
    return number && *number > 0;
  }
  if (key == "roundup_power2_divisions") return true;  // a number, or a list with a grammar of its own
  return value == "True" || value == "False";
}

bool allocator_accepts(std::string_view text) {
  constexpr std::array k_options = {std::string_view("max_split_size_mb"),
                                    std::string_view("max_non_split_rounding_mb"),
                                    std::string_view("garbage_collection_threshold"),
                                    std::string_view("expandable_segments"),
                                    std::string_view("roundup_power2_divisions"),
                                    std::string_view("backend"),
                                    std::string_view("release_lock_on_cudamalloc"),
                                    std::string_view("release_lock_on_hipmalloc"),
                                    std::string_view("pinned_use_cuda_host_register"),
                                    std::string_view("pinned_use_hip_host_register"),
                                    std::string_view("pinned_num_register_threads"),
                                    std::string_view("pinned_reserve_segment_size_mb"),
                                    std::string_view("pinned_use_background_threads"),
                                    std::string_view("graph_capture_record_stream_reuse"),
                                    std::string_view("per_process_memory_fraction")};
  std::string dense;
  std::ranges::copy_if(text, std::back_inserter(dense), [](char c) { return c != ' '; });
  std::string_view rest = dense;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view key = rest.substr(0, colon);
    if (std::ranges::find(k_options, key) == k_options.end()) return false;
    rest.remove_prefix(colon + 1);
    // The one value with commas in it: [256:1,512:2].
    const auto close = rest.starts_with('[') ? rest.find(']') : 0;
    if (close == std::string_view::npos) return false;
    const auto end = std::min(rest.find(',', close), rest.size());
    if (key == "max_non_split_rounding_mb" || key == "per_process_memory_fraction") {
      if (end == 0) return false;
    } else if (!allocator_value_is_right(key, rest.substr(0, end))) {
      return false;
    }
    if (end + 1 == rest.size()) return false;  // a comma and nothing behind it
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

// --- folders ---

std::filesystem::path folder_of(std::string_view value, const FolderContext& folders) {
  const bool at_home = value == "~" || value.starts_with("~/");
  return folders.root + (at_home ? folders.home + std::string(value.substr(1)) : std::string(value));
}

bool may_write(std::filesystem::path folder) {
  std::error_code error;
  while (!std::filesystem::exists(folder, error)) {
    // Beneath a file, not merely missing.
    if (error && error != std::errc::no_such_file_or_directory) return false;
    if (!folder.has_relative_path()) return false;
    folder = folder.parent_path();
  }
  return std::filesystem::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0;
}

bool folder_passes(ValueTest test, std::string_view value, const FolderContext& folders) {
  const std::filesystem::path folder = folder_of(value, folders);
  std::error_code error;
  if (test == ValueTest::missing_folder) return !std::filesystem::is_directory(folder, error);
  if (test == ValueTest::unwritable_folder) return !may_write(folder);
  return folders.on_network ? folders.on_network(folder.string()) : on_network_filesystem(folder.string());
}

}  // namespace

bool passes(const ValueCondition& condition, std::string_view value, const FolderContext& folders) {
  using enum ValueTest;
  const bool readable = !value.empty() && !has_quotes(value);
  switch (condition.test) {
    case always: return true;
    case empty: return value.empty();
    case quoted: return has_quotes(value);
    case is: return readable && in_list(condition.pattern, value);
    case is_not: return readable && !in_list(condition.pattern, value);
    case on: return readable && in_list(k_on, value);
    case off: return readable && in_list(k_off, value);
    case not_boolean: return readable && !in_list(k_on, value) && !in_list(k_off, value);
    case not_in_range: return readable && !in_range(condition.pattern, value);
    case version: return readable && is_version(value);
    case not_version: return readable && !is_version(value);
    case bad_allocator: return readable && !allocator_accepts(value);
    case missing_folder:
    case unwritable_folder:
    case network_folder: return readable && folder_passes(condition.test, value, folders);
  }
  return false;
}

}  // namespace convoy
