// What findings come of: files and variables together, leftovers, machines as detection describes them.
#include "cli/examine.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

const Finding* find(const std::vector<Finding>& findings, std::string_view id) {
  const auto found = std::ranges::find(findings, id, &Finding::id);
  return found == findings.end() ? nullptr : &*found;
}

// --- variables ---

class ExamineEnvironment : public testing::Test {
 protected:
  EnvironmentReport examine(const VariableSet& process) const {
    return examine_environment(process, {.root = root_.path(), .home = "/home/me"});
  }
  TestFolder root_;
};

TEST_F(ExamineEnvironment, OneFindingNamesAllPlaces) {
  root_.write("etc/profile.d/rocm.sh", "\nexport MIOPEN_FIND_ENFORCE=3\n");
  root_.write("etc/environment.d/90-rocm.conf", "MIOPEN_FIND_ENFORCE=3\n");
  const EnvironmentReport report = examine({{"MIOPEN_FIND_ENFORCE", "3"}});
  const Finding* finding = find(report.findings, "environment.find_enforce_search");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->place,
            "environment of this process; /etc/environment.d/90-rocm.conf:1 (systemd user sessions); "
            "/etc/profile.d/rocm.sh:2 (login shells)");
  EXPECT_EQ(find(report.findings, "environment.contradiction"), nullptr);
  ASSERT_EQ(report.variables.size(), 1U);
  EXPECT_EQ(report.variables[0].judgement, EnvironmentJudgement::dangerous);
}

TEST_F(ExamineEnvironment, AContainersEnvironmentIsCalledSo) {
  EXPECT_EQ(examine({{"HSA_XNACK", "1"}}).findings.front().place, "environment of this process");
  root_.write(".dockerenv", "");
  EXPECT_EQ(examine({{"HSA_XNACK", "1"}}).findings.front().place, "environment of this process (a container's)");
}

TEST_F(ExamineEnvironment, AContainersOwnVariablesAreToldFromLaterOnes) {
  root_.write("run/systemd/container", "lxc\n");
  root_.write("proc/1/environ", std::string("PATH=/bin\0HSA_XNACK=1\0MIOPEN_FIND_MODE=2\0", 40));
  const auto places = [&](const char* name, const char* value) {
    return examine({{name, value}}).findings.front().place;
  };
  EXPECT_EQ(places("HSA_XNACK", "1"), "environment of this process (the container was started with it)");
  EXPECT_EQ(places("HSA_XNACK", "0"), "environment of this process (set inside the container)");
  EXPECT_EQ(places("MIOPEN_FIND_ENFORCE", "3"), "environment of this process (set inside the container)");
}

TEST_F(ExamineEnvironment, KindsOfContainers) {
  EXPECT_EQ(container_kind(root_.path()), "");
  root_.write("run/systemd/container", "lxc\n");
  EXPECT_EQ(container_kind(root_.path()), "lxc");
  root_.write("run/.containerenv", "");
  EXPECT_EQ(container_kind(root_.path()), "Podman");
  root_.write(".dockerenv", "");
  EXPECT_EQ(container_kind(root_.path()), "Docker");
}

TEST_F(ExamineEnvironment, PlacesThatContradictEachOtherAreNamed) {
  root_.write("etc/profile.d/a.sh", "export MIOPEN_DEBUG_CONV_IMPLICIT_GEMM=0\n");
  root_.write("home/me/.bashrc", "export MIOPEN_DEBUG_CONV_IMPLICIT_GEMM=1\n");
  const EnvironmentReport report = examine({});
  const Finding* finding = find(report.findings, "environment.contradiction");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->severity, Severity::warning);
  EXPECT_NE(finding->place.find("=0 in /etc/profile.d/a.sh:1"), std::string::npos) << finding->place;
  EXPECT_NE(finding->place.find("=1 in /home/me/.bashrc:1"), std::string::npos) << finding->place;
}

// The rules about two variables hold within one place: a service does not see what a shell does.
TEST_F(ExamineEnvironment, EachFileIsJudgedForItself) {
  root_.write("etc/profile.d/a.sh", "export MIOPEN_FIND_MODE=2\n");
  root_.write("etc/environment.d/b.conf", "MIOPEN_FIND_ENFORCE=2\n");
  EXPECT_EQ(find(examine({}).findings, "environment.find_mode_overruled"), nullptr);
  root_.write("etc/profile.d/a.sh", "export MIOPEN_FIND_MODE=2 MIOPEN_FIND_ENFORCE=2\n");
  EXPECT_NE(find(examine({}).findings, "environment.find_mode_overruled"), nullptr);
}

TEST_F(ExamineEnvironment, WhatAShellComputesIsJudgedByNameAlone) {
  root_.write("etc/profile.d/a.sh", "export MIOPEN_SYSTEM_DB_PATH=$HOME/db HIP_FORCE_COARSE_GRAIN=$X\n");
  const EnvironmentReport report = examine({});
  EXPECT_EQ(find(report.findings, "environment.system_db_missing"), nullptr);
  EXPECT_NE(find(report.findings, "environment.invented"), nullptr);
}

// --- leftovers ---

TEST(ExamineLeftovers, EachFileIsFoundWithItsCure) {
  const TestFolder root;
  EXPECT_TRUE(examine_leftovers(root.path(), "/home/me").empty());
  for (const char* file : {"etc/profile.d/rocm-rdna1.sh", "etc/systemd/system.conf.d/rocm-rdna1.conf",
                           "etc/environment.d/90-rocm-rdna1.conf", "etc/udev/rules.d/90-rocm-rdna1.rules",
                           "etc/rocm-rdna1-fix.info", "etc/modprobe.d/amdgpu-fix.conf", "home/me/test_all_conv2d.py"}) {
    root.write(file, "");
  }
  root.write("home/me/.bashrc", "alias ll='ls -l'\n");
  auto findings = examine_leftovers(root.path(), "/home/me");
  EXPECT_EQ(findings.size(), 7U);
  for (const Finding& finding : findings) {
    EXPECT_NE(finding.cure.find(finding.place), std::string::npos) << finding.id;
    EXPECT_TRUE(finding.source.starts_with("https://")) << finding.id;
  }
  root.write("home/me/.bashrc", "source ~/rocm_rdna1_env.sh\n");
  root.write("etc/profile.d/rocm-rdna1-57.sh", "");
  findings = examine_leftovers(root.path(), "/home/me");
  EXPECT_NE(find(findings, "leftover.bashrc"), nullptr);
  ASSERT_NE(find(findings, "leftover.two_recipes"), nullptr);
  EXPECT_EQ(find(findings, "leftover.two_recipes")->place,
            "/etc/profile.d/rocm-rdna1.sh; /etc/profile.d/rocm-rdna1-57.sh");
}

// --- machines ---

DetectedGpu rx5600xt() {
  DetectedGpu gpu;
  gpu.pci_address = "0000:03:00.0";
  gpu.kfd_node = 1;
  gpu.vendor = 0x1002;
  gpu.device = 0x731f;
  gpu.architecture = "gfx1010";
  gpu.compute_units = 36;
  gpu.driver = "amdgpu";
  return gpu;
}

std::vector<PlacedVariable> override_of(const std::string& name, const std::string& value) {
  return {{name, value, {"/etc/profile.d/a.sh:1 (login shells)"}, EnvironmentJudgement::dangerous}};
}

TEST(ExamineMachine, AHealthyCardGivesNoFinding) {
  Detection detection;
  detection.gpus = {rx5600xt()};
  EXPECT_TRUE(examine_machine(detection, {}).empty());
}

TEST(ExamineMachine, NoCardIsWorthAWarningOnlyWhereRocmIs) {
  Detection detection;
  EXPECT_EQ(find(examine_machine(detection, {}), "gpu.none")->severity, Severity::note);
  detection.rocm = {{"/opt/rocm-6.2.0", "6.2.0"}};
  EXPECT_EQ(find(examine_machine(detection, {}), "gpu.none")->severity, Severity::warning);
  detection.driver.blocked_by = {"/etc/modprobe.d/x.conf: blacklist amdgpu"};
  EXPECT_NE(find(examine_machine(detection, {}), "driver.blocked"), nullptr);
}

TEST(ExamineMachine, EveryLackIsAFindingWithACure) {
  for (const GpuLack kind :
       {GpuLack::no_driver, GpuLack::other_driver, GpuLack::no_kfd, GpuLack::not_in_kfd, GpuLack::no_kfd_device,
        GpuLack::kfd_denied, GpuLack::no_render_node, GpuLack::render_denied}) {
    Detection detection;
    detection.gpus = {rx5600xt()};
    detection.gpus[0].lacks = {{kind, "/dev/kfd is root:render 0660"}};
    auto findings = examine_machine(detection, {});
    ASSERT_EQ(findings.size(), 1U) << name_of(kind);
    EXPECT_EQ(findings[0].id, std::string("gpu.") + name_of(kind));
    EXPECT_LE(findings[0].severity, Severity::warning);
    EXPECT_FALSE(findings[0].cure.empty()) << name_of(kind);
    EXPECT_NE(findings[0].sentence.find("0660"), std::string::npos);
    detection.gpus[0].integrated = true;
    EXPECT_EQ(examine_machine(detection, {})[0].severity, Severity::warning) << name_of(kind);
  }
}

TEST(ExamineMachine, PretendingIsJudgedByTheCardThatIsThere) {
  Detection detection;
  detection.gpus = {rx5600xt()};
  const auto severity = [&](const std::string& name, const std::string& value) {
    const auto findings = examine_machine(detection, override_of(name, value));
    return findings.empty() ? std::string() : findings[0].id;
  };
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", "10.3.0"), "gpu.pretends_across_families");
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", "9.0.10"), "gpu.pretends_across_families");
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", "10.1.0"), "gpu.pretends_itself");
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", "10.1.2"), "gpu.pretends_within_family");
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION_1", "10.3.0"), "gpu.pretends_across_families");
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION_2", "10.3.0"), "");
  for (const char* malformed :
       {"", "10", "10.3", "10.3.0.1", "10.3.x", "10..0", "-1.3.0", "999999999999.3.0", "10.3.0 "}) {
    EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", malformed), "") << malformed;
  }
  detection.gpus[0].architecture = "gfx90a";
  EXPECT_EQ(severity("HSA_OVERRIDE_GFX_VERSION", "9.0.10"), "gpu.pretends_itself");
  for (const char* strange : {"", "gfx", "gfx9", "gfx10100000000000000", "sm_90", "gfx\x01x"}) {
    detection.gpus[0].architecture = strange;
    EXPECT_NO_FATAL_FAILURE(severity("HSA_OVERRIDE_GFX_VERSION", "10.3.0"));
  }
}

TEST(ExamineMachine, DatabasesAreMissedOnlyWhereThereAreSome) {
  Detection detection;
  detection.gpus = {rx5600xt()};
  DetectedLibrary library;
  library.name = "libMIOpen";
  library.path = "/opt/rocm/lib/libMIOpen.so.1.0";
  library.soname = "libMIOpen.so.1";
  library.database_folder = "/opt/rocm/share/miopen/db";
  detection.libraries = {library};
  EXPECT_EQ(find(examine_machine(detection, {}), "library.no_databases")->severity, Severity::note);
  detection.gpus[0].architecture = "gfx1030";
  EXPECT_EQ(find(examine_machine(detection, {}), "library.no_databases")->severity, Severity::warning);
  detection.libraries[0].database_files = {"gfx1030.kdb", "gfx1030_36.HIP.fdb.txt", "gfx1030_36.kdb",
                                           "gfx1030_18.HIP.fdb.txt"};
  EXPECT_EQ(find(examine_machine(detection, {}), "library.no_databases"), nullptr);
  detection.libraries[0].embedded_databases = true;
  EXPECT_NE(find(examine_machine(detection, {}), "library.embedded_databases"), nullptr);
  detection.libraries[0].soname = "";
  EXPECT_NE(find(examine_machine(detection, {}), "library.unloadable"), nullptr);
}

TEST(ExamineMachine, FoldersOfMiopen) {
  Detection detection;
  detection.gpus = {rx5600xt()};
  detection.user_folders = {{"/home/me/.config/miopen", false, true, false}};
  EXPECT_TRUE(examine_machine(detection, {}).empty());
  detection.user_folders = {{"/home/me/.config/miopen", true, false, true}};
  EXPECT_NE(find(examine_machine(detection, {}), "library.user_folder_unwritable"), nullptr);
  EXPECT_NE(find(examine_machine(detection, {}), "library.user_folder_network"), nullptr);
}

// --- what it comes to ---

TEST(Findings, TheWorstComesFirstAndDecides) {
  std::vector<Finding> findings{{"a", Severity::note, "", "", "", ""}};
  EXPECT_EQ(exit_status_of({}), 0);
  EXPECT_EQ(exit_status_of(findings), 0);
  findings.push_back({"b", Severity::warning, "", "", "", ""});
  EXPECT_EQ(exit_status_of(findings), 1);
  findings.push_back({"c", Severity::broken, "", "", "", ""});
  findings.push_back({"d", Severity::warning, "", "", "", ""});
  EXPECT_EQ(exit_status_of(findings), 3);
  sort_findings(findings);
  std::string order;
  for (const Finding& one : findings) order += one.id;
  EXPECT_EQ(order, "cbda");
}

}  // namespace
}  // namespace convoy
