// Options from the environment, the registry of memory, statistics: the small parts of the interface.
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "amdgpu.h"

namespace convoy::amdgpu {
namespace {

bool is_on(const char* name) {
  const char* value = std::getenv(name);
  return value && *value && std::strcmp(value, "0") != 0;
}
int number(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : 0;
}

Options from_environment() {
  return {
      .race = is_on("CONVOY_SIM_RACE"),
      .statistics = is_on("CONVOY_SIM_STATISTICS"),
      .trace = is_on("CONVOY_SIM_TRACE"),
      .reverse = is_on("CONVOY_SIM_REVERSE"),
      .lds_overrun = is_on("CONVOY_SIM_LDS_OVERRUN"),
      .overread = static_cast<unsigned>(number("CONVOY_SIM_OVERREAD")),
      .threads = number("CONVOY_SIM_THREADS"),
  };
}

}  // namespace

const Options& Options::defaults() {
  static const Options options = from_environment();
  return options;
}

void Memory::add(const void* address, std::size_t size) {
  std::unique_lock lock(mutex_);
  blocks_[reinterpret_cast<std::uintptr_t>(address)] = size;
}

void Memory::remove(const void* address) {
  std::unique_lock lock(mutex_);
  blocks_.erase(reinterpret_cast<std::uintptr_t>(address));
}

std::optional<Memory::Block> Memory::find(const void* address) const {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::shared_lock lock(mutex_);
  auto after = blocks_.upper_bound(wanted);
  if (after == blocks_.begin()) return std::nullopt;
  const auto& [begin, size] = *--after;
  if (wanted - begin >= size) return std::nullopt;
  return Block{begin, size};
}

std::vector<Memory::Block> Memory::blocks() const {
  std::shared_lock lock(mutex_);
  std::vector<Block> all;
  for (const auto& [begin, size] : blocks_) all.push_back({begin, size});
  return all;
}

Statistics& Statistics::operator+=(const Statistics& more) {
  for (auto member : {&Statistics::instructions, &Statistics::valu, &Statistics::fma, &Statistics::salu,
                      &Statistics::smem, &Statistics::vmem, &Statistics::lds, &Statistics::barrier, &Statistics::other,
                      &Statistics::lanes, &Statistics::flops, &Statistics::lds_cycles, &Statistics::lds_cycles_least,
                      &Statistics::memory_lines, &Statistics::memory_lines_least}) {
    this->*member += more.*member;
  }
  return *this;
}

}  // namespace convoy::amdgpu
