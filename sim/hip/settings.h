// The switches of the stand-in, from CONVOY_SIM_* variables or from convoy_sim_configure(): what machine it shows, which
// calls fail, when queued work runs. docs/sim.md describes each; the table in settings.cc is the list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::hip {

// The call that is to fail, once.
struct PlannedFailure {
  std::string call;
  std::uint64_t calls_left = 1;  // counts down; the call that takes it to 0 fails
  int code = 0;                  // 0: what that call usually fails with
};

struct Settings {
  std::vector<std::string> devices;   // an architecture each
  std::uint64_t memory = 8ull << 30;  // bytes a card
  std::uint64_t machine = 0;          // counts new machines: each mention of devices or memory is one
  bool late = false;                  // queued work runs when something waits for it
  bool race = false;                  // kernels that race in local memory fault
  bool log = false;                   // refusals are written to stderr as they happen
  std::vector<PlannedFailure> failures;
  std::string report_path;  // the report is written there when the process ends
  std::string hiprtc_path;  // the library that compiles, instead of the system's
};

// The machine nobody configured: one card of each architecture.
Settings default_settings();
// "late=1;fail=hipMalloc:3,hipFree:1". What is wrong with the text, or nothing; then `settings` is changed.
std::string apply_settings(std::string_view text, Settings& settings);
// The same from CONVOY_SIM_LATE, CONVOY_SIM_FAIL and so on.
std::string apply_environment(Settings& settings);

}  // namespace convoy::hip
