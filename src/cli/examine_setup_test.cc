// Which GPUs programs are offered, the driver's parameters, and what is around a program, over recorded machines.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/examine.h"
#include "device/test_tree.h"

namespace convoy {
namespace {

std::vector<std::string> ids(const std::vector<Finding>& findings) {
  std::vector<std::string> names;
  for (const Finding& one : findings) {
    names.push_back(one.id);
    EXPECT_TRUE(one.source.starts_with("https://")) << one.id << " has no source";
    EXPECT_TRUE(one.severity == Severity::note || !one.cure.empty()) << one.id << " has no cure";
  }
  return names;
}
using Ids = std::vector<std::string>;

std::vector<PlacedVariable> variable(const std::string& name, const std::string& value) {
  return {{name, value, {"/etc/profile.d/a.sh:1 (login shells)"}, EnvironmentJudgement::effective}};
}

// --- which GPUs ---

TEST(ExamineVisibility, OneCardIsNothingToSpeakOf) {
  for (const TestCard& card : {k_rx5600xt, k_rx6800, k_rx7900xtx, k_mi210, k_raphael}) {
    const TestTree tree;
    tree.add(card);
    EXPECT_EQ(ids(examine_visibility(detect(tree.root(), {}), {})), Ids{});
  }
}

TEST(ExamineVisibility, AProcessorsGraphicsBesideACard) {
  const TestTree tree;
  tree.add(k_rx5600xt);
  tree.add(k_raphael);
  const Detection detection = detect(tree.root(), {});
  const auto findings = examine_visibility(detection, {});
  ASSERT_EQ(ids(findings), Ids{"gpu.integrated_visible"});
  EXPECT_NE(findings[0].sentence.find("gfx1036"), std::string::npos) << findings[0].sentence;
  EXPECT_EQ(findings[0].sentence.find("as the first"), std::string::npos);
  EXPECT_NE(findings[0].cure.find("ROCR_VISIBLE_DEVICES=0 "), std::string::npos) << findings[0].cure;
  EXPECT_EQ(ids(examine_visibility(detection, variable("HIP_VISIBLE_DEVICES", "0"))), Ids{});
  EXPECT_EQ(ids(examine_visibility(detection, variable("ROCR_VISIBLE_DEVICES", "0"))), Ids{});
}

TEST(ExamineVisibility, AProcessorsGraphicsInFrontOfTwoCards) {
  const TestTree tree;
  TestCard processor = k_raphael, first = k_rx6800, second = k_rx7900xtx;
  processor.node = 1;
  first.node = 2;
  second.node = 10;
  second.bus = 0x2f;
  second.minor = 130;
  tree.add(processor);
  tree.add(first);
  tree.add(second);
  const auto findings = examine_visibility(detect(tree.root(), {}), {});
  ASSERT_EQ(ids(findings), Ids{"gpu.integrated_visible"});
  EXPECT_NE(findings[0].sentence.find("as the first"), std::string::npos);
  EXPECT_NE(findings[0].cure.find("ROCR_VISIBLE_DEVICES=1,2 "), std::string::npos) << findings[0].cure;
}

TEST(ExamineVisibility, NumbersThatNoGpuHas) {
  const TestTree tree;
  TestCard second = k_rx6800;
  second.bus = 0x2f;
  second.node = 2;
  second.minor = 129;
  tree.add(second);
  tree.add(k_rx7900xtx);
  const Detection detection = detect(tree.root(), {});
  const auto severity = [&](const std::string& list) {
    const auto findings = examine_visibility(detection, variable("ROCR_VISIBLE_DEVICES", list));
    ids(findings);
    return findings.empty() ? std::string() : std::string(name_of(findings[0].severity));
  };
  for (const char* right : {"0", "1", "0,1", " 1 , 0", "GPU-4b2c1a9f8d3e6f7a", "gpu-4b2c,1"})
    EXPECT_EQ(severity(right), "");
  for (const char* none : {"2", "-1", "a", "2,0", "99999999999999999999", ","})
    EXPECT_EQ(severity(none), "broken") << none;
  for (const char* less : {"0,2", "1,x", "GPU-1,7"}) EXPECT_EQ(severity(less), "warning") << less;
  tree.remove("sys/class/kfd");
  EXPECT_EQ(ids(examine_visibility(detect(tree.root(), {}), variable("ROCR_VISIBLE_DEVICES", "7"))), Ids{})
      << "in a container without the list of GPUs nobody can tell";
}

// --- the driver's parameters ---

TEST(ExamineDriverOptions, DefaultsAreNothingToSpeakOf) {
  const TestTree tree;
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"gpu_recovery", "-1"},
                                                                                    {"vramlimit", "0"},
                                                                                    {"disable_cu", "(null)"},
                                                                                    {"ip_block_mask", "4294967295"},
                                                                                    {"cwsr_enable", "1"},
                                                                                    {"sched_policy", "0"},
                                                                                    {"emu_mode", "0"}}) {
    tree.write("sys/module/amdgpu/parameters/" + name, value + "\n");
  }
  tree.write("etc/modprobe.d/amdgpu.conf",
             "options amdgpu noretry=0 ppfeaturemask=0xffffffff ip_block_mask=0xffffffff\n");
  EXPECT_EQ(ids(examine_driver_options(tree.root())), Ids{});
}

TEST(ExamineDriverOptions, WhereEachIsSet) {
  const TestTree tree;
  tree.write("sys/module/amdgpu/parameters/gpu_recovery", "0\n");
  tree.write("sys/module/amdgpu/parameters/ip_block_mask", "4294967291\n");
  tree.write("sys/module/amdgpu/parameters/disable_cu", "0.0.1\n");
  tree.write(
      "etc/modprobe.d/amdgpu.conf",
      "# options amdgpu vramlimit=1\noptions amdgpu gpu_recovery=0 vramlimit=4096\noptions nouveau vramlimit=2\n");
  tree.write("usr/lib/modprobe.d/amdgpu.conf", "options amdgpu emu_mode=1\n");
  tree.write("etc/modprobe.d/README", "options amdgpu emu_mode=1\n");
  tree.write("proc/cmdline", "quiet amdgpu.sched_policy=2 amdgpu.cwsr_enable=0 radeon.emu_mode=1\n");
  const auto findings = examine_driver_options(tree.root());
  ASSERT_EQ(ids(findings), (Ids{"driver.gpu_recovery", "driver.vramlimit", "driver.sched_policy", "driver.disable_cu",
                                "driver.ip_block_mask", "driver.cwsr_enable"}));
  EXPECT_EQ(
      findings[0].place,
      "gpu_recovery=0 in /sys/module/amdgpu/parameters/gpu_recovery; gpu_recovery=0 in /etc/modprobe.d/amdgpu.conf:2");
  EXPECT_EQ(findings[2].place, "sched_policy=2 in /proc/cmdline");
}

TEST(ExamineDriverOptions, AnyBytes) {
  constexpr unsigned k_seed = 20261202;
  SCOPED_TRACE(k_seed);
  std::mt19937 random(k_seed);
  const TestTree tree;
  const std::string letters = "options amdgpu vramlimit=0x19- \n\t\xff\x1b";
  for (int round = 0; round < 100; ++round) {
    std::string text = "options amdgpu disable_cu=";
    for (int i = 0; i < 60; ++i) text += letters[random() % letters.size()];
    tree.write("etc/modprobe.d/a.conf", text);
    tree.write("proc/cmdline", text);
    tree.write("sys/module/amdgpu/parameters/disable_cu", text);
    for (const Finding& one : examine_driver_options(tree.root())) {
      EXPECT_TRUE(std::ranges::none_of(one.place, [](char c) { return c < ' '; })) << round;
    }
  }
}

// --- what is around ---

DetectedLibrary library(const std::string& name, const std::string& path, const std::string& version,
                        LibraryOrigin origin) {
  DetectedLibrary one;
  one.name = name;
  one.path = path;
  one.soname = name + ".so." + version.substr(0, 1);
  one.version = version;
  one.origin = origin;
  return one;
}

TEST(ExamineSurroundings, CopiesThatCouldMeetInOneProcess) {
  const TestTree tree;
  tree.write("opt/rocm-6.2.0/lib/x", "");
  tree.link("rocm-6.2.0", "opt/rocm");
  const auto rocm = library("libamdhip64", "/opt/rocm-6.2.0/lib/libamdhip64.so.6.2", "6.2", LibraryOrigin::rocm);
  const auto wheel = library("libamdhip64", "/venv/torch/lib/libamdhip64.so", "6", LibraryOrigin::wheel);
  const auto examine = [&](const std::vector<DetectedLibrary>& libraries, std::string_view path) {
    return ids(examine_surroundings(tree.root(), libraries, path));
  };
  EXPECT_EQ(examine({rocm, wheel}, "/usr/lib:/opt/rocm/lib"), Ids{"library.mixed"});
  EXPECT_EQ(examine({rocm, wheel}, "/usr/lib:/opt/rocm/hip"), Ids{"library.several"});
  EXPECT_EQ(examine({rocm, wheel}, ""), Ids{"library.several"});
  EXPECT_EQ(examine({rocm}, "/opt/rocm/lib"), Ids{});
  EXPECT_EQ(examine({wheel}, "/opt/rocm/lib"), Ids{});
  EXPECT_EQ(examine({rocm, library("libMIOpen", "/a", "1.0", LibraryOrigin::rocm)}, ""), Ids{});
  EXPECT_EQ(examine({rocm, wheel}, std::string(100000, ':')), Ids{"library.several"});
}

TEST(ExamineSurroundings, SharedMemoryOfAContainer) {
  const TestTree tree;
  const auto examine = [&](const std::string& options) {
    tree.write("proc/mounts", "overlay / overlay rw 0 0\nshm /dev/shm tmpfs " + options + " 0 0\n");
    return ids(examine_surroundings(tree.root(), {}, ""));
  };
  EXPECT_EQ(examine("rw,nosuid,size=65536k,inode64"), Ids{}) << "no container";
  tree.write(".dockerenv", "");
  EXPECT_EQ(examine("rw,nosuid,size=65536k,inode64"), Ids{"container.shared_memory"});
  EXPECT_EQ(examine("size=1024k"), Ids{"container.shared_memory"});
  for (const char* enough :
       {"rw,size=8388608k", "rw", "rw,size=50%", "rw,xsize=1k", "size=k", "size=99999999999999999999k"}) {
    EXPECT_EQ(examine(enough), Ids{}) << enough;
  }
}

}  // namespace
}  // namespace convoy
