// Implementation of gpu_facts.h.
#include "device/gpu_facts.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "base/file.h"
#include "base/settings.h"
#include "device/kfd_topology.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// "gfx" and what follows of an architecture's name at `text`.
std::string architecture_at(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && (std::isalnum(static_cast<unsigned char>(text[length])) != 0 || text[length] == ':' ||
                                  text[length] == '+' || text[length] == '-')) {
    ++length;
  }
  return std::string(text.substr(0, length));
}

// hipDeviceProp_t begins with a name of 256 bytes; where gcnArchName stands differs between ROCm 5 (byte 396) and 6 and newer, and
// it is the only text after the name that begins with "gfx".
Result<std::string> hip_architecture(const GpuApi& api, int device) {
  std::array<char, 8192> properties{};
  if (const GpuStatus status = api.hip_properties(properties.data(), device); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "hipGetDeviceProperties", status));
  const std::string_view all(properties.data(), properties.size() - 1);
  const std::size_t at = all.find("gfx", 256);
  if (at == std::string_view::npos) return fail(ErrorCode::device, "HIP does not name the device's architecture");
  std::string architecture = architecture_at(all.substr(at, 64));
  if (architecture.size() < 6) return fail(ErrorCode::device, "HIP names no architecture but " + architecture);
  return architecture;
}

Result<std::string> cuda_architecture(const GpuApi& api, int device) {
  constexpr int k_major = 75, k_minor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
  int major = 0, minor = 0;
  if (const GpuStatus status = api.device_attribute(&major, k_major, device); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "cuDeviceGetAttribute", status));
  if (const GpuStatus status = api.device_attribute(&minor, k_minor, device); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "cuDeviceGetAttribute", status));
  if (major < 1 || major > 99 || minor < 0 || minor > 9)
    return fail(ErrorCode::device, fmt::format("CUDA says compute capability {}.{}", major, minor));
  return fmt::format("sm_{}{}", major, minor);
}

std::string first_line(const char* path) {
  const auto text = read_file(path, 4096);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

// gfx_target_version of the GPU at that place; 0: unknown. Cards are not counted, because HIP_VISIBLE_DEVICES changes HIP's
// numbers, not the kernel's.
std::int64_t target_version_of(const std::string& topology, int domain, int bus, int slot) {
  for (int node = 0; node < 64; ++node) {
    const auto text = read_file(fmt::format("{}/{}/properties", topology, node), 1 << 16);
    if (!text) continue;
    const std::int64_t version = kfd_property(*text, "gfx_target_version");
    const std::int64_t location = kfd_property(*text, "location_id");  // bus << 8 | slot << 3 | function
    const std::int64_t there = std::max<std::int64_t>(kfd_property(*text, "domain"), 0);
    if (version > 0 && location >> 3 == (bus << 5 | slot) && there == domain) return version;
  }
  return 0;
}

}  // namespace

Result<std::string> architecture_of(const GpuApi& api, int device) {
  return api.kind == DeviceKind::hip ? hip_architecture(api, device) : cuda_architecture(api, device);
}

std::string model_of(const GpuApi& api, int device) {
  std::array<char, 256> name{};
  if (api.device_name(name.data(), static_cast<int>(name.size()) - 1, device) != 0) return "unknown";
  return printable_name(name.data());
}

int attribute_of(const GpuApi& api, int attribute, int device) {
  constexpr int k_most = 1 << 24;
  int value = 0;
  if (api.device_attribute(&value, attribute, device) != 0) return 0;
  return value > 0 && value <= k_most ? value : 0;
}

constexpr int k_bus = 67, k_slot = 68, k_domain = 69;  // hipDeviceAttributePci...

std::string pci_id_of(const GpuApi& api, int device, const std::string& devices) {
  // Bus 0 holds the processor's own devices: that is a runtime which does not say.
  if (attribute_of(api, k_bus, device) == 0) return {};
  const std::string folder = fmt::format("{}/{:04x}:{:02x}:{:02x}.0/", devices, attribute_of(api, k_domain, device),
                                         attribute_of(api, k_bus, device), attribute_of(api, k_slot, device));
  const std::string vendor = first_line((folder + "vendor").c_str()), number = first_line((folder + "device").c_str());
  constexpr std::size_t k_length = 6;  // "0x1002"
  if (vendor.size() != k_length || number.size() != k_length) return {};
  return vendor.substr(2) + ":" + number.substr(2);
}

std::string real_architecture_of(const GpuApi& api, int device, std::string_view pretended,
                                 const std::string& topology) {
  // For all cards, or HSA_OVERRIDE_GFX_VERSION_<node> for one.
  constexpr std::string_view k_override = "HSA_OVERRIDE_GFX_VERSION";
  if (Settings::environment_with({&k_override, 1}).empty()) return {};
  const std::int64_t version = target_version_of(topology, attribute_of(api, k_domain, device),
                                                 attribute_of(api, k_bus, device), attribute_of(api, k_slot, device));
  if (version == 0) return {};
  std::string real = gfx_name(version);
  return real == pretended.substr(0, pretended.find(':')) ? std::string() : real;
}

VersionFacts versions_of(const GpuApi& api) {
  VersionFacts facts;
  int version = 0;
  if (api.kind == DeviceKind::cuda) {
    api.driver_version(&version);
    facts.runtime = fmt::format("CUDA {}.{}", version / 1000, version % 1000 / 10);
    facts.driver = "nvidia " + first_line("/sys/module/nvidia/version");
    return facts;
  }
  api.hip_runtime_version(&version);
  facts.runtime = fmt::format("HIP {}.{}.{}", version / 10000000, version / 100000 % 100, version % 100000);
  // AMD's own packages give the module a version; the kernel's copy goes by the kernel.
  std::string module = first_line("/sys/module/amdgpu/version");
  utsname names{};
  if (module.empty() && std::filesystem::exists("/sys/module/amdgpu") && uname(&names) == 0) module = names.release;
  facts.driver = module.empty() ? "unknown" : "amdgpu " + module;
  return facts;
}

std::string printable_name(std::string_view text) {
  std::string name(text.substr(0, 128));
  for (char& character : name) {
    if (character < ' ' || character > '~') character = '?';
  }
  return name;
}

}  // namespace convoy
