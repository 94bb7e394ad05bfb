// What a whole process sees: planned faults, the version, the cache on disk, the report. Each case is a program of its own,
// since the variables are read once.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "sim/miopen/client_test.h"

namespace convoy::miopen {
namespace {

namespace fs = std::filesystem;

struct Ended {
  std::string output;  // stdout, and what the library says on stderr
  int code;            // as a shell tells: 137 killed after the time limit, 139 a segmentation fault
};

// "NAME=value ..." and "SIZE STEP ...".
Ended client(const std::string& variables, const std::string& arguments) {
  std::string command =
      "env " + variables + " timeout -s KILL 5 " CONVOY_SIM_MIOPEN_CLIENT " " + arguments + " 2>&1; echo code $?";
  std::FILE* pipe = popen(command.c_str(), "r");
  Ended ended{"", -1};
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) ended.output += buffer;
  if (pipe != nullptr) pclose(pipe);
  std::size_t code = ended.output.rfind("code ");
  if (code != std::string::npos) ended.code = std::atoi(ended.output.c_str() + code + 5);
  return ended;
}

Ended with_fault(const std::string& fault, const std::string& arguments) {
  return client("'CONVOY_SIM_MIOPEN_FAULT=" + fault + "'", arguments);
}

testing::AssertionResult says(const Ended& ended, const std::string& line) {
  if (ended.output.find(line + '\n') != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no line \"" << line << "\" in:\n" << ended.output;
}

class Fault : public MiopenTest {};

TEST_F(Fault, NoneWithoutTheVariable) {
  Ended ended = client("", "6 version query find run immediate count solutions");
  EXPECT_EQ(ended.code, 0);
  for (const char* line : {"version 0 3.2.0", "query 0 3888", "find 0 3:0 0:3888 1:0", "run 0 right",
                           "immediate 0 right", "count 0 3", "solutions 0 84 91 85"}) {
    EXPECT_TRUE(says(ended, line));
  }
  EXPECT_EQ(ended.output.find("MIOpen Error"), std::string::npos) << ended.output;
}

TEST_F(Fault, StatusIsReturned) {
  Ended ended = with_fault("status=8", "6 find run query");
  EXPECT_TRUE(says(ended, "find 0 3:0 0:3888 1:0")) << "Find is not among the functions meant";
  EXPECT_NE(ended.output.find("run 8"), std::string::npos);
  EXPECT_TRUE(says(ended, "query 8 0"));
  EXPECT_NE(ended.output.find("MIOpen Error: a planned failure of miopenConvolutionForward"), std::string::npos);
  ended = with_fault("status=3:miopenFind*", "6 find query");
  EXPECT_TRUE(says(ended, "find 3"));
  EXPECT_TRUE(says(ended, "query 0 3888"));
  EXPECT_TRUE(says(with_fault("status=1:miopenCreate", "6"), "create 1"));
}

TEST_F(Fault, FirstRuleThatMatchesWins) {
  Ended ended = with_fault("status=4:miopenFind*@hw>42,status=5:miopenFind*@n>=2,status=6:miopenFind*", "6 find");
  EXPECT_TRUE(says(ended, "find 5"));
}

TEST_F(Fault, ConditionsCompareTheInput) {
  EXPECT_TRUE(says(with_fault("status=7:miopenFind*@hw>6", "6 find"), "find 0 3:0 0:3888 1:0"));
  EXPECT_TRUE(says(with_fault("status=7:miopenFind*@hw>6", "7 find"), "find 7"));
  for (const char* holds : {"n=2", "n>=2", "c<4", "d<=1", "h=6", "w=6", "hw<7"}) {
    EXPECT_TRUE(says(with_fault(std::string("status=7:miopenFind*@") + holds, "6 find"), "find 7")) << holds;
  }
  for (const char* not_so : {"n>2", "n<2", "c=4", "d>1", "h>=7", "w<6"}) {
    EXPECT_TRUE(says(with_fault(std::string("status=7:miopenFind*@") + not_so, "6 find"), "find 0 3:0 0:3888 1:0"))
        << not_so;
  }
}

TEST_F(Fault, HangDoesNotReturn) {
  auto begin = std::chrono::steady_clock::now();
  Ended ended = client("CONVOY_SIM_MIOPEN_FAULT=hang", "6 query find");
  EXPECT_EQ(ended.code, 137);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
  EXPECT_TRUE(says(ended, "query 0 3888"));
  EXPECT_EQ(ended.output.find("find"), std::string::npos);
}

TEST_F(Fault, CrashEndsTheProcessEvenInAQuery) {
  Ended ended = with_fault("crash", "6 query immediate");
  EXPECT_EQ(ended.code, 139);
  EXPECT_TRUE(says(ended, "query 0 3888"));
  EXPECT_EQ(with_fault("crash:miopenConvolutionForwardGetWorkSpaceSize", "6 query").code, 139);
}

TEST_F(Fault, NumbersAreWrongOrNan) {
  Ended ended = with_fault("wrong", "6 find run immediate");
  EXPECT_TRUE(says(ended, "run 0 wrong"));
  EXPECT_TRUE(says(ended, "immediate 0 wrong"));
  EXPECT_TRUE(says(with_fault("nan", "6 find run"), "run 0 nan"));
  ended = with_fault("wrong:miopenConvolutionForwardImmediate", "6 find run immediate");
  EXPECT_TRUE(says(ended, "run 0 right"));
  EXPECT_TRUE(says(ended, "immediate 0 wrong"));
}

TEST_F(Fault, WorkspaceIsNeededAndNotTold) {
  Ended ended = with_fault("workspace", "6 query find-without find run-without run");
  EXPECT_TRUE(says(ended, "query 0 0"));
  EXPECT_TRUE(says(ended, "find-without 7"));
  EXPECT_TRUE(says(ended, "find 0 3:256 0:3888 1:256"));
  EXPECT_NE(ended.output.find("run-without 7"), std::string::npos);
  EXPECT_TRUE(says(ended, "run 0 right"));
}

TEST_F(Fault, SlowFindTakesItsTime) {
  auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(says(with_fault("slow=700", "6 find"), "find 0 3:0 0:3888 1:0"));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(700));
}

TEST_F(Fault, NaiveOrNothingIsOffered) {
  Ended ended = with_fault("naive", "6 query find solutions");
  EXPECT_TRUE(says(ended, "query 0 0"));
  EXPECT_TRUE(says(ended, "find 0 1:0"));
  EXPECT_TRUE(says(ended, "solutions 0 85"));
  ended = with_fault("absent", "6 find count solutions");
  EXPECT_TRUE(says(ended, "find 7"));
  EXPECT_TRUE(says(ended, "count 0 0"));
  EXPECT_TRUE(says(ended, "solutions 7"));
  EXPECT_NE(ended.output.find("No suitable algorithm"), std::string::npos);
}

TEST_F(Fault, WhatIsNotUnderstoodFailsEveryCall) {
  for (const char* wrong : {"explode", "status", "status=x", "hang=1", "hang:miopenFoo", "hang@z>1", "hang@n!1",
                            "hang@n>x", "hang@n=>1", "naive,,"}) {
    Ended ended = with_fault(wrong, "6 version");
    EXPECT_TRUE(says(ended, "create 5")) << wrong;
    EXPECT_NE(ended.output.find("MIOpen Error: CONVOY_SIM_MIOPEN_FAULT: "), std::string::npos) << ended.output;
  }
}

TEST_F(Fault, VersionIsWhatIsAskedFor) {
  EXPECT_TRUE(says(client("CONVOY_SIM_MIOPEN_VERSION=2.17.0", "6 version"), "version 0 2.17.0"));
  EXPECT_TRUE(says(client("CONVOY_SIM_MIOPEN_VERSION=new", "6 version"), "version 5 0.0.0"));
}

class Files : public MiopenTest {
 protected:
  void SetUp() override {
    MiopenTest::SetUp();
    std::string name = (fs::temp_directory_path() / "convoy_sim_miopen_files_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    fs::remove_all(folder_);
    MiopenTest::TearDown();
  }
  // Of a client that computes, with these variables: how often it compiled.
  int compilations(const std::string& variables) {
    fs::path report = folder_ / "report";
    Ended ended = client(variables + " CONVOY_SIM_REPORT=" + report.string(), "6 immediate");
    EXPECT_TRUE(says(ended, "immediate 0 right"));
    std::string text = read(report), call = "call hiprtcCompileProgram ";
    std::size_t at = text.find(call);
    return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + call.size());
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::vector<fs::path> cached() const { return {fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()}; }

  fs::path folder_;
};

TEST_F(Files, ASecondProcessDoesNotCompile) {
  std::string cache = "MIOPEN_CUSTOM_CACHE_DIR=" + (folder_ / "cache").string();
  EXPECT_EQ(compilations(cache), 1);
  ASSERT_EQ(cached().size(), 1u) << "nothing but the code object";
  EXPECT_EQ(compilations(cache), 0);
}

TEST_F(Files, ADamagedFileIsReplaced) {
  std::string cache = "MIOPEN_CUSTOM_CACHE_DIR=" + (folder_ / "cache").string();
  EXPECT_EQ(compilations(cache), 1);
  ASSERT_EQ(cached().size(), 1u);
  std::ofstream(cached()[0]) << "damaged";
  EXPECT_EQ(compilations(cache), 1);
  EXPECT_EQ(compilations(cache), 0);
}

TEST_F(Files, TheCacheIsInTheHomeByDefault) {
  std::string home = "-u MIOPEN_CUSTOM_CACHE_DIR HOME=" + folder_.string();
  EXPECT_EQ(compilations(home), 1);
  EXPECT_TRUE(fs::is_directory(folder_ / ".cache" / "miopen" / "3.2.0"));
  EXPECT_EQ(compilations(home), 0);
}

TEST_F(Files, WithoutAFolderEachProcessCompiles) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(compilations("MIOPEN_CUSTOM_CACHE_DIR=/proc/nowhere"), 1);
}

TEST_F(Files, TheReportCountsCallsByProcess) {
  fs::path report = folder_ / "calls";
  std::string variable = "CONVOY_SIM_MIOPEN_REPORT=" + report.string();
  EXPECT_EQ(client(variable, "6 query query fork").code, 0);
  std::istringstream lines(read(report));
  std::string function;
  std::map<int, std::map<std::string, int>> calls;
  for (int process = 0, count = 0; lines >> process >> function >> count;) calls[process][function] = count;
  ASSERT_EQ(calls.size(), 2u) << "the program and the child that it forked";
  for (auto& [process, counts] : calls) {
    if (counts.contains("miopenGetVersion")) {
      EXPECT_EQ(counts, (std::map<std::string, int>{{"miopenGetVersion", 1}})) << "a child counts from 0";
    } else {
      EXPECT_EQ(counts["miopenConvolutionForwardGetWorkSpaceSize"], 2);
      EXPECT_EQ(counts["miopenCreate"], 1);
      EXPECT_FALSE(counts.contains("miopenConvolutionForward"));
    }
  }
}

}  // namespace
}  // namespace convoy::miopen
