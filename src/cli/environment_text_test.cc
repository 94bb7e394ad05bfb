// What is an assignment in each kind of file, and what is not.
#include "cli/environment_text.h"

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace convoy {
namespace {

using Lines = std::vector<std::string>;

Lines assignments_in(ReadEnvironmentText read, std::string_view text) {
  EnvironmentText found;
  read(text, found);
  Lines lines;
  for (const EnvironmentAssignment& one : found.assignments) {
    lines.push_back(fmt::format("{} {}={}{}", one.line, one.name, one.value, one.computed ? " computed" : ""));
  }
  return lines;
}

Lines notes_in(ReadEnvironmentText read, std::string_view text) {
  EnvironmentText found;
  read(text, found);
  Lines lines;
  for (const DetectNote& note : found.notes) lines.push_back(note.text);
  return lines;
}

TEST(ShellText, HereDocumentsAreNoCommands) {
  EXPECT_EQ(assignments_in(read_shell_text,
                           "cat > f <<EOF\n"
                           "export A=1\n"
                           "\tEOF\n"
                           "EOF\n"
                           "export B=2; tee g <<-'END' > /dev/null\n"
                           "\texport C=3\n"
                           "\tEND\n"
                           "export D=4\n"
                           "cat <<\\NEVER\n"
                           "export E=5\n"),
            (Lines{"5 B=2", "8 D=4"}));
}

TEST(ShellText, WhatLooksLikeAHereDocument) {
  EXPECT_EQ(assignments_in(read_shell_text,
                           "n=$((1<<3))\nexport A=1\n"
                           "grep x <<< \"$y\"\nexport B=2\n"
                           "echo '<<EOF'\nexport C=3\n"
                           "# cat <<EOF\nexport D=4\n"
                           "(( n = 1 << k ))\nexport E=5\n"),
            (Lines{"1 n=$((1<<3 computed", "2 A=1", "4 B=2", "6 C=3", "8 D=4", "10 E=5"}));
}

TEST(ShellText, ACommentDoesNotGoOn) {
  EXPECT_EQ(assignments_in(read_shell_text, "# see \\\nexport A=1\n"), Lines{"2 A=1"});
}

TEST(FishText, OnlyWhatIsExported) {
  EXPECT_EQ(assignments_in(read_fish_text,
                           "set -gx A 1\n"
                           "set --export --global B '2 3'\n"
                           "set -g C 4\n"
                           "set D 5\n"
                           "set -Ux E $HOME/db\n"
                           "if test -e /dev/kfd; set -x F (cat f); end\n"
                           "set -ex G\n"
                           "# set -gx H 1\n"
                           "export I=6\n"
                           "set -gx J a b\n"
                           "set -gx K\n"
                           "set -gx\n"
                           "set -qx L M\n"),
            (Lines{"1 A=1", "2 B=2 3", "5 E=$HOME/db computed", "6 F=(cat f computed", "9 I=6", "10 J=a b", "11 K="}));
}

TEST(FishVariables, ExportedOnesWithTheirBytes) {
  EXPECT_EQ(assignments_in(read_fish_variables,
                           "# This file contains fish universal variable definitions.\n# VERSION: 3.0\n"
                           "SETUVAR --export HSA_OVERRIDE_GFX_VERSION:10\\x2e3\\x2e0\n"
                           "SETUVAR fish_color_command:blue\n"
                           "SETUVAR --export --path P:a\\x1eb\n"
                           "SETUVAR --export Q:\\x2\n"
                           "SETUVAR --export nothing\n"),
            (Lines{"3 HSA_OVERRIDE_GFX_VERSION=10.3.0", "5 P=a b", "6 Q=\\x2"}));
}

TEST(ServiceText, OnlyTheSectionOfServices) {
  EXPECT_EQ(assignments_in(read_service_text,
                           "Environment=A=1\n[Unit]\nEnvironment=B=1\n[Service]\n"
                           "Environment=\"C=2 3\" D=4 \\\n# between\n; and\n 'E=%h'\n"
                           "ExecStart=/bin/x Environment=F=1\n"),
            (Lines{"5 C=2 3", "5 D=4", "5 E=%h computed"}));
}

TEST(ServiceText, AnEmptyOneTakesBackWhatWasBefore) {
  EXPECT_EQ(assignments_in(read_service_text, "[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n"),
            Lines{"4 B=2"});
}

TEST(ServiceText, FilesAndNamesThatAreHandedOn) {
  EnvironmentText text;
  read_service_text(
      "[Service]\nEnvironmentFile=-/etc/default/a\nEnvironmentFile=/etc/b\nPassEnvironment=A B\n"
      "EnvironmentFile=/etc/%i\nEnvironmentFile=relative\nUnsetEnvironment=C D=1\n",
      text);
  EXPECT_EQ(text.files, (Lines{"/etc/default/a", "/etc/b"}));
  EXPECT_EQ(text.unset, (Lines{"C", "D=1"}));
  EXPECT_EQ(text.notes.size(), 2U);
  ASSERT_EQ(text.assignments.size(), 2U);
  EXPECT_TRUE(text.assignments[0].computed);
  read_service_text("[Service]\nEnvironmentFile=\nUnsetEnvironment=\n", text);
  EXPECT_TRUE(text.files.empty());
  EXPECT_TRUE(text.unset.empty());
}

TEST(ComposeText, MappingsAndListsBelowTheKey) {
  EXPECT_EQ(assignments_in(read_compose_text,
                           "services:\n"
                           "  a:\n"
                           "    labels:\n"
                           "      X: no\n"
                           "    environment:   # for the card\n"
                           "      A: 1\n"
                           "      B: \"10.3.0\"  # quoted\n"
                           "\n"
                           "      # C: 2\n"
                           "      D: '#4'\n"
                           "      E: ${X:-5}\n"
                           "      F:\n"
                           "      G: $$5\n"
                           "    devices:\n"
                           "      - H=1\n"
                           "  b:\n"
                           "    environment:\n"
                           "    - I=6\n"
                           "    - \"J=7 8\"\n"
                           "    - K=\"10.3.0\"\n"
                           "    - L\n"
                           "    volumes:\n"
                           "    - M=1\n"),
            (Lines{"6 A=1", "7 B=10.3.0", "10 D=#4", "11 E=${X:-5} computed", "12 F= computed", "13 G=$5", "18 I=6",
                   "19 J=7 8", "20 K=\"10.3.0\"", "21 L= computed"}));
}

TEST(ComposeText, EachBlockIsOneContainers) {
  EnvironmentText text;
  read_compose_text("a:\n environment:\n  A: 1\nb:\n environment:\n  A: 2\n", text);
  ASSERT_EQ(text.assignments.size(), 2U);
  EXPECT_NE(text.assignments[0].block, text.assignments[1].block);
}

TEST(ComposeText, WhatItDoesNotReadIsSaid) {
  const std::string_view text =
      "a:\n  environment: {A: 1}\nb:\n  environment: *shared\nc:\n  environment:\n    <<: *shared\n    B: |\n      "
      "text\n"
      "    C: &x 1\n    word\n";
  EXPECT_EQ(assignments_in(read_compose_text, text), (Lines{"8 B= computed", "10 C= computed"}));
  EXPECT_EQ(notes_in(read_compose_text, text).size(), 7U);
  const Lines beside = notes_in(read_compose_text, "a:\n  env_file: a.env\nb:\n  env_file:\n    - b.env\n");
  ASSERT_EQ(beside.size(), 2U);
  EXPECT_NE(beside[1].find("line 4: env_file:"), std::string::npos) << beside[1];
  std::string many = "environment:\n";
  for (int line = 0; line < 100; ++line) many += "  word\n";
  EXPECT_EQ(notes_in(read_compose_text, many).size(), 8U);
}

TEST(DockerfileText, EnvInBothForms) {
  EXPECT_EQ(assignments_in(read_dockerfile_text,
                           "FROM rocm/dev\n"
                           "ARG A=1\n"
                           "ENV B=2 C=\"3 4\" \\\n"
                           "# a comment between\n"
                           "    D=5\n"
                           "env E 6 7\n"
                           "ENV F=$HOME\n"
                           "# ENV G=1\n"
                           "RUN <<EOF\n"
                           "ENV H=1\n"
                           "EOF\n"
                           "ENV I=8\n"
                           "ENVY J=1\nENV\nENV K\n"),
            (Lines{"3 B=2", "3 C=3 4", "3 D=5", "6 E=6 7", "7 F=$HOME computed", "12 I=8"}));
}

TEST(CondaState, ItsVariables) {
  EXPECT_EQ(assignments_in(read_conda_state,
                           "{\"version\": 1,\n \"env_vars\": {\n  \"A\": \"1\",\n  \"B\": \"***unset***\", \"C\": 3}}"),
            Lines{"3 A=1"});
  EXPECT_EQ(assignments_in(read_conda_variables, "{\"D\": \"2\"}"), Lines{"1 D=2"});
  for (const char* broken :
       {"", "{", "[]", "{\"env_vars\": []}", "{\"env_vars\": {\"A\": {\"B\": \"1\"}}}", "\"A=1\""}) {
    EXPECT_EQ(assignments_in(read_conda_state, broken), Lines{}) << broken;
  }
  EXPECT_EQ(notes_in(read_conda_state, "{").size(), 1U);
  EXPECT_EQ(assignments_in(read_conda_state, std::string(60000, '[')), Lines{});
}

TEST(EnvironmentText, AnyBytes) {
  constexpr unsigned k_seed = 20261201;
  SCOPED_TRACE(k_seed);
  std::mt19937 random(k_seed);
  constexpr std::string_view k_parts[] = {"environment:",
                                          "[Service]\n",
                                          "Environment=",
                                          "EnvironmentFile=/",
                                          "A=1",
                                          "B: 2",
                                          "- ",
                                          "\n",
                                          "  ",
                                          "<<EOF",
                                          "ENV ",
                                          "set -x ",
                                          "\"",
                                          "'",
                                          "\\",
                                          "SETUVAR --export X:\\x",
                                          "{\"env_vars\":",
                                          "}",
                                          "#",
                                          "$",
                                          "((",
                                          "\xff\x01",
                                          "\r",
                                          "%"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int part = 0; part < 40; ++part) text += k_parts[random() % std::size(k_parts)];
    for (const ReadEnvironmentText read :
         {read_shell_text, read_fish_text, read_fish_variables, read_plain_text, read_pam_text, read_manager_text,
          read_service_text, read_quadlet_text, read_compose_text, read_dockerfile_text, read_conda_state,
          read_conda_variables}) {
      EnvironmentText found;
      read(text, found);
      for (const EnvironmentAssignment& one : found.assignments) {
        EXPECT_FALSE(one.name.empty());
        EXPECT_GT(one.line, 0);
      }
    }
  }
}

}  // namespace
}  // namespace convoy
