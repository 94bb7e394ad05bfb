// The simulated cards: one model per architecture, with the numbers that a program may ask for. Counts of units, clocks and
// memory are round and plausible, nobody's product; what decides whether code runs (architecture, wave size, local memory,
// threads in a group) is right.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/hip/abi.h"

namespace convoy::hip {

struct Card {
  std::string_view architecture;  // "gfx906"
  std::string_view full_name;     // with the features of the compiler's target: "gfx906:sramecc+:xnack-"
  int major, minor, stepping;
  int wave_size;
  int compute_units;  // on gfx10 and newer these are work-group processors' halves, as HIP counts them
  int clock_khz;
  int threads_per_unit;
};

std::span<const Card> all_cards();
const Card* find_card(std::string_view architecture);
std::string card_names();

DeviceProperties properties_of(const Card& card, int ordinal, std::uint64_t memory);
// Empty where the stand-in has no answer. gcn_arch_name is no number: the caller's business.
std::optional<int> attribute_of(const DeviceProperties& properties, Attribute attribute);

constexpr std::size_t k_local_memory = 65536;
constexpr unsigned k_max_threads = 1024;

}  // namespace convoy::hip
