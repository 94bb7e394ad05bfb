// One card of the simulated machine and its state. An error that a kernel caused stays, as on hardware: every later call on
// that card returns it until hipDeviceReset().
#pragma once

#include <cstdint>
#include <memory>

#include "sim/amdgpu/amdgpu.h"
#include "sim/hip/abi.h"
#include "sim/hip/card.h"

namespace convoy::hip {

struct Device {
  int ordinal;
  const Card* card;
  std::uint64_t memory_total;
  std::uint64_t memory_used = 0;
  Error error = Error::success;
  amdgpu::Memory visible;  // what its kernels may touch; Memory keeps it

  Device(int number, const Card* model, std::uint64_t memory) : ordinal(number), card(model), memory_total(memory) {}
};

using DevicePointer = std::shared_ptr<Device>;

}  // namespace convoy::hip
