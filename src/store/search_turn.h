// The right to search: one thread of one process at a time, among all that share a folder.
//
// A record lock (fcntl), not flock(): a forked child must not inherit it, or the others would wait as long as that child lives.
// Record locks do not know threads, hence the mutex; and they fall when any descriptor of the file is closed, so only this
// opens it.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/descriptor.h"

namespace convoy {

// Held until destroyed.
class SearchTurn {
 public:
  SearchTurn() = default;  // of a folder that cannot be locked: everybody's
  SearchTurn(std::unique_lock<std::timed_mutex> thread, Descriptor file)
      : thread_(std::move(thread)), file_(std::move(file)) {}

 private:
  std::unique_lock<std::timed_mutex> thread_;
  Descriptor file_;  // closed first
};

// Nothing when another still has it after `patience`. Who has waited in vain does not wait again for some minutes: what holds it
// may never end.
std::optional<SearchTurn> take_search_turn(const std::string& folder, std::chrono::milliseconds patience);

}  // namespace convoy
