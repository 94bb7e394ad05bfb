// The list of backends: one line each, best first. "auto" takes the first that opens.
#include <array>

#include "device/device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convoy {
namespace {

constexpr std::array<std::string_view, 1> k_names{"cpu"};

}  // namespace

DeviceList list_devices() {
  return {{k_names.begin(), k_names.end()}, {}};
}

Result<std::unique_ptr<Device>> open_device(std::string_view name) {
  if (name == "cpu" || name == "auto") return make_cpu_device();
  return fail(ErrorCode::invalid_argument, fmt::format("device '{}' is not known here; choose auto or one of: {}", name,
                                                       fmt::join(list_devices().names, ", ")));
}

}  // namespace convoy
