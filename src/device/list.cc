// The list of backends: one line each, best first. "auto" takes the first device that opens, but no OpenCL driver of the host
// processor and nothing simulated.
#include <array>
#include <charconv>
#include <optional>

#include "base/signal_keeper.h"
#include "device/cuda_hip.h"
#include "device/device.h"
#include "device/opencl.h"
#include "device/opencl_drivers.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// A device as its backend lists it.
struct Listed {
  std::string name;
  bool automatic;  // "auto" may take it
};

struct Backend {
  std::string_view name;
  Result<std::vector<Listed>> (*list)();
  Result<std::unique_ptr<Device>> (*open)(int index);
};

Result<std::vector<Listed>> list_cpu() {
  return std::vector<Listed>{{"cpu", true}};
}
Result<std::unique_ptr<Device>> open_cpu(int index) {
  if (index != 0) return fail(ErrorCode::invalid_argument, "there is one cpu device: cpu");
  return make_cpu_device();
}

Result<std::vector<Listed>> list_opencl() {
  CONVOY_TRY(const auto devices, list_opencl_devices());
  std::vector<Listed> listed;
  for (std::size_t i = 0; i < devices.size(); ++i) listed.push_back({fmt::format("opencl:{}", i), devices[i].is_gpu});
  return listed;
}

Result<std::vector<Listed>> all_automatic(Result<std::vector<std::string>> names) {
  if (!names) return tl::unexpected<Error>(std::move(names.error()));
  std::vector<Listed> listed;
  for (std::string& name : *names) listed.push_back({std::move(name), true});
  return listed;
}
Result<std::vector<Listed>> list_hip() {
  return all_automatic(list_hip_devices());
}
Result<std::vector<Listed>> list_cuda() {
  return all_automatic(list_cuda_devices());
}

constexpr std::array<Backend, 4> k_backends{{
    {"hip", list_hip, open_hip_device},
    {"cuda", list_cuda, open_cuda_device},
    {"opencl", list_opencl, open_opencl_device},
    {"cpu", list_cpu, open_cpu},
}};

// "opencl:1" is backend opencl, index 1; without a number the first.
std::optional<int> index_for(const Backend& backend, std::string_view name) {
  if (name.substr(0, backend.name.size()) != backend.name) return std::nullopt;
  name.remove_prefix(backend.name.size());
  if (name.empty()) return 0;
  int index = -1;
  const auto read = std::from_chars(name.data() + 1, name.data() + name.size(), index);
  if (name.front() != ':' || read.ec != std::errc{} || read.ptr != name.data() + name.size() || index < 0)
    return std::nullopt;
  return index;
}

Result<std::unique_ptr<Device>> open_best() {
  for (const Backend& backend : k_backends) {
    // PoCL alone has nothing for "auto", and brings all of LLVM into the process.
    if (backend.name == "opencl" && !registered_opencl_drivers().others) continue;
    const auto listed = backend.list();
    if (!listed) continue;
    for (const Listed& one : *listed) {
      if (!one.automatic) continue;
      if (auto device = backend.open(index_for(backend, one.name).value_or(0))) return device;
    }
  }
  return open_cpu(0);
}

}  // namespace

DeviceList list_devices() {
  const SignalKeeper keeper;
  DeviceList list;
  for (const Backend& backend : k_backends) {
    const auto listed = backend.list();
    if (!listed) {
      list.absent.push_back(fmt::format("{}: {}", backend.name, listed.error().message));
      continue;
    }
    for (const Listed& one : *listed) list.names.push_back(one.name);
  }
  return list;
}

Result<std::unique_ptr<Device>> open_device(std::string_view name) {
  const SignalKeeper keeper;
  if (name == "auto") return open_best();
  constexpr std::string_view k_simulated = "sim:";
  if (name == "sim") name = k_simulated;  // answered with the cards there are
  if (name.substr(0, k_simulated.size()) == k_simulated) return open_simulated_device(name.substr(k_simulated.size()));
  for (const Backend& backend : k_backends) {
    const auto index = index_for(backend, name);
    if (!index) continue;
    auto device = backend.open(*index);
    if (device) return device;
    return fail(ErrorCode::invalid_argument,
                fmt::format("device '{}' cannot be used here: {}; choose auto, or one that `convoy devices` shows",
                            name, device.error().message));
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("unknown device '{}'; write auto, cpu, hip, cuda or opencl, hip:1 for the second of a kind, "
                          "sim:gfx1010 for a simulated card (`convoy devices` shows what is here)",
                          name));
}

}  // namespace convoy
