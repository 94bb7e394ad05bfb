// GPUs of AMD through HIP and of NVIDIA through the CUDA driver: one implementation over two tables (gpu_api.h). A simulated
// AMD GPU is a HIP device whose runtime comes from sim/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"

namespace convoy {

// Names of the devices that say what they are, in the runtime's order. An Error says why there is none.
Result<std::vector<std::string>> list_hip_devices();
Result<std::vector<std::string>> list_cuda_devices();
Result<std::unique_ptr<Device>> open_hip_device(int index);
Result<std::unique_ptr<Device>> open_cuda_device(int index);

// "gfx1010": the simulated machine's first card of that architecture.
Result<std::unique_ptr<Device>> open_simulated_device(std::string_view architecture);

}  // namespace convoy
