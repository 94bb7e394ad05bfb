// The parts that detect() is made of; for detect*.cc only.
#pragma once

#include <string>
#include <vector>

#include "device/detect.h"
#include "device/rooted_files.h"

namespace convoy {

DeviceNode look_at_device(RootedFiles& files, const std::string& path);
// Needs `found.driver` and `found.kfd`.
std::vector<DetectedGpu> find_gpus(RootedFiles& files, const Detection& found);
std::vector<RocmInstall> find_rocm(RootedFiles& files);
std::vector<DetectedLibrary> find_libraries(RootedFiles& files, const DetectOptions& options,
                                            const std::vector<RocmInstall>& installs);

}  // namespace convoy
