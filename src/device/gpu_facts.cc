// Implementation of gpu_facts.h.
#include "device/gpu_facts.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <vector>

#include "base/file.h"
#include "base/settings.h"

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
  return architecture_at(all.substr(at, 64));
}

Result<std::string> cuda_architecture(const GpuApi& api, int device) {
  constexpr int k_major = 75, k_minor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
  int major = 0, minor = 0;
  if (const GpuStatus status = api.device_attribute(&major, k_major, device); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "cuDeviceGetAttribute", status));
  if (const GpuStatus status = api.device_attribute(&minor, k_minor, device); status != 0)
    return tl::unexpected<Error>(gpu_error(api, "cuDeviceGetAttribute", status));
  return fmt::format("sm_{}{}", major, minor);
}

std::string first_line(const char* path) {
  const auto text = read_file(path, 4096);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

// gfx_target_version of every GPU of the kernel's topology, in its order: 10^4 major + 100 minor + stepping.
std::vector<int> target_versions() {
  std::vector<int> versions;
  for (int node = 0; node < 64; ++node) {
    const auto text = read_file(fmt::format("/sys/class/kfd/kfd/topology/nodes/{}/properties", node), 1 << 16);
    if (!text) continue;
    constexpr std::string_view k_label = "gfx_target_version ";
    const std::size_t at = text->find(k_label);
    int version = 0;
    if (at != std::string::npos) {
      const char* begin = text->data() + at + k_label.size();
      std::from_chars(begin, text->data() + text->size(), version);
    }
    if (version > 0) versions.push_back(version);  // 0: a processor
  }
  return versions;
}

}  // namespace

Result<std::string> architecture_of(const GpuApi& api, int device) {
  return api.kind == DeviceKind::hip ? hip_architecture(api, device) : cuda_architecture(api, device);
}

std::string model_of(const GpuApi& api, int device) {
  std::array<char, 256> name{};
  if (api.device_name(name.data(), static_cast<int>(name.size()) - 1, device) != 0) return "unknown";
  return name.data();
}

std::string real_architecture_of(int device, std::string_view pretended) {
  if (Settings::environment("HSA_OVERRIDE_GFX_VERSION").empty()) return {};
  const std::vector<int> versions = target_versions();
  if (device < 0 || static_cast<std::size_t>(device) >= versions.size()) return {};
  const int version = versions[static_cast<std::size_t>(device)];
  std::string real = fmt::format("gfx{}{:x}{:x}", version / 10000, version / 100 % 100, version % 100);
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
  if (module.empty() && uname(&names) == 0) module = names.release;
  facts.driver = "amdgpu " + module;
  return facts;
}

}  // namespace convoy
