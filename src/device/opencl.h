// OpenCL 1.2 devices through the system's ICD loader, opened at run time. Memory handles are cl_mem of the device's own context,
// streams are cl_command_queue of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"

namespace convoy {

// Models of the devices of all platforms, in the loader's order. An Error says why there is none.
struct OpenclListing {
  std::string model;
  bool is_gpu;
};
Result<std::vector<OpenclListing>> list_opencl_devices();

// The device at `index` of that list, named "opencl:<index>".
Result<std::unique_ptr<Device>> open_opencl_device(int index);

}  // namespace convoy
