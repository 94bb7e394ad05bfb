// Which assignments are seen in the files that shells, sessions and services read, and that nothing else is.
#include "cli/environment_places.h"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

class EnvironmentPlaces : public testing::Test {
 protected:
  std::vector<std::string> read(const std::string& home = "/home/me") const {
    std::vector<std::string> lines;
    const auto wanted = [](std::string_view name) { return name.starts_with("MIOPEN_") || name.starts_with("HSA_"); };
    for (const EnvironmentAssignment& one :
         read_environment_files({.root = root_.path(), .home = home}, wanted).assignments) {
      lines.push_back(
          fmt::format("{}:{} {}={}{}", one.file, one.line, one.name, one.value, one.computed ? " computed" : ""));
    }
    return lines;
  }
  using Lines = std::vector<std::string>;
  TestFolder root_;
};

TEST_F(EnvironmentPlaces, ShellCommands) {
  root_.write("etc/profile.d/rocm.sh",
              "# export MIOPEN_A=1\n"
              "if lspci | grep -q 731f; then export MIOPEN_B=2; fi\n"
              "MIOPEN_C='3 4' MIOPEN_D=\"5\\\"6\"   # MIOPEN_E=7\n"
              "declare -x MIOPEN_F=$HOME/db MIOPEN_G='$HOME'\n"
              "echo MIOPEN_H=1; MIOPEN_I=8 program MIOPEN_J=9\n"
              "export MIOPEN_K=\\\n10\n"
              "\texport PATH=/bin MIOPEN_L=\"\"\r\n"
              "export MIOPEN_M=\"un\nclosed\n");
  EXPECT_EQ(read(),
            (Lines{"/etc/profile.d/rocm.sh:2 MIOPEN_B=2", "/etc/profile.d/rocm.sh:3 MIOPEN_C=3 4",
                   "/etc/profile.d/rocm.sh:3 MIOPEN_D=5\"6", "/etc/profile.d/rocm.sh:4 MIOPEN_F=$HOME/db computed",
                   "/etc/profile.d/rocm.sh:4 MIOPEN_G=$HOME", "/etc/profile.d/rocm.sh:5 MIOPEN_I=8",
                   "/etc/profile.d/rocm.sh:6 MIOPEN_K=10",
                   "/etc/profile.d/rocm.sh:8 MIOPEN_L=", "/etc/profile.d/rocm.sh:9 MIOPEN_M=un"}));
}

TEST_F(EnvironmentPlaces, EnvironmentFilesTakeQuotesOffWholeValues) {
  root_.write("etc/environment", "MIOPEN_A=\"1\"\nexport MIOPEN_B=2\nnothing\n  MIOPEN_C = x y\nMIOPEN_D='\"3\"'\n");
  root_.write("etc/environment.d/90-rocm.conf", "HSA_X=${HSA_Y}\nexport HSA_W=1\n");
  root_.write("etc/environment.d/90-rocm.conf.bak", "HSA_X=2\n");
  root_.write("home/me/.config/environment.d/a.conf", "HSA_Z=1\n");
  EXPECT_EQ(read(),
            (Lines{"/etc/environment:1 MIOPEN_A=1", "/etc/environment:2 MIOPEN_B=2", "/etc/environment:4 MIOPEN_C=x y",
                   "/etc/environment:5 MIOPEN_D=\"3\"", "/etc/environment.d/90-rocm.conf:1 HSA_X=${HSA_Y} computed",
                   "/home/me/.config/environment.d/a.conf:1 HSA_Z=1"}));
}

// As systemd 252 reads it, seen with systemd --test.
TEST_F(EnvironmentPlaces, SystemdTakesQuotesOffEverywhere) {
  root_.write("etc/systemd/system.conf.d/rocm.conf",
              "[Manager]\n"
              "DefaultEnvironment=\"MIOPEN_A=1 2\" MIOPEN_B=3 'MIOPEN_C=4'\n"
              "DefaultEnvironment=HSA_D=\"10.3.0\" \\\n  \"HSA_E=\"5\"\" HSA_H=%h/db\n"
              "DefaultLimitCORE=HSA_F=6\n"
              "#DefaultEnvironment=HSA_G=7\n");
  const std::string file = "/etc/systemd/system.conf.d/rocm.conf";
  EXPECT_EQ(read(), (Lines{file + ":2 MIOPEN_A=1 2", file + ":2 MIOPEN_B=3", file + ":2 MIOPEN_C=4",
                           file + ":3 HSA_D=10.3.0", file + ":3 HSA_E=5", file + ":3 HSA_H=%h/db computed"}));
}

TEST_F(EnvironmentPlaces, FilesOfTheUserAreThoseBelowTheRoot) {
  root_.write("home/me/.bashrc", "export HSA_A=1\n");
  root_.write("home/me/.profile", "export HSA_B=2\n");
  EXPECT_EQ(read(), (Lines{"/home/me/.profile:1 HSA_B=2", "/home/me/.bashrc:1 HSA_A=1"}));
  EXPECT_EQ(read("/home/you"), Lines{});
  EXPECT_EQ(read(""), Lines{});
}

TEST_F(EnvironmentPlaces, WhatIsNotReadIsTold) {
  root_.write("etc/environment", std::string(100000, '#'));
  std::filesystem::create_directories(root_.file("etc/profile"));
  const EnvironmentFiles files =
      read_environment_files({.root = root_.path(), .home = "/home/me"}, [](std::string_view) { return true; });
  EXPECT_EQ(files.unread.size(), 2U);
  EXPECT_TRUE(files.assignments.empty());
}

TEST_F(EnvironmentPlaces, LinksAreFollowedInsideTheRoot) {
  const TestFolder outside;
  std::filesystem::create_directories(root_.file("etc/profile.d"));
  std::filesystem::create_symlink(outside.write("out.sh", "export HSA_A=1\n"), root_.file("etc/profile.d/a.sh"));
  root_.write("opt/in.sh", "export HSA_B=2\n");
  std::filesystem::create_symlink("/opt/in.sh", root_.file("etc/profile.d/b.sh"));
  std::filesystem::create_symlink("c.sh", root_.file("etc/profile.d/c.sh"));
  EXPECT_EQ(read(), Lines{"/etc/profile.d/b.sh:1 HSA_B=2"});
}

TEST_F(EnvironmentPlaces, Fish) {
  root_.write("etc/fish/conf.d/rocm.fish", "set -gx HSA_A 1\n");
  root_.write("home/me/.config/fish/config.fish", "set -gx HSA_B 2\n");
  root_.write("home/me/.config/fish/fish_variables", "SETUVAR --export HSA_C:10\\x2e3\\x2e0\n");
  EXPECT_EQ(read(), (Lines{"/etc/fish/conf.d/rocm.fish:1 HSA_A=1", "/home/me/.config/fish/config.fish:1 HSA_B=2",
                           "/home/me/.config/fish/fish_variables:1 HSA_C=10.3.0"}));
}

TEST_F(EnvironmentPlaces, AServiceIsItsUnitItsDropInsAndItsFiles) {
  root_.write("usr/lib/systemd/system/ollama.service",
              "[Service]\nEnvironment=HSA_A=0\nEnvironmentFile=-/etc/default/ollama\nUnsetEnvironment=HSA_E\n");
  root_.write("etc/systemd/system/ollama.service.d/override.conf", "[Service]\nEnvironment=\"HSA_B=1\"\n");
  root_.write("usr/lib/systemd/system/ollama.service.d/override.conf", "[Service]\nEnvironment=HSA_C=weaker\n");
  root_.write("etc/default/ollama", "HSA_D=2\nHSA_E=3\n");
  root_.write("etc/systemd/system/service.d/all.conf", "[Service]\nEnvironment=HSA_F=4\n");
  EXPECT_EQ(read(), (Lines{"/usr/lib/systemd/system/ollama.service:2 HSA_A=0",
                           "/etc/systemd/system/ollama.service.d/override.conf:2 HSA_B=1",
                           "/etc/default/ollama:1 HSA_D=2", "/etc/systemd/system/service.d/all.conf:2 HSA_F=4"}));
  const auto found = read_environment_files({.root = root_.path()}, [](std::string_view) { return true; });
  ASSERT_EQ(found.assignments.size(), 4U);
  EXPECT_EQ(found.assignments[0].scope, found.assignments[2].scope);
  EXPECT_NE(found.assignments[0].scope, found.assignments[3].scope);
  EXPECT_EQ(found.assignments[2].place(), "/etc/default/ollama:1 (system service ollama.service)");
}

TEST_F(EnvironmentPlaces, TheStrongestUnitCounts) {
  root_.write("usr/lib/systemd/system/a.service", "[Service]\nEnvironment=HSA_A=1\n");
  root_.write("etc/systemd/system/a.service", "[Service]\nEnvironment=HSA_A=2\n");
  root_.write("usr/lib/systemd/system/masked.service", "[Service]\nEnvironment=HSA_B=1\n");
  root_.write("dev/null", "");
  std::filesystem::create_symlink("/dev/null", root_.file("etc/systemd/system/masked.service"));
  root_.write("usr/lib/systemd/system/real.service", "[Service]\nEnvironment=HSA_C=1\n");
  std::filesystem::create_symlink("real.service", root_.file("usr/lib/systemd/system/alias.service"));
  root_.write("home/me/.config/systemd/user/mine.service", "[Service]\nEnvironment=HSA_D=%h\n");
  EXPECT_EQ(read(), (Lines{"/etc/systemd/system/a.service:2 HSA_A=2", "/usr/lib/systemd/system/real.service:2 HSA_C=1",
                           "/home/me/.config/systemd/user/mine.service:2 HSA_D=%h computed"}));
}

TEST_F(EnvironmentPlaces, QuadletsOfPodman) {
  root_.write("etc/containers/systemd/comfy.container",
              "[Container]\nEnvironment=HSA_A=1\n[Service]\nEnvironment=HSA_B=2\n");
  root_.write("home/me/.config/containers/systemd/tts.container", "[Container]\nEnvironment=HSA_C=3\n");
  EXPECT_EQ(read(), (Lines{"/etc/containers/systemd/comfy.container:2 HSA_A=1",
                           "/home/me/.config/containers/systemd/tts.container:2 HSA_C=3"}));
}

TEST_F(EnvironmentPlaces, CondaEnvironmentsThatItHasNoted) {
  root_.write("home/me/.conda/environments.txt", "/home/me/envs/a\n/home/me/gone\nnonsense\n");
  root_.write("home/me/envs/a/conda-meta/state", "{\"env_vars\": {\"HSA_A\": \"1\"}}");
  root_.write("home/me/envs/a/etc/conda/activate.d/rocm.sh", "export HSA_B=2\n");
  root_.write("opt/conda/etc/conda/env_vars.d/rocm.json", "{\"HSA_C\": \"3\"}");
  const auto wanted = [](std::string_view) { return true; };
  const auto found = read_environment_files(
      {.root = root_.path(), .home = "/home/me", .conda_prefixes = {"/opt/conda", "/home/me/envs/a"}}, wanted);
  ASSERT_EQ(found.assignments.size(), 3U) << "each is read once";
  EXPECT_EQ(found.assignments[0].place(), "/home/me/envs/a/conda-meta/state:1 (conda environment /home/me/envs/a)");
  EXPECT_EQ(found.assignments[1].name, "HSA_B");
  EXPECT_EQ(found.assignments[2].name, "HSA_C");
}

TEST_F(EnvironmentPlaces, ContainersOfAProject) {
  root_.write("home/me/app/compose.yaml", "services:\n  a:\n    environment:\n      - HSA_A=1\n    image: x\n");
  root_.write("home/me/app/docker-compose.override.yml", "services:\n  a:\n    environment: {HSA_B: 2}\n");
  root_.write("home/me/app/Dockerfile", "FROM x\nENV HSA_C=3\n");
  const auto wanted = [](std::string_view) { return true; };
  const auto found = read_environment_files({.root = root_.path(), .project = "/home/me/app"}, wanted);
  ASSERT_EQ(found.assignments.size(), 2U);
  EXPECT_EQ(found.assignments[0].place(), "/home/me/app/compose.yaml:4 (containers that compose starts here)");
  EXPECT_EQ(found.assignments[1].name, "HSA_C");
  ASSERT_EQ(found.unread.size(), 1U);
  EXPECT_EQ(found.unread[0].path, "/home/me/app/docker-compose.override.yml");
  EXPECT_NE(found.unread[0].text.find("line 3"), std::string::npos) << found.unread[0].text;
}

TEST_F(EnvironmentPlaces, ANamedFileIsReadAsWhatItIs) {
  const std::vector<std::pair<const char*, const char*>> files = {
      {"/f/start.sh", "export HSA_A=1\n"},
      {"/f/x.fish", "set -x HSA_A 1\n"},
      {"/f/stack.yml", "environment:\n - HSA_A=1"},
      {"/f/Dockerfile.rocm", "ENV HSA_A 1\n"},
      {"/f/x.service", "[Service]\nEnvironment=HSA_A=1\n"},
      {"/f/x.env", "HSA_A=1\n"},
      {"/f/x.container", "[Container]\nEnvironment=HSA_A=1\n"},
      {"/f/x.conf", "[Manager]\nDefaultEnvironment=HSA_A=1\n"},
      {"/f/x.json", "{\"HSA_A\": \"1\"}"}};
  for (const auto& [path, text] : files) {
    root_.write(std::string(path).substr(1), text);
    const auto found =
        read_environment_files({.root = root_.path(), .also = {path}}, [](std::string_view) { return true; });
    ASSERT_EQ(found.assignments.size(), 1U) << path;
    EXPECT_EQ(found.assignments[0].value, "1") << path;
  }
}

TEST_F(EnvironmentPlaces, WhatIsLeftOutForItsNumberIsSaid) {
  const auto all = [](std::string_view) { return true; };
  for (int file = 0; file < 300; ++file) root_.write(fmt::format("etc/profile.d/{:03}.sh", file), "A=1\n");
  std::string unit = "[Service]\n";
  for (int file = 0; file < 20; ++file) unit += fmt::format("EnvironmentFile=/srv/{:02}\n", file);
  root_.write("etc/systemd/system/a.service", unit);
  for (int file = 0; file < 20; ++file) root_.write(fmt::format("srv/{:02}", file), fmt::format("B{}=1\n", file));
  auto found = read_environment_files({.root = root_.path()}, all);
  EXPECT_EQ(found.assignments.size(), 256U + 16U);
  ASSERT_EQ(found.unread.size(), 2U);
  EXPECT_EQ(found.unread[0].path, "/etc/profile.d");
  EXPECT_EQ(found.unread[1].path, "/etc/systemd/system/a.service");
  for (int file = 0; file < 2100; ++file) root_.write(fmt::format("etc/systemd/user/{}.service", file), "");
  EXPECT_EQ(read_environment_files({.root = root_.path()}, all).unread.size(), 3U);

  std::string many;
  for (int line = 0; line < 5000; ++line) many += fmt::format("A{}=1\n", line);
  root_.write("etc/environment", many);
  found = read_environment_files({.root = root_.path()}, all);
  EXPECT_EQ(found.assignments.size(), 4096U);
  EXPECT_EQ(found.unread[0].path, "/etc/environment");
}

TEST_F(EnvironmentPlaces, AnyBytesAreRead) {
  std::mt19937 random(20261121);
  const std::string letters = "MIOPEN_A=12'\"\\$`;&|(){}# \t\r\n export Default Environment\0\x1b\xff";
  for (int round = 0; round < 300; ++round) {
    std::string text = "DefaultEnvironment=";
    for (int i = 0; i < 200; ++i) text += letters[random() % letters.size()];
    root_.write("etc/environment", text);
    root_.write("etc/profile", text);
    root_.write("etc/systemd/system.conf", "[Manager]\n" + text);
    for (const std::string& line : read()) EXPECT_NE(line.find('='), std::string::npos) << round;
  }
}

}  // namespace
}  // namespace convoy
