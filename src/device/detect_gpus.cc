// AMD's GPUs as the PCI bus, the DRM driver and the compute driver (KFD) show them. PCI knows every card, KFD only those that can
// compute: what one has and the other lacks is the diagnosis.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "device/detect_parts.h"
#include "device/kfd_topology.h"

namespace convoy {
namespace {

constexpr const char* k_pci = "/sys/bus/pci/devices/";
constexpr const char* k_nodes = "/sys/class/kfd/kfd/topology/nodes";
constexpr std::uint64_t k_amd = 0x1002;
constexpr std::size_t k_most_banks = 16;  // a card has one

// Targets that exist in processors only, from the column "dGPU/APU" of https://llvm.org/docs/AMDGPUUsage.html#processors .
constexpr std::array k_apu_targets{"gfx801",  "gfx902",  "gfx909",  "gfx90c",  "gfx1013", "gfx1033", "gfx1035",
                                   "gfx1036", "gfx1037", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"};
// PCI ids of processors, for where KFD does not name the target, from the AMD_IS_APU rows of the kernel's amdgpu_drv.c and libdrm's
// data/amdgpu.ids; 0x74a0 is MI300A, whose target gfx942 is MI300X's, too.
constexpr std::array<std::uint16_t, 24> k_apu_devices{0x9874, 0x98e4, 0x15dd, 0x15d8, 0x1636, 0x1638, 0x164c, 0x163f,
                                                      0x1435, 0x13fe, 0x143f, 0x164d, 0x1681, 0x164e, 0x13c0, 0x1506,
                                                      0x15bf, 0x15c8, 0x1900, 0x1901, 0x150e, 0x1586, 0x1114, 0x74a0};

struct KfdNode {
  int number = -1;
  std::string pci_address;
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::string architecture;
  int compute_units = 0;
  int render_minor = 0;
  bool has_processor = false;  // as APUs were shown before Linux 4.20 and with an IOMMUv2
  std::uint64_t memory_bytes = 0;
};

// The property where it is plausible, else 0.
int plausible(const std::string& properties, std::string_view label, std::int64_t most) {
  const std::int64_t value = kfd_property(properties, label);
  return value > 0 && value <= most ? static_cast<int>(value) : 0;
}

// Empty: the kernel does not say.
std::string address_of(const std::string& properties) {
  const int domain = plausible(properties, "domain", 0x7fffffff);
  const int location = plausible(properties, "location_id", 0xffff);  // bus << 8 | slot << 3 | function
  if (location == 0) return {};
  return fmt::format("{:04x}:{:02x}:{:02x}.{}", domain, location >> 8, location >> 3 & 31, location & 7);
}

// Banks of the GPU's own heaps (1 public, 2 private: libhsakmt's hsakmttypes.h); on a processor the part of the system's memory
// that it may use.
std::uint64_t memory_of(RootedFiles& files, const std::string& node) {
  std::uint64_t sum = 0;
  const std::vector<std::string> banks = files.list(node + "/mem_banks");
  for (std::size_t index = 0; index < std::min(banks.size(), k_most_banks); ++index) {
    const auto properties = files.read(fmt::format("{}/mem_banks/{}/properties", node, banks[index]));
    if (!properties) continue;
    const std::int64_t heap = kfd_property(*properties, "heap_type");
    const std::int64_t size = kfd_property(*properties, "size_in_bytes");
    if ((heap == 1 || heap == 2) && size > 0 && size < std::int64_t{1} << 48) sum += static_cast<std::uint64_t>(size);
  }
  return sum;
}

KfdNode node_of(RootedFiles& files, const std::string& folder, const std::string& properties) {
  KfdNode node;
  node.pci_address = address_of(properties);
  node.vendor = static_cast<std::uint16_t>(k_amd);
  node.device = static_cast<std::uint16_t>(plausible(properties, "device_id", 0xffff));
  const std::int64_t version = kfd_property(properties, "gfx_target_version");
  node.architecture = gfx_name(version);
  if (version > 0 && node.architecture.empty())
    files.note(folder + "/properties", fmt::format("gfx_target_version {} is not plausible", version));
  const int simds_per_unit = plausible(properties, "simd_per_cu", 64);
  if (simds_per_unit > 0) node.compute_units = plausible(properties, "simd_count", 1 << 20) / simds_per_unit;
  node.render_minor = plausible(properties, "drm_render_minor", 4095);
  node.has_processor = plausible(properties, "cpu_cores_count", 1 << 20) > 0;
  node.memory_bytes = memory_of(files, folder);
  return node;
}

bool is_amd_gpu_node(const std::string& properties) {
  return kfd_property(properties, "vendor_id") == static_cast<std::int64_t>(k_amd) &&
         (kfd_property(properties, "gfx_target_version") > 0 || kfd_property(properties, "simd_count") > 0);
}

std::vector<KfdNode> kfd_gpus(RootedFiles& files) {
  std::vector<KfdNode> found;
  for (const std::string& name : files.list(k_nodes)) {
    int number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || number < 0) continue;
    const std::string folder = fmt::format("{}/{}", k_nodes, name);
    // The kernel refuses (EPERM) what a container's device filter hides.
    const auto properties = files.read(folder + "/properties");
    if (!properties || !is_amd_gpu_node(*properties)) continue;
    KfdNode node = node_of(files, folder, *properties);
    node.number = number;
    if (node.pci_address.empty()) {
      files.note(folder + "/properties", "does not say where on the PCI bus the GPU is: left out");
    } else {
      found.push_back(std::move(node));
    }
  }
  return found;
}

std::uint16_t short_number(RootedFiles& files, const std::string& path) {
  const std::uint64_t value = files.number(path, 16);
  return value <= 0xffff ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
}

// Display controllers (class 3) and processing accelerators (0x12) of AMD's.
bool is_amd_gpu(RootedFiles& files, const std::string& folder) {
  if (files.number(folder + "/vendor", 16) != k_amd) return false;
  const std::uint64_t base_class = files.number(folder + "/class", 16) >> 16;
  return base_class == 0x03 || base_class == 0x12;
}

DetectedGpu pci_gpu(RootedFiles& files, const std::string& address) {
  const std::string folder = k_pci + address;
  DetectedGpu gpu;
  gpu.pci_address = address;
  gpu.vendor = static_cast<std::uint16_t>(k_amd);
  gpu.device = short_number(files, folder + "/device");
  gpu.subsystem_vendor = short_number(files, folder + "/subsystem_vendor");
  gpu.subsystem_device = short_number(files, folder + "/subsystem_device");
  gpu.revision = static_cast<std::uint8_t>(short_number(files, folder + "/revision"));
  gpu.driver = last_name(files.resolve(folder + "/driver").value_or(""));
  gpu.memory_bytes = files.number(folder + "/mem_info_vram_total", 10);
  for (const std::string& name : files.list(folder + "/drm", "renderD")) gpu.render_node.path = "/dev/dri/" + name;
  return gpu;
}

std::vector<DetectedGpu> pci_gpus(RootedFiles& files) {
  std::vector<DetectedGpu> found;
  for (const std::string& address : files.list(k_pci)) {
    if (is_amd_gpu(files, k_pci + address)) found.push_back(pci_gpu(files, address));
  }
  return found;
}

bool is_integrated(const DetectedGpu& gpu, bool has_processor) {
  return has_processor || std::ranges::find(k_apu_targets, gpu.architecture) != k_apu_targets.end() ||
         std::ranges::find(k_apu_devices, gpu.device) != k_apu_devices.end();
}

void add_kfd_facts(DetectedGpu& gpu, const KfdNode& node) {
  gpu.kfd_node = node.number;
  gpu.architecture = node.architecture;
  gpu.compute_units = node.compute_units;
  gpu.integrated = is_integrated(gpu, node.has_processor);
  // A processor's DRM figure is the carve-out of the BIOS only, half a GiB on many.
  if (gpu.memory_bytes == 0 || (gpu.integrated && node.memory_bytes > 0)) gpu.memory_bytes = node.memory_bytes;
  if (node.render_minor > 0) gpu.render_node.path = fmt::format("/dev/dri/renderD{}", node.render_minor);
}

// Where /sys/bus is not mounted, and for partitions of an MI300, which PCI does not know.
DetectedGpu gpu_of_kfd_alone(const KfdNode& node) {
  DetectedGpu gpu;
  gpu.pci_address = node.pci_address;
  gpu.vendor = node.vendor;
  gpu.device = node.device;
  gpu.driver = "amdgpu";
  return gpu;
}

std::string describe(const DeviceNode& node) {
  const std::string group = node.group_name.empty() ? std::to_string(node.group) : node.group_name;
  return fmt::format("{} belongs to user {} and group {}, mode {:04o}", node.path, node.owner, group, node.mode);
}

void add_driver_lack(DetectedGpu& gpu, const KernelDriver& driver) {
  if (!gpu.driver.empty()) {
    gpu.lacks.push_back({GpuLack::other_driver, fmt::format("{} is bound to {}", gpu.pci_address, gpu.driver)});
  } else if (!driver.blocked_by.empty()) {
    gpu.lacks.push_back({GpuLack::no_driver, driver.blocked_by.front()});
  } else {
    gpu.lacks.push_back({GpuLack::no_driver, driver.loaded ? "the kernel's amdgpu does not take " + gpu.pci_address
                                                           : "the kernel's module amdgpu is not loaded"});
  }
}

void add_lacks(RootedFiles& files, DetectedGpu& gpu, const Detection& found) {
  if (gpu.driver != "amdgpu") return add_driver_lack(gpu, found.driver);
  if (gpu.kfd_node < 0 && !files.is_folder(k_nodes)) {
    gpu.lacks.push_back({GpuLack::no_kfd, fmt::format("there is no {}", k_nodes)});
  } else if (gpu.kfd_node < 0) {
    gpu.lacks.push_back({GpuLack::not_in_kfd, fmt::format("no node of {} is {}", k_nodes, gpu.pci_address)});
  }
  if (!found.kfd.exists) {
    gpu.lacks.push_back({GpuLack::no_kfd_device, "there is no /dev/kfd"});
  } else if (!found.kfd.may_open) {
    gpu.lacks.push_back({GpuLack::kfd_denied, describe(found.kfd)});
  }
  if (!gpu.render_node.exists) {
    const std::string path = gpu.render_node.path.empty() ? "/dev/dri/renderD*" : gpu.render_node.path;
    gpu.lacks.push_back({GpuLack::no_render_node, fmt::format("there is no {}", path)});
  } else if (!gpu.render_node.may_open) {
    gpu.lacks.push_back({GpuLack::render_denied, describe(gpu.render_node)});
  }
}

}  // namespace

std::vector<DetectedGpu> find_gpus(RootedFiles& files, const Detection& found) {
  std::vector<DetectedGpu> gpus = pci_gpus(files);
  for (const KfdNode& node : kfd_gpus(files)) {
    auto gpu = std::ranges::find_if(
        gpus, [&](const DetectedGpu& g) { return g.pci_address == node.pci_address && g.kfd_node < 0; });
    if (gpu == gpus.end()) gpu = gpus.insert(gpus.end(), gpu_of_kfd_alone(node));
    add_kfd_facts(*gpu, node);
  }
  for (DetectedGpu& gpu : gpus) {
    gpu.integrated = gpu.integrated || is_integrated(gpu, false);
    if (!gpu.render_node.path.empty()) gpu.render_node = look_at_device(files, gpu.render_node.path);
    add_lacks(files, gpu, found);
  }
  std::ranges::sort(gpus, {}, &DetectedGpu::pci_address);
  if (gpus.empty() && !files.is_folder(k_pci))
    files.note(k_pci, "is not there: without it no GPU can be seen (is /sys mounted?)");
  return gpus;
}

}  // namespace convoy
