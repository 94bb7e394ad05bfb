// Implementation of opencl_drivers.h.
#include "device/opencl_drivers.h"

#include <filesystem>

#include "base/file.h"
#include "base/settings.h"

#include <fmt/format.h>

namespace convoy {

OpenclDrivers registered_opencl_drivers(const std::string& folder) {
  OpenclDrivers drivers;
  // Of the loaders: another folder, or libraries by name.
  for (const char* variable : {"OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "OPENCL_VENDOR_PATH"})
    drivers.others = drivers.others || !Settings::environment(variable).empty();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".icd") continue;
    const auto text = read_file(entry.path().string(), 4096);
    const bool pocl = text && text->find("libpocl") != std::string::npos;
    (pocl ? drivers.pocl : drivers.others) = true;
  }
  return drivers;
}

Result<void> may_load_pocl(const OpenclDrivers& drivers, const std::string& system_folder) {
  std::error_code error;
  if (!drivers.pocl || std::filesystem::exists(system_folder, error)) return {};
  return fail(ErrorCode::unsupported, fmt::format("OpenCL's drivers are not loaded: PoCL is among them and would end "
                                                  "this process, because there is no {}",
                                                  system_folder));
}

}  // namespace convoy
