// What a GPU says of itself, and what the kernel says of it. All of it is taken with care: a broken runtime may answer anything.
#pragma once

#include <string>
#include <string_view>

#include "device/gpu_api.h"

namespace convoy {

// What to compile for: "gfx906:sramecc+:xnack-", "sm_90".
Result<std::string> architecture_of(const GpuApi& api, int device);
// "AMD Radeon RX 5600 XT"
std::string model_of(const GpuApi& api, int device);
// What it answers for one of its attributes, 0 where that is no plausible number.
int attribute_of(const GpuApi& api, int attribute, int device);

// The silicon's own architecture where HSA_OVERRIDE_GFX_VERSION passes it off as `pretended`, from the kernel's topology
// below `topology`, where the card is found by its place on the PCI bus; empty where it does not, or where that cannot be known.
std::string real_architecture_of(const GpuApi& api, int device, std::string_view pretended,
                                 const std::string& topology = "/sys/class/kfd/kfd/topology/nodes");

// Vendor and device of its place on the PCI bus, "1002:731f"; empty where `devices` does not have it.
std::string pci_id_of(const GpuApi& api, int device, const std::string& devices = "/sys/bus/pci/devices");

struct VersionFacts {
  std::string driver;   // of the kernel's module
  std::string runtime;  // "HIP 5.2.21153", "CUDA 13.0"
};
VersionFacts versions_of(const GpuApi& api);

// `text` as it may go into keys and messages: printable ASCII, the rest as '?', at most 128 bytes.
std::string printable_name(std::string_view text);

}  // namespace convoy
