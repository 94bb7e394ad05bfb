// Who wrote an intent, and whether that process still lives. A process number alone is not enough: numbers
// are used again, another container has its own, and another boot forgets them all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/records.h"

namespace convoy {

struct ProcessIdentity {
  std::int64_t pid = 0;
  std::int64_t started = 0;   // clock ticks since boot; 0: unknown
  std::string pid_namespace;  // "pid:[4026531836]"; empty: unknown
  std::string boot;           // changes with every boot; empty: unknown
  std::string host;
};

// The calling process; `host` replaces the machine's name unless empty.
ProcessIdentity this_process(std::string_view host);
std::string host_name();

// Why the intent's process can no longer give a verdict; nothing while it may still do so.
std::optional<std::string_view> why_abandoned(const IntentRow& row, const ProcessIdentity& self, std::int64_t now);

}  // namespace convoy
