// Detection over recorded machines: which GPUs, what they are, what they lack; and trees that nobody should have.
#include "device/detect.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "device/kfd_topology.h"
#include "device/test_tree.h"

namespace convoy {
namespace {

std::vector<std::string> lacks_of(const DetectedGpu& gpu) {
  std::vector<std::string> names;
  for (const Lack& lack : gpu.lacks) names.emplace_back(name_of(lack.kind));
  return names;
}

bool is_noted(const Detection& found, const std::string& path) {
  return std::ranges::any_of(found.notes, [&](const DetectNote& note) { return note.path.ends_with(path); });
}

using Names = std::vector<std::string>;

TEST(Detect, an_rx_5600_xt) {
  const TestTree tree;
  tree.add(k_rx5600xt);
  const Detection found = detect(tree.root(), {});
  EXPECT_TRUE(found.driver.loaded);
  EXPECT_EQ(found.driver.version, "6.8.5");
  EXPECT_EQ(found.driver.kernel_release, "6.1.0-18-amd64");
  EXPECT_TRUE(found.driver.blocked_by.empty());
  ASSERT_EQ(found.gpus.size(), 1U) << "neither bridges nor sound nor the other vendor's card";
  const DetectedGpu& gpu = found.gpus[0];
  EXPECT_EQ(gpu.pci_address, "0000:03:00.0");
  EXPECT_EQ(gpu.kfd_node, 1);
  EXPECT_EQ(gpu.vendor, 0x1002);
  EXPECT_EQ(gpu.device, 0x731f);
  EXPECT_EQ(gpu.subsystem_vendor, 0x1da2);
  EXPECT_EQ(gpu.subsystem_device, 0x471e);
  EXPECT_EQ(gpu.revision, 0xca);
  EXPECT_FALSE(gpu.integrated);
  EXPECT_EQ(gpu.architecture, "gfx1010");
  EXPECT_EQ(gpu.compute_units, 36);
  EXPECT_EQ(gpu.memory_bytes, 6425673728U);
  EXPECT_EQ(gpu.driver, "amdgpu");
  EXPECT_EQ(gpu.render_node.path, "/dev/dri/renderD128");
  EXPECT_TRUE(gpu.render_node.exists);
  EXPECT_EQ(lacks_of(gpu), Names{});
  EXPECT_TRUE(found.notes.empty()) << found.notes[0].path << ": " << found.notes[0].text;
}

TEST(Detect, beside_a_processor_with_a_gpu) {
  const TestTree tree;
  tree.add(k_raphael);
  tree.add(k_rx5600xt);
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 2U);
  EXPECT_EQ(found.gpus[0].architecture, "gfx1010");
  EXPECT_FALSE(found.gpus[0].integrated);
  EXPECT_EQ(found.gpus[1].architecture, "gfx1036");
  EXPECT_EQ(found.gpus[1].kfd_node, 2);
  EXPECT_TRUE(found.gpus[1].integrated);
  EXPECT_EQ(found.gpus[1].compute_units, 2);
  EXPECT_EQ(found.gpus[1].memory_bytes, 16377958400U) << "what may be used, not the carve-out";
  EXPECT_EQ(found.gpus[1].render_node.path, "/dev/dri/renderD129");
}

TEST(Detect, other_cards) {
  struct Expected {
    TestCard card;
    const char* architecture;
    int compute_units;
  };
  for (const Expected& expected :
       {Expected{k_rx6800, "gfx1030", 60}, Expected{k_rx7900xtx, "gfx1100", 96}, Expected{k_mi210, "gfx90a", 104}}) {
    const TestTree tree;
    tree.add(expected.card);
    const Detection found = detect(tree.root(), {});
    ASSERT_EQ(found.gpus.size(), 1U);
    EXPECT_EQ(found.gpus[0].architecture, expected.architecture);
    EXPECT_EQ(found.gpus[0].compute_units, expected.compute_units);
    EXPECT_EQ(found.gpus[0].memory_bytes, expected.card.vram);
    EXPECT_FALSE(found.gpus[0].integrated);
    EXPECT_EQ(lacks_of(found.gpus[0]), Names{});
  }
}

TEST(Detect, two_cards_and_who_is_who) {
  const TestTree tree;
  TestCard second = k_rx6800;
  second.bus = 0x2f;
  second.node = 10;
  second.minor = 129;
  tree.add(second);
  tree.add(k_rx7900xtx);
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 2U);
  EXPECT_EQ(found.gpus[0].pci_address, "0000:03:00.0");
  EXPECT_EQ(found.gpus[0].architecture, "gfx1100");
  EXPECT_EQ(found.gpus[0].kfd_node, 1);
  EXPECT_EQ(found.gpus[1].pci_address, "0000:2f:00.0");
  EXPECT_EQ(found.gpus[1].architecture, "gfx1030");
  EXPECT_EQ(found.gpus[1].kfd_node, 10);
}

TEST(Detect,
     kernels_that_do_not_name_the_target) {  // before Linux 5.12; an APU's node then has the processor's cores, too
  const TestTree tree;
  tree.add(k_rx5600xt);
  tree.write(TestTree::node_folder(k_rx5600xt) + "/properties",
             "cpu_cores_count 8\nsimd_count 44\nsimd_per_cu 4\nvendor_id 4098\ndevice_id 5597\nlocation_id 768\n");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].architecture, "");
  EXPECT_EQ(found.gpus[0].compute_units, 11);
  EXPECT_TRUE(found.gpus[0].integrated);
}

TEST(Detect, no_gpu) {
  const TestTree tree;
  const Detection found = detect(tree.root(), {});
  EXPECT_TRUE(found.gpus.empty());
  EXPECT_TRUE(found.kfd.exists);
  EXPECT_TRUE(found.notes.empty());
}

TEST(Detect, an_empty_root) {
  const TestFolder folder;
  const Detection found = detect(folder.path(), {});
  EXPECT_TRUE(found.gpus.empty());
  EXPECT_FALSE(found.driver.loaded);
  EXPECT_FALSE(found.kfd.exists);
  EXPECT_TRUE(is_noted(found, "/sys/bus/pci/devices/")) << "nobody can tell whether there is a GPU";
  EXPECT_TRUE(detect(folder.file("absent"), {}).gpus.empty());
}

TEST(Detect, this_machine_whatever_it_has) {
  EXPECT_NO_THROW(detect("", {}));
}

TEST(Detect, without_the_driver) {
  const TestTree tree;
  tree.add_unbound(k_raphael);
  tree.remove("sys/module/amdgpu");
  tree.remove("sys/class/kfd");
  tree.remove("dev/kfd");
  Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].device, 0x164e);
  EXPECT_TRUE(found.gpus[0].integrated) << "known by its PCI id";
  EXPECT_EQ(lacks_of(found.gpus[0]), Names{"no_driver"}) << "the rest follows from it";
  EXPECT_FALSE(found.driver.loaded);

  tree.write("etc/modprobe.d/zz.conf", "# blacklist amdgpu\nblacklist nouveau\n  blacklist amdgpu\n");
  tree.write("usr/lib/modprobe.d/zz.conf", "install amdgpu /bin/false\n");
  tree.write("usr/lib/modprobe.d/dist.conf", "install amdgpu /bin/false\n");
  tree.write("usr/lib/modprobe.d/README", "blacklist amdgpu\n");
  tree.write("proc/cmdline", "quiet modprobe.blacklist=nouveau,amdgpu splash\n");
  found = detect(tree.root(), {});
  EXPECT_EQ(found.driver.blocked_by, (Names{"/etc/modprobe.d/zz.conf:   blacklist amdgpu",
                                            "/usr/lib/modprobe.d/dist.conf: install amdgpu /bin/false",
                                            "/proc/cmdline: modprobe.blacklist=nouveau,amdgpu"}));
  EXPECT_EQ(found.gpus[0].lacks[0].detail, "/etc/modprobe.d/zz.conf:   blacklist amdgpu");
}

TEST(Detect, bound_to_another_driver) {
  const TestTree tree;
  tree.add_unbound(k_rx6800);
  tree.link("../../../bus/pci/drivers/vfio-pci", TestTree::pci_folder("0000:03:00.0") + "/driver");
  std::filesystem::create_directories(tree.file("sys/bus/pci/drivers/vfio-pci"));
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].driver, "vfio-pci");
  EXPECT_EQ(lacks_of(found.gpus[0]), Names{"other_driver"});
}

TEST(Detect, a_container_without_devices) {  // /sys is the host's, /dev its own
  const TestTree tree;
  tree.add(k_rx7900xtx);
  tree.remove("dev");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].architecture, "gfx1100");
  EXPECT_EQ(lacks_of(found.gpus[0]), (Names{"no_kfd_device", "no_render_node"}));
}

TEST(Detect, a_container_without_kfd_in_sys) {
  const TestTree tree;
  tree.add(k_rx7900xtx);
  tree.remove("sys/class/kfd");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].architecture, "");
  EXPECT_EQ(found.gpus[0].memory_bytes, k_rx7900xtx.vram);
  EXPECT_EQ(lacks_of(found.gpus[0]), Names{"no_kfd"});
}

TEST(Detect, a_container_without_pci_in_sys) {
  const TestTree tree;
  tree.add(k_mi210);
  tree.remove("sys/bus");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].pci_address, "0000:83:00.0");
  EXPECT_EQ(found.gpus[0].device, 0x740f);
  EXPECT_EQ(found.gpus[0].architecture, "gfx90a");
  EXPECT_EQ(lacks_of(found.gpus[0]), Names{});
}

// The kernel answers EPERM for the nodes of cards that the container's device filter hides.
TEST(Detect, a_card_hidden_from_the_container) {
  const TestTree tree;
  tree.add(k_rx6800);
  ::chmod(tree.file(TestTree::node_folder(k_rx6800) + "/properties").c_str(), 0);
  const AsNobody nobody;
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_TRUE(std::ranges::count(lacks_of(found.gpus[0]), "not_in_kfd"));
  EXPECT_TRUE(is_noted(found, "nodes/1/properties"));
}

TEST(Detect, devices_of_a_group_one_is_not_in) {
  const TestTree tree;
  tree.add(k_rx5600xt);
  const bool as_root = ::geteuid() == 0;  // only root can give files away
  for (const char* device : {"dev/kfd", "dev/dri/renderD128"}) {
    ASSERT_EQ(::chmod(tree.file(device).c_str(), as_root ? 0660 : 0), 0);
    ASSERT_TRUE(!as_root || ::chown(tree.file(device).c_str(), 0, 105) == 0);
  }
  const AsNobody nobody;
  const Detection found = detect(tree.root(), {});
  EXPECT_TRUE(found.kfd.exists);
  EXPECT_FALSE(found.kfd.may_open);
  ASSERT_EQ(found.gpus.size(), 1U);
  ASSERT_EQ(lacks_of(found.gpus[0]), (Names{"kfd_denied", "render_denied"}));
  if (!as_root) return;
  EXPECT_EQ(found.kfd.mode, 0660U);
  EXPECT_EQ(found.kfd.group, 105U);
  EXPECT_EQ(found.kfd.group_name, "render");
  EXPECT_EQ(found.gpus[0].lacks[0].detail, "/dev/kfd belongs to user 0 and group render, mode 0660");
}

TEST(Detect, what_docker_makes_of_a_device_that_the_host_lacks) {
  const TestTree tree;
  tree.add(k_rx5600xt);
  tree.remove("dev/kfd");
  std::filesystem::create_directories(tree.file("dev/kfd"));
  const Detection found = detect(tree.root(), {});
  EXPECT_FALSE(found.kfd.exists);
  EXPECT_TRUE(is_noted(found, "/dev/kfd"));
}

TEST(Detect, properties_cut_off_anywhere) {
  const TestTree tree;
  tree.add(k_rx7900xtx);
  const std::string whole = TestTree::properties_of(k_rx7900xtx),
                    path = TestTree::node_folder(k_rx7900xtx) + "/properties";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    tree.write(path, whole.substr(0, size));
    const Detection found = detect(tree.root(), {});
    ASSERT_EQ(found.gpus.size(), 1U) << "PCI knows the card, and no other appears";
    EXPECT_EQ(found.gpus[0].device, 0x744c);
    EXPECT_TRUE(found.gpus[0].architecture.empty() || found.gpus[0].architecture == "gfx1100") << size;
    EXPECT_TRUE(found.gpus[0].compute_units == 0 || found.gpus[0].compute_units == 96) << size;
  }
}

TEST(Detect, random_bytes_in_its_files) {
  constexpr unsigned k_seed = 20261122;
  SCOPED_TRACE(k_seed);
  std::mt19937_64 random(k_seed);
  const TestTree tree;
  tree.add(k_rx7900xtx);
  const std::string node = TestTree::node_folder(k_rx7900xtx), pci = TestTree::pci_folder("0000:03:00.0");
  const Names paths{node + "/properties",
                    node + "/mem_banks/0/properties",
                    pci + "/vendor",
                    pci + "/class",
                    pci + "/device",
                    pci + "/revision",
                    "etc/group",
                    "proc/cmdline",
                    "proc/sys/kernel/osrelease",
                    "sys/module/amdgpu/version",
                    pci + "/mem_info_vram_total"};
  for (int round = 0; round < 300; ++round) {
    std::string content = TestTree::properties_of(k_rx7900xtx).substr(0, random() % 900);
    for (int change = 0; change < 20 && !content.empty(); ++change)
      content[random() % content.size()] = static_cast<char>(random());
    tree.write(paths[random() % paths.size()], content);
    const Detection found = detect(tree.root(), {});
    for (const DetectNote& note : found.notes)
      EXPECT_TRUE(std::ranges::none_of(note.text, [](char c) { return c >= 0 && c < ' '; }));
  }
}

TEST(Detect, implausible_numbers) {
  const TestTree tree;
  tree.add(k_rx6800);
  tree.write(TestTree::node_folder(k_rx6800) + "/properties",
             "simd_count 99999999999999999999\nsimd_per_cu 0\ngfx_target_version 4294967295\nvendor_id 4098\n"
             "location_id 768\ndrm_render_minor -5\n");
  tree.write(TestTree::node_folder(k_rx6800) + "/mem_banks/0/properties", "heap_type 1\nsize_in_bytes -1\n");
  tree.write(TestTree::pci_folder("0000:03:00.0") + "/mem_info_vram_total", "much\n");
  tree.write(TestTree::pci_folder("0000:03:00.0") + "/subsystem_device", "0x12345\n");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].architecture, "");
  EXPECT_EQ(found.gpus[0].compute_units, 0);
  EXPECT_EQ(found.gpus[0].memory_bytes, 0U);
  EXPECT_EQ(found.gpus[0].subsystem_device, 0);
  EXPECT_EQ(found.gpus[0].render_node.path, "/dev/dri/renderD128") << "as DRM says";
  EXPECT_TRUE(is_noted(found, "nodes/1/properties"));
  EXPECT_TRUE(is_noted(found, "/mem_info_vram_total"));
}

TEST(Detect, files_that_are_none) {
  const TestTree tree;
  tree.add(k_rx6800);
  const std::string nodes = "sys/devices/virtual/kfd/kfd/topology/nodes/";
  std::filesystem::create_directories(tree.file(nodes + "2/properties"));
  std::filesystem::create_directories(tree.file(nodes + "3"));
  ASSERT_EQ(::mkfifo(tree.file(nodes + "3/properties").c_str(), 0644), 0);
  tree.link("properties", nodes + "4/properties");
  tree.write(nodes + "5/properties", "");
  std::filesystem::resize_file(tree.file(nodes + "5/properties"), std::uintmax_t{1} << 40);
  tree.write(nodes + "99999999999/properties", TestTree::properties_of(k_rx7900xtx));
  tree.write(nodes + "-1/properties", TestTree::properties_of(k_rx7900xtx));
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].architecture, "gfx1030");
  for (const char* node : {"2", "3", "4", "5"})
    EXPECT_TRUE(is_noted(found, std::string("nodes/") + node + "/properties")) << node;
}

TEST(Detect, links_in_circles_and_out_of_the_root) {
  const TestTree tree;
  tree.add(k_rx6800);
  const TestFolder outside;
  outside.write("version", "not ours\n");
  tree.remove("sys/module/amdgpu/version");
  tree.link(outside.file("version"), "sys/module/amdgpu/version");
  tree.remove("proc/sys/kernel/osrelease");
  tree.link("../../../../../../../../proc/sys/release", "proc/sys/kernel/osrelease");  // ".." of the root is the root
  tree.write("proc/sys/release", "6.2.0\n");
  tree.remove("proc/cmdline");
  tree.link("/proc/words", "proc/cmdline");
  tree.write("proc/words", "quiet nomodeset\n");
  tree.remove("sys/class/kfd/kfd");
  tree.link("../kfd/kfd", "sys/class/kfd/kfd");
  const Detection found = detect(tree.root(), {});
  EXPECT_EQ(found.driver.version, "") << "the target does not exist below the root";
  EXPECT_EQ(found.driver.kernel_release, "6.2.0");
  EXPECT_EQ(found.driver.blocked_by, Names{"/proc/cmdline: nomodeset"});
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(lacks_of(found.gpus[0]), Names{"no_kfd"});
  EXPECT_TRUE(is_noted(found, "/sys/class/kfd/kfd"));
}

TEST(Detect, very_many_files) {
  const TestTree tree;
  tree.add(k_rx6800);
  for (int number = 0; number < 4200; ++number) tree.write(fmt::format("etc/modprobe.d/{}.txt", number), "");
  tree.write("etc/modprobe.d/\x1b[2J.conf", "blacklist amdgpu\n");
  const Detection found = detect(tree.root(), {});
  EXPECT_TRUE(is_noted(found, "/etc/modprobe.d"));
  ASSERT_EQ(found.gpus.size(), 1U);
  for (const DetectNote& note : found.notes) EXPECT_EQ(note.path.find('\x1b'), std::string::npos);
}

TEST(Detect, folders_of_the_user) {
  const TestTree tree;
  tree.write("home/u/.cache/miopen/x", "");
  tree.write("home/u/file", "");
  std::filesystem::create_directories(tree.file("home/closed"));
  ASSERT_EQ(::chmod(tree.file("home/closed").c_str(), 0555), 0);
  for (const char* open : {"home/u", "home/u/.cache/miopen", "home/u/file"})
    ASSERT_EQ(::chmod(tree.file(open).c_str(), 0777), 0);
  const AsNobody nobody;
  const Detection found = detect(tree.root(), {.user_folders = {"/home/u/.cache/miopen", "/home/u/.config/miopen",
                                                                "/home/closed/miopen", "/home/u/file"}});
  ASSERT_EQ(found.user_folders.size(), 4U);
  EXPECT_TRUE(found.user_folders[0].exists);
  EXPECT_TRUE(found.user_folders[0].writable);
  EXPECT_FALSE(found.user_folders[1].exists);
  EXPECT_TRUE(found.user_folders[1].writable) << "it can be made";
  EXPECT_FALSE(found.user_folders[2].writable);
  EXPECT_FALSE(found.user_folders[3].exists);
  EXPECT_FALSE(found.user_folders[3].writable);
  EXPECT_TRUE(is_noted(found, "/home/u/file"));
  EXPECT_FALSE(found.user_folders[0].network);
}

TEST(KfdTopology, names_of_targets) {
  EXPECT_EQ(gfx_name(100100), "gfx1010");
  EXPECT_EQ(gfx_name(90010), "gfx90a");
  EXPECT_EQ(gfx_name(90012), "gfx90c");
  EXPECT_EQ(gfx_name(90402), "gfx942");
  EXPECT_EQ(gfx_name(80003), "gfx803");
  EXPECT_EQ(gfx_name(110501), "gfx1151");
  EXPECT_EQ(gfx_name(120001), "gfx1201");
  for (const std::int64_t none : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{110099}, std::int64_t{4294967295}})
    EXPECT_EQ(gfx_name(none), "") << none;
}

TEST(KfdTopology, properties) {
  EXPECT_EQ(kfd_property("a 1\nsimd_count 72\n", "simd_count"), 72);
  EXPECT_EQ(kfd_property("simd_count 72", "simd_count"), -1) << "cut off: it may have been 720";
  EXPECT_EQ(kfd_property("x_simd_count 5\nsimd_count_x 6\n", "simd_count"), -1);
  for (const char* text : {"", "\n", "simd_count\n", "simd_count \n", "simd_count x\n", "simd_count 7x\n",
                           "simd_count -7\n", "simd_count 99999999999999999999\n"})
    EXPECT_EQ(kfd_property(text, "simd_count"), -1) << text;
}

}  // namespace
}  // namespace convoy
