// The list of backends: one line each, best first. "auto" takes the first that opens.
#include <array>

#include "device/device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convoy {
namespace {

struct Backend {
  std::string_view name;
  std::unique_ptr<Device> (*open)();  // null when it is not on this machine
};

constexpr std::array<Backend, 1> k_backends{{
    {"cpu", make_cpu_device},
}};

}  // namespace

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (const Backend& backend : k_backends) names.emplace_back(backend.name);
  return names;
}

Result<std::unique_ptr<Device>> open_device(std::string_view name) {
  for (const Backend& backend : k_backends) {
    if (name != "auto" && name != backend.name) continue;
    if (auto device = backend.open()) return device;
  }
  return fail(ErrorCode::invalid_argument, fmt::format("device '{}' is not known here; choose auto or one of: {}", name,
                                                       fmt::join(device_names(), ", ")));
}

}  // namespace convoy
