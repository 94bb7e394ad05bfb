// For tests: the files by which a machine shows its AMD GPUs, in the formats of the kernel (node_show() in kfd_topology.c, sysfs-bus-pci
// and driver-misc in its documentation) with the links that sysfs has.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/test_folder.h"

namespace convoy {

struct TestCard {
  int bus = 3;
  int node = 1;
  int minor = 128;
  unsigned device = 0;
  unsigned revision = 0;
  int target_version = 0;
  int simds = 0;
  int simds_per_unit = 2;
  std::uint64_t vram = 0;  // mem_info_vram_total of the DRM driver
  std::uint64_t bank = 0;  // of KFD's mem_banks
  const char* pci_class = "0x030000";
};

// Numbers as these cards show them. Their sources, as facts:
// RX 5600 XT: 36 units; ids and revision in libdrm's data/amdgpu.ids (731F, CA). gfx_target_version of Navi 10: 100100.
inline constexpr TestCard k_rx5600xt{
    .device = 0x731f, .revision = 0xca, .target_version = 100100, .simds = 72, .vram = 6425673728, .bank = 6425673728};
// RX 6800: 60 units; amdgpu.ids (73BF, C3).
inline constexpr TestCard k_rx6800{.device = 0x73bf,
                                   .revision = 0xc3,
                                   .target_version = 100300,
                                   .simds = 120,
                                   .vram = 17163091968,
                                   .bank = 17163091968};
// RX 7900 XTX: 192 SIMDs, two for each unit, device_id 29772, location_id 768; https://github.com/ROCm/amdgpu/issues/151 for 1da2:471e.
inline constexpr TestCard k_rx7900xtx{.device = 0x744c,
                                      .revision = 0xc8,
                                      .target_version = 110000,
                                      .simds = 192,
                                      .vram = 25753026560,
                                      .bank = 25753026560};
// MI210: 104 units of four SIMDs (https://github.com/ROCm/MIOpen/issues/1651).
inline constexpr TestCard k_mi210{.bus = 0x83,
                                  .device = 0x740f,
                                  .revision = 0x02,
                                  .target_version = 90010,
                                  .simds = 416,
                                  .simds_per_unit = 4,
                                  .vram = 68702699520,
                                  .bank = 68702699520,
                                  .pci_class = "0x038000"};
// The Radeon of Raphael processors: two units, a carve-out of half a GiB, and half of the machine's memory as KFD's bank.
inline constexpr TestCard k_raphael{.bus = 0x11,
                                    .node = 2,
                                    .minor = 129,
                                    .device = 0x164e,
                                    .revision = 0xc6,
                                    .target_version = 100306,
                                    .simds = 4,
                                    .vram = 536870912,
                                    .bank = 16377958400};

class TestTree {
 public:
  // A machine that has the driver and a processor, node 0.
  TestTree() {
    ::chmod(folder_.path().c_str(), 0755);  // some tests look as another user
    write("sys/module/amdgpu/version", "6.8.5\n");
    write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    write("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=UUID=0 ro quiet\n");
    write("etc/group", "root:x:0:\nvideo:x:44:\nrender:x:105:somebody\n");
    write("sys/devices/virtual/kfd/kfd/topology/nodes/0/properties",
          "cpu_cores_count 16\nsimd_count 0\nmem_banks_count 1\ngfx_target_version 0\nvendor_id 0\ndevice_id 0\n"
          "location_id 0\ndomain 0\ndrm_render_minor 0\nmax_engine_clk_ccompute 5083\n");
    link("../../devices/virtual/kfd/kfd", "sys/class/kfd/kfd");
    write("dev/kfd", "");
    std::filesystem::create_directories(folder_.file("sys/bus/pci/drivers/amdgpu"));
    add_pci("0000:00:00.0", "0x1022", "0x14d8", "0x060000");  // a bridge of AMD's processors is no GPU
    add_pci("0000:01:00.0", "0x10de", "0x2684", "0x030000");  // nor of AMD's is another vendor's GPU
  }

  const std::string& root() const { return folder_.path(); }
  std::string file(const std::string& path) const { return folder_.file(path); }
  void write(const std::string& path, std::string_view content) const { folder_.write(path, content); }
  void remove(const std::string& path) const { std::filesystem::remove_all(folder_.file(path)); }
  void link(const std::string& target, const std::string& path) const {
    const std::filesystem::path place = folder_.file(path);
    std::filesystem::create_directories(place.parent_path());
    std::filesystem::create_symlink(target, place);
  }

  static std::string address_of(const TestCard& card) { return fmt::format("0000:{:02x}:00.0", card.bus); }
  static std::string pci_folder(const std::string& address) { return "sys/devices/pci0000:00/" + address; }
  static std::string node_folder(const TestCard& card) {
    return fmt::format("sys/devices/virtual/kfd/kfd/topology/nodes/{}", card.node);
  }

  void add_pci(const std::string& address, const char* vendor, const std::string& device, const char* pci_class) const {
    const std::string folder = pci_folder(address);
    write(folder + "/vendor", fmt::format("{}\n", vendor));
    write(folder + "/device", device + "\n");
    write(folder + "/class", fmt::format("{}\n", pci_class));
    link("../../../devices/pci0000:00/" + address, "sys/bus/pci/devices/" + address);
  }

  // As PCI shows it, without a driver.
  void add_unbound(const TestCard& card) const {
    const std::string address = address_of(card), folder = pci_folder(address);
    add_pci(address, "0x1002", fmt::format("{:#06x}", card.device), card.pci_class);
    // The card's own bridge and its sound are of the same vendor.
    add_pci(fmt::format("0000:{:02x}:00.0", card.bus - 1), "0x1002", "0x1479", "0x060400");
    add_pci(fmt::format("0000:{:02x}:00.1", card.bus), "0x1002", "0xab38", "0x040300");
    write(folder + "/subsystem_vendor", "0x1da2\n");
    write(folder + "/subsystem_device", "0x471e\n");
    write(folder + "/revision", fmt::format("{:#04x}\n", card.revision));
  }

  // With amdgpu, but not in KFD.
  void add_bound(const TestCard& card) const {
    add_unbound(card);
    const std::string folder = pci_folder(address_of(card));
    link("../../../bus/pci/drivers/amdgpu", folder + "/driver");
    write(folder + "/mem_info_vram_total", fmt::format("{}\n", card.vram));
    write(fmt::format("{}/drm/renderD{}/dev", folder, card.minor), fmt::format("226:{}\n", card.minor));
    write(fmt::format("dev/dri/renderD{}", card.minor), "");
  }

  static std::string properties_of(const TestCard& card) {
    return fmt::format(
        "cpu_cores_count 0\nsimd_count {}\nmem_banks_count 1\ncaches_count 206\nio_links_count 1\np2p_links_count 0\n"
        "cpu_core_id_base 0\nsimd_id_base 2147487744\nmax_waves_per_simd 16\nlds_size_in_kb 64\ngds_size_in_kb 0\n"
        "num_gws 64\nwave_front_size 32\narray_count 12\nsimd_arrays_per_engine 2\ncu_per_simd_array 8\nsimd_per_cu "
        "{}\n"
        "max_slots_scratch_cu 32\ngfx_target_version {}\nvendor_id 4098\ndevice_id {}\nlocation_id {}\ndomain 0\n"
        "drm_render_minor {}\nhive_id 0\nnum_sdma_engines 2\nlocal_mem_size 0\nfw_version 2150\ncapability 671588992\n"
        "unique_id 11420932837461522459\nnum_xcc 1\nmax_engine_clk_ccompute 5083\n",
        card.simds, card.simds_per_unit, card.target_version, card.device, card.bus << 8, card.minor);
  }

  void add(const TestCard& card) const {
    add_bound(card);
    write(node_folder(card) + "/gpu_id", "42700\n");
    write(node_folder(card) + "/properties", properties_of(card));
    write(node_folder(card) + "/mem_banks/0/properties",
          fmt::format("heap_type 1\nsize_in_bytes {}\nflags 0\nwidth 384\nmem_clk_max 1249\n", card.bank));
  }

 private:
  TestFolder folder_;
};

// Looks as a user without rights; for root, who may everything, somebody else for the while.
class AsNobody {
 public:
  AsNobody() : was_(::geteuid()) {
    if (was_ == 0 && ::seteuid(65534) != 0) throw std::system_error(errno, std::generic_category(), "seteuid");
  }
  ~AsNobody() {
    if (was_ == 0) static_cast<void>(!::seteuid(0));  // who is root by his real id may always come back
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  uid_t was_;
};

}  // namespace convoy
