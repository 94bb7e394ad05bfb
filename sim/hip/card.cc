// The table of cards. A new architecture of the simulator is one row here.
#include "sim/hip/card.h"

#include <array>
#include <climits>
#include <cstring>

namespace convoy::hip {
namespace {

constexpr std::array<Card, 9> k_cards{{
    {"gfx803", "gfx803", 8, 0, 3, 64, 36, 1'340'000, 2560},
    {"gfx900", "gfx900:xnack-", 9, 0, 0, 64, 56, 1'500'000, 2560},
    {"gfx906", "gfx906:sramecc+:xnack-", 9, 0, 6, 64, 60, 1'725'000, 2560},
    {"gfx908", "gfx908:sramecc+:xnack-", 9, 0, 8, 64, 120, 1'502'000, 2560},
    {"gfx90a", "gfx90a:sramecc+:xnack-", 9, 0, 10, 64, 104, 1'700'000, 2048},
    {"gfx1010", "gfx1010:xnack-", 10, 1, 0, 32, 40, 1'900'000, 1280},
    {"gfx1030", "gfx1030", 10, 3, 0, 32, 60, 2'200'000, 1024},
    {"gfx1032", "gfx1032", 10, 3, 2, 32, 32, 2'400'000, 1024},
    {"gfx1100", "gfx1100", 11, 0, 0, 32, 96, 2'500'000, 1024},
}};

// Of hipDeviceArch_t's 17 bits all but the last two rows' surface functions and dynamic parallelism.
constexpr std::uint32_t k_all_features = 0x0ffff & ~(1u << 14);

template <std::size_t size>
void set_text(char (&field)[size], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), size - 1));
}

}  // namespace

std::span<const Card> all_cards() {
  return k_cards;
}

const Card* find_card(std::string_view architecture) {
  for (const Card& card : k_cards) {
    if (card.architecture == architecture) return &card;
  }
  return nullptr;
}

std::string card_names() {
  std::string names;
  for (const Card& card : k_cards) names.append(names.empty() ? "" : ", ").append(card.architecture);
  return names;
}

DeviceProperties properties_of(const Card& card, int ordinal, std::uint64_t memory) {
  DeviceProperties p{};
  set_text(p.name, "Simulated " + std::string(card.architecture) + " (software)");
  set_text(p.gcn_arch_name, card.full_name);
  p.gcn_arch = card.major * 100 + card.minor * 10 + card.stepping;
  p.total_memory = memory;
  p.shared_memory_per_block = p.shared_memory_per_unit = k_local_memory;
  p.registers_per_block = 65536;
  p.warp_size = card.wave_size;
  p.max_threads_per_block = static_cast<int>(k_max_threads);
  for (int axis = 0; axis < 3; ++axis) {
    p.max_block[axis] = static_cast<int>(k_max_threads);
    p.max_grid[axis] = INT_MAX;
  }
  p.clock_khz = card.clock_khz;
  p.memory_clock_khz = 1'000'000;
  p.memory_bus_bits = 256;
  p.constant_memory = INT_MAX;
  p.major = card.major;
  p.minor = card.minor;
  p.compute_units = card.compute_units;
  p.l2_bytes = 4 << 20;
  p.max_threads_per_unit = card.threads_per_unit;
  p.timer_khz = 100'000;
  p.features = k_all_features;
  p.concurrent_kernels = 1;
  p.pci_bus = 3 + ordinal;
  p.can_map_host_memory = 1;
  p.max_pitch = INT_MAX;
  p.texture_alignment = p.texture_pitch_alignment = 256;
  p.managed_memory = 1;
  return p;
}

std::optional<int> attribute_of(const DeviceProperties& p, Attribute attribute) {
  switch (attribute) {
    case Attribute::can_map_host_memory: return p.can_map_host_memory;
    case Attribute::clock_khz: return p.clock_khz;
    case Attribute::compute_mode: return p.compute_mode;
    case Attribute::concurrent_kernels: return p.concurrent_kernels;
    case Attribute::integrated: return p.integrated;
    case Attribute::l2_bytes: return p.l2_bytes;
    case Attribute::major: return p.major;
    case Attribute::minor: return p.minor;
    case Attribute::managed_memory: return p.managed_memory;
    case Attribute::max_block_x: return p.max_block[0];
    case Attribute::max_block_y: return p.max_block[1];
    case Attribute::max_block_z: return p.max_block[2];
    case Attribute::max_grid_x: return p.max_grid[0];
    case Attribute::max_grid_y: return p.max_grid[1];
    case Attribute::max_grid_z: return p.max_grid[2];
    case Attribute::max_threads_per_block: return p.max_threads_per_block;
    case Attribute::max_threads_per_unit: return p.max_threads_per_unit;
    case Attribute::max_pitch: return static_cast<int>(p.max_pitch);
    case Attribute::memory_bus_bits: return p.memory_bus_bits;
    case Attribute::memory_clock_khz: return p.memory_clock_khz;
    case Attribute::compute_units:
    case Attribute::physical_compute_units: return p.compute_units;
    case Attribute::pci_bus: return p.pci_bus;
    case Attribute::pci_device: return p.pci_device;
    case Attribute::pci_domain: return p.pci_domain;
    case Attribute::registers_per_block:
    case Attribute::registers_per_unit: return p.registers_per_block;
    case Attribute::shared_memory_per_block: return static_cast<int>(p.shared_memory_per_block);
    case Attribute::shared_memory_per_unit: return static_cast<int>(p.shared_memory_per_unit);
    case Attribute::texture_alignment: return static_cast<int>(p.texture_alignment);
    case Attribute::constant_memory: return static_cast<int>(p.constant_memory);
    case Attribute::total_memory: return static_cast<int>(std::min<std::size_t>(p.total_memory, INT_MAX));
    case Attribute::warp_size: return p.warp_size;
    case Attribute::memory_pools: return 0;
    case Attribute::timer_khz: return p.timer_khz;
    case Attribute::gcn_arch: return p.gcn_arch;
    case Attribute::gcn_arch_name: break;
  }
  return std::nullopt;
}

}  // namespace convoy::hip
