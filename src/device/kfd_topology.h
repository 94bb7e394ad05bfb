// What the kernel's compute driver says of a node (/sys/class/kfd/kfd/topology/nodes/N/properties): lines "label number", see
// node_show() in the kernel's drivers/gpu/drm/amd/amdkfd/kfd_topology.c.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace convoy {

// The number behind `label`; -1: there is no such whole line, or no number that fits.
std::int64_t kfd_property(std::string_view properties, std::string_view label);

// gfx_target_version, 10^4 major + 100 minor + stepping, as a name: 100100 is "gfx1010", 90010 "gfx90a". Empty: not plausible.
std::string gfx_name(std::int64_t target_version);

}  // namespace convoy
