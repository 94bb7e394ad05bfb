// What `convoy db show` prints: the store's contents as tables or JSON, and what follows from them (quarantine).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace convoy {

// One (solver, problem class, device, library) whose young incidents add up to a quarantine.
struct Quarantine {
  TrialKey key;  // without a problem: it spans batch sizes
  int strikes = 0;
  std::int64_t until = 0;  // when so many incidents are forgiven that it is tried again
};
std::vector<Quarantine> quarantines(const std::vector<Incident>& incidents, std::chrono::hours forgiveness,
                                    std::int64_t now);

// Keeps what is about a problem or problem class that contains `text`; everything where it is empty.
void keep_matching(Store::Contents& contents, const std::string& text);
// Keeps the kernels and nothing else.
void keep_kernels(Store::Contents& contents);
// What all kernels together take in the file.
std::uint64_t stored_bytes(const Store::Contents& contents);

std::string contents_as_tables(const Store::Contents& contents, const std::vector<Quarantine>& quarantined);
std::string contents_as_json(const Store::Contents& contents, const std::vector<Quarantine>& quarantined);

}  // namespace convoy
