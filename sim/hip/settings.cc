// Reads the switches. Whatever cannot be understood is an error, never ignored: a test whose injected failure has a
// misspelt name would pass for the wrong reason.
#include "sim/hip/settings.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include "sim/hip/card.h"
#include "sim/hip/symbols.h"

namespace convoy::hip {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::size_t end = text.find(separator);
    if (std::string_view part = text.substr(0, end); !part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::string read_switch(std::string_view text, bool& value) {
  if (text != "0" && text != "1") return quoted(text) + " is neither 0 nor 1; set one of them";
  value = text == "1";
  return {};
}

std::string read_devices(std::string_view text, Settings& settings) {
  std::vector<std::string> devices;
  if (text != "none") {
    for (std::string_view name : split(text, ',')) {
      if (find_card(name) == nullptr) return quoted(name) + " is not simulated; there are: " + card_names();
      devices.emplace_back(name);
    }
    if (devices.empty()) return "no device named; \"none\" is a machine without any";
  }
  settings.devices = std::move(devices);
  ++settings.machine;
  return {};
}

std::string read_memory(std::string_view text, Settings& settings) {
  std::uint64_t bytes = 0;
  if (!read_number(text, bytes) || bytes == 0) return quoted(text) + " is no number of bytes";
  settings.memory = bytes;
  ++settings.machine;
  return {};
}

std::string read_failures(std::string_view text, Settings& settings) {
  std::vector<PlannedFailure> failures;
  for (std::string_view entry : split(text, ',')) {
    std::vector<std::string_view> fields = split(entry, ':');
    PlannedFailure failure{.call = std::string(fields.empty() ? entry : fields[0])};
    if (fields.size() < 2 || fields.size() > 3 || !read_number(fields[1], failure.calls_left) ||
        failure.calls_left == 0) {
      return quoted(entry) + ": expected call:n or call:n:code";
    }
    if (fields.size() == 3 && (!read_number(fields[2], failure.code) || failure.code <= 0)) {
      return quoted(fields[2]) + " is no error code";
    }
    if (!is_emulated(failure.call)) return quoted(failure.call) + " is no call that the stand-in emulates";
    failures.push_back(std::move(failure));
  }
  settings.failures = std::move(failures);
  return {};
}

struct Switch {
  const char* name;
  const char* variable;
  std::string (*read)(std::string_view text, Settings& settings);
};

constexpr std::array<Switch, 8> k_switches{{
    {"devices", "CONVOY_SIM_DEVICES", read_devices},
    {"memory", "CONVOY_SIM_MEMORY", read_memory},
    {"late", "CONVOY_SIM_LATE", [](std::string_view text, Settings& to) { return read_switch(text, to.late); }},
    {"race", "CONVOY_SIM_RACE", [](std::string_view text, Settings& to) { return read_switch(text, to.race); }},
    {"log", "CONVOY_SIM_LOG", [](std::string_view text, Settings& to) { return read_switch(text, to.log); }},
    {"fail", "CONVOY_SIM_FAIL", read_failures},
    {"report", "CONVOY_SIM_REPORT",
     [](std::string_view text, Settings& to) { return to.report_path = text, std::string(); }},
    {"hiprtc", "CONVOY_SIM_HIPRTC",
     [](std::string_view text, Settings& to) { return to.hiprtc_path = text, std::string(); }},
}};

}  // namespace

Settings default_settings() {
  Settings settings;
  for (const Card& card : all_cards()) settings.devices.emplace_back(card.architecture);
  return settings;
}

std::string apply_settings(std::string_view text, Settings& settings) {
  Settings changed = settings;
  for (std::string_view entry : split(text, ';')) {
    std::size_t equals = entry.find('=');
    std::string_view name = entry.substr(0, equals);
    const Switch* found = nullptr;
    for (const Switch& candidate : k_switches) {
      if (name == candidate.name) found = &candidate;
    }
    if (found == nullptr || equals == std::string_view::npos) return quoted(entry) + ": no such switch";
    if (std::string wrong = found->read(entry.substr(equals + 1), changed); !wrong.empty()) {
      return std::string(name) + ": " + wrong;
    }
  }
  settings = std::move(changed);
  return {};
}

std::string apply_environment(Settings& settings) {
  for (const Switch& entry : k_switches) {
    const char* text = std::getenv(entry.variable);
    if (text == nullptr || *text == '\0') continue;
    if (std::string wrong = entry.read(text, settings); !wrong.empty()) {
      return std::string(entry.variable) + ": " + wrong;
    }
  }
  return {};
}

}  // namespace convoy::hip
