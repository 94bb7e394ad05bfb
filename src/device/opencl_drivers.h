// Which OpenCL drivers are registered on this system (/etc/OpenCL/vendors/*.icd, a file for each with the library's name), read
// before the loader loads them all into this process.
#pragma once

#include <string>

#include "base/result.h"

namespace convoy {

struct OpenclDrivers {
  bool pocl = false;    // PoCL, which computes on the processor
  bool others = false;  // or drivers that cannot be told from here
};
OpenclDrivers registered_opencl_drivers(const std::string& folder = "/etc/OpenCL/vendors");

// PoCL 3.1 calls abort() where /sys is not mounted, as in some containers ("Not enough memory to run on this device").
Result<void> may_load_pocl(const OpenclDrivers& drivers, const std::string& system_folder = "/sys/devices/system/cpu");

}  // namespace convoy
