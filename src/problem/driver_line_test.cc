// MIOpenDriver lines: hand-computed problems, every place a command may stand in, every way it may be wrong,
// the way back.
#include "problem/driver_line.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "problem/driver_flags.h"
#include "problem/random_problem.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 27182818;

std::string joined(const std::vector<SourcedProblem>& problems) {
  std::string result;
  for (const SourcedProblem& sourced : problems) {
    result += (result.empty() ? "" : " ") + sourced.problem.to_string();
    if (sourced.count != 1) result += fmt::format("*{}", sourced.count);
  }
  return result;
}

std::string joined(const std::vector<InputError>& errors) {
  std::string result;
  for (const InputError& error : errors)
    result += fmt::format("{} '{}' {}\n", error.source, error.token, error.message);
  return result;
}

TEST(DriverLine, HandComputedProblems) {
  const struct {
    const char* line;
    const char* problems;
    std::int64_t out_h, out_w;  // of the first problem, the last two numbers
  } table[] = {
      // All defaults: 100 x 3 x 32 x 32, 32 filters 3x3, all directions.
      {"MIOpenDriver conv",
       "fwd:f32:nchw:n100c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1 "
       "bwd:f32:nchw:n100c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1 "
       "wrw:f32:nchw:n100c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1",
       30, 30},
      {"./bin/MIOpenDriver conv -n 1 -c 3 -H 224 -W 224 -k 64 -y 7 -x 7 -p 3 -q 3 -u 2 -v 2 -l 1 -j 1 -m "
       "conv -g 1 -F 1 -t 1",
       "fwd:f32:nchw:n1c3h224w224:k64r7s7:pad3x3:stride2x2:dil1x1:g1", 112, 112},
      // Rows and columns must not change places: 64x1 filter on 128x64.
      {"./bin/MIOpenDriver conv -n 1 -c 1 -H 128 -W 64 -k 32 -y 64 -x 1 -p 4 -q 0 -u 2 -v 1 -l 1 -j 3 -m "
       "conv -g 1 -F 2 -t 1",
       "bwd:f32:nchw:n1c1h128w64:k32r64s1:pad4x0:stride2x1:dil1x3:g1", 37, 64},
      {"./bin/MIOpenDriver convfp16 -n 128 -c 832 -H 7 -W 7 -k 128 -y 3 -x 3 -u 1 -v 1 -l 2 -j 2 -F 4",
       "wrw:f16:nchw:n128c832h7w7:k128r3s3:pad0x0:stride1x1:dil2x2:g1", 3, 3},
      {"./bin/MIOpenDriver convbfp16 -n 1 -c 16 --in_d 19 -H 60 -W 60 -k 3072 --fil_d 1 -y 2 -x 2 --pad_d 0 "
       "-p 0 -q 0 "
       "--conv_stride_d 1 -u 2 -v 2 --dilation_d 1 -l 1 -j 1 --spatial_dim 3 -m conv -g 1 -F 1 -t 1",
       "fwd:bf16:ncdhw:n1c16d19h60w60:k3072t1r2s2:pad0x0x0:stride1x2x2:dil1x1x1:g1", 30, 30},
      // The depth flags' letters, and their defaults.
      {"./bin/MIOpenDriver conv -n 1 -_ 3 -! 9 -@ 5 -$ 1 -# 2 -^ 2 -F 1",
       "fwd:f32:ncdhw:n1c3d9h32w32:k32t5r3s3:pad1x0x0:stride2x1x1:dil2x1x1:g1", 30, 30},
      {"./bin/MIOpenDriver conv -n 1 -c 1 -H 3 -W 3 -k 2 -y 2 -x 2 --in_layout NHWC --fil_layout nhwc "
       "--out_layout NHWC -F 1",
       "fwd:f32:nhwc:n1c1h3w3:k2r2s2:pad0x0:stride1x1:dil1x1:g1", 2, 2},
      // NHWC in, NCHW filter and output: strides of n2c4h5w5, k6c4r3s3, n2k6h3w3.
      {"./bin/MIOpenDriver conv -n 2 -c 4 -H 5 -W 5 -k 6 -I NHWC -O NCHW -f NCHW -F 1",
       "fwd:f32:nhwc:n2c4h5w5:k6r3s3:pad0x0:stride1x1:dil1x1:g1:ws36x9x3x1:ys54x9x3x1", 3, 3},
      // A 1x1 filter and one output channel are the same in both layouts.
      {"./bin/MIOpenDriver conv -n 2 -c 4 -H 5 -W 5 -k 1 -y 1 -x 1 -I NHWC -F 1",
       "fwd:f32:nhwc:n2c4h5w5:k1r1s1:pad0x0:stride1x1:dil1x1:g1", 5, 5},
      // Transposed with output padding: (9-1)*2 - 2*1 + 2 + 1 + 1 = 18.
      {"./bin/MIOpenDriver convfp16 -n 1 -c 256 -H 9 -W 9 -k 512 -p 1 -q 1 -u 2 -v 2 --trans_output_pad_h 1 "
       "-X 1 -m trans -F 1",
       "fwd:f16:nchw:n1c256h9w9:k512r3s3:pad1x1:stride2x2:dil1x1:g1:tr:opad1x1", 18, 18},
      {"./bin/MIOpenDriver conv -n 128 -c 32 -H 17 -W 17 -k 16 -y 7 -x 1 -p 3 -q 0 -m trans -g 2 -F 6",
       "bwd:f32:nchw:n128c32h17w17:k16r7s1:pad3x0:stride1x1:dil1x1:g2:tr "
       "wrw:f32:nchw:n128c32h17w17:k16r7s1:pad3x0:stride1x1:dil1x1:g2:tr",
       17, 17},
      // Output padding of an ordinary convolution: the driver does not look at it.
      {"./bin/MIOpenDriver conv -n 1 -Y 1 -X 1 -F 1", "fwd:f32:nchw:n1c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1", 30,
       30},
      {"./bin/MIOpenDriver convint8 -n 1 -c 8 -k 4 -F 1 -L 1 -Z 0 -r 0 -U -1",
       "fwd:i8:nchw:n1c8h32w32:k4r3s3:pad0x0:stride1x1:dil1x1:g1", 30, 30},
      // same: 3 - 1 pixels of padding in height; in width, where 32 % 3 = 2 are left over, 4 - 2.
      // = 2.
      {"./bin/MIOpenDriver conv -n 1 -y 3 -x 4 -u 1 -v 3 -z same -F 1",
       "fwd:f32:nchw:n1c3h32w32:k32r3s4:pad1x1:stride1x3:dil1x1:g1", 32, 11},
      {"./bin/MIOpenDriver conv -n 1 -y 3 -x 3 -p 2 -q 2 -z valid -F 1",
       "fwd:f32:nchw:n1c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1", 30, 30},
      // With a dilation that matters MIOpenDriver ignores -z.
      {"./bin/MIOpenDriver conv -n 1 -p 2 -q 2 -l 2 -z valid -F 1",
       "fwd:f32:nchw:n1c3h32w32:k32r3s3:pad2x2:stride1x1:dil2x1:g1", 32, 34},
      // The last of two equal flags wins; a group count of 0 is 1; --flag=value.
      {"./bin/MIOpenDriver conv -n 5 --batchsize=6 -g 0 --in_h=9 --forw=1 -n 7",
       "fwd:f32:nchw:n7c3h9w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1", 7, 30},
  };
  for (const auto& row : table) {
    const ProblemList list = read_problems(row.line, "f");
    EXPECT_EQ(joined(list.problems), row.problems) << row.line;
    EXPECT_EQ(joined(list.errors), "") << row.line;
    ASSERT_FALSE(list.problems.empty());
    const Problem& first = list.problems[0].problem;
    const Spatial out = first.out();
    EXPECT_EQ(out[first.rank - 2], row.out_h) << row.line;
    EXPECT_EQ(out[first.rank - 1], row.out_w) << row.line;
  }
}

TEST(DriverLine, DirectionsOfEveryForwSum) {
  const char* expected[] = {"fwdbwdwrw", "fwd", "bwd", "fwdbwd", "wrw", "fwdwrw", "bwdwrw", "fwdbwdwrw"};
  for (int sum = 0; sum < 8; ++sum) {
    std::string found;
    for (const SourcedProblem& sourced : read_problems(fmt::format("MIOpenDriver conv -F {}", sum), "f").problems)
      found += to_string(sourced.problem.direction);
    EXPECT_EQ(found, expected[sum]) << sum;
  }
}

// The same problem, wherever the command stands.
TEST(DriverLine, StandsAnywhere) {
  const char* problem = "fwd:f32:nchw:n4c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1";
  const char* lines[] = {
      "MIOpenDriver conv -n 4 -F 1",
      "  /opt/rocm/bin/MIOpenDriver   conv   -n  4  -F 1  ",
      "MIOpen(HIP): Command [LogCmdConvolution] ./bin/MIOpenDriver conv -n 4 -F 1 -S 0",
      "MIOpen(HIP)   6.425: Command [LogCmdFindConvolution] ./bin/MIOpenDriver conv -n 4 -F 1 -t 1",
      "MIOpen: Command [LogCmdConvolution] C:\\rocm\\bin\\MIOpenDriver.exe conv -n 4 -F 1\r",
      "\"C:\\Program Files\\MIOpenDriver.exe\" conv -n 4 -F 1",
      "./bin/MIOpenDriver conv -n 4 -F 1\thang: 44x44\tgfx1010",
      "\"./bin/MIOpenDriver conv -n 4 -F 1\",hang,gfx1010",
      "./bin/MIOpenDriver conv -n 4 -F 1,hang",
      "| `./bin/MIOpenDriver conv -n 4 -F 1` | hang |",
      "| ./bin/MIOpenDriver conv -n 4 -F 1 | hang |",
      "run './bin/MIOpenDriver conv -n 4 -F 1' and it hangs",
      "(./bin/MIOpenDriver conv -n 4 -F 1)",
      "<code>./bin/MIOpenDriver conv -n 4 -F 1</code>",
      "{\"cmd\": \"./bin/MIOpenDriver conv -n 4 -F 1\", \"gpu\": 1}",
      "$ MIOPEN_LOG_LEVEL=6 ./bin/MIOpenDriver conv -n 4 -F 1 2>&1 | tee log",
      "./bin/MIOpenDriver conv -n 4 -F 1 > log && ls",
      "./bin/MIOpenDriver conv -n 4 -F 1 # hangs",
      "\x1b[32m./bin/MIOpenDriver conv -n 4 -F 1\x1b[0m",
      "./bin/MIOpenDriver conv -n 4 \\\n   -F 1",
      "\xef\xbb\xbf./bin/MIOpenDriver conv -n 4 -F 1",
      "I ran MIOpenDriver and then MIOpenDriver conv -n 4 -F 1",
      "fwd:f32:nchw:n4c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1",
      "see `fwd:f32:nchw:n4c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1`.",
      "convoy: problem=fwd:f32:nchw:n4c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1: naive, fwd: 3 ms",
  };
  for (const char* line : lines) {
    const ProblemList list = read_problems(line, "f");
    EXPECT_EQ(joined(list.problems), problem) << line;
    EXPECT_EQ(joined(list.errors), "") << line;
  }
}

TEST(DriverLine, OtherLinesAreNeitherProblemsNorErrors) {
  const char* lines[] = {
      "I ran MIOpenDriver and it hung",
      "MIOpenDriver",
      "MIOpenDriver conv and it hung",
      "with MIOpenDriver convolutions hang",
      "./bin/MIOpenDriver pool -n 4",
      "./bin/MIOpenDriver bnorm -n 4 -F 1",
      "./bin/MIOpenDriver conv --help",
      "./bin/MIOpenDriver convfp16 -n 4 -h",
      "./bin/MIOpenDriver conv -?",
      "# ./bin/MIOpenDriver conv -n 5 -F 1",
      "fwd: 3 ms, bwd: 4 ms",
      "wrw:",
      "",
  };
  const std::string good = "\nMIOpenDriver conv -n 4 -F 1\n";
  for (const char* line : lines) {
    const ProblemList list = read_problems(line + good, "f");
    EXPECT_EQ(list.problems.size(), 1U) << line;
    EXPECT_EQ(list.problems[0].problem.n, 4) << line;
    EXPECT_EQ(joined(list.errors), "") << line;
  }
}

TEST(DriverLine, ErrorsNamePlaceTokenAndCure) {
  const struct {
    const char* line;
    const char* token;
    const char* message;
  } table[] = {
      {"MIOpenDriver conv -n", "-n", "has no value: write one after it, its default is '100'"},
      {"MIOpenDriver conv -n -c 3", "-n", "has no value"},
      {"MIOpenDriver conv -n | tee", "-n", "has no value"},
      {"MIOpenDriver conv -n four", "-n four", "'four' is not a whole number"},
      {"MIOpenDriver conv -n 4.5", "-n 4.5", "not a whole number"},
      {"MIOpenDriver conv -n 1e3", "-n 1e3", "not a whole number"},
      {"MIOpenDriver conv -n 99999999999999999999", "-n 9999", "does not fit 64 bits"},
      {"MIOpenDriver conv --in_h=", "--in_h ", "not a whole number"},
      {"MIOpenDriver conv -n 4 hangs on my card", "hangs", "a flag should stand here"},
      {"MIOpenDriver conv -n4", "-n4", "did you mean -n?"},
      {"MIOpenDriver conv -N 4", "-N", "did you mean -n?"},
      {"MIOpenDriver conv --batch_size 4", "--batch_size", "did you mean --batchsize?"},
      {"MIOpenDriver conv --pad_hh 4", "--pad_hh", "did you mean --pad_h?"},
      {"MIOpenDriver conv --zzzzzzzzzzzz 4", "--zzzz", "docs/problems.md"},
      {"MIOpenDriver conv \xe2\x80\x93n 4", "???n", "unknown flag"},
      {"MIOpenDriver convfp32 -n 4", "convfp32", "use conv, convfp16"},
      {"MIOpenDriver convfp8 -n 4", "convfp8", "fp8 is not supported: use convfp16 or convbfp16"},
      {"MIOpenDriver convbfp8 -n 4", "convbfp8", "fp8 is not supported"},
      {"MIOpenDriver conv -F 8", "-F 8", "sum of 1, 2 and 4"},
      {"MIOpenDriver conv -F -1", "-F -1", "sum of 1, 2 and 4"},
      {"MIOpenDriver conv -m transpose", "-m transpose", "conv or trans"},
      {"MIOpenDriver conv --spatial_dim 1", "--spatial_dim 1", "as 2-D with -H 1"},
      {"MIOpenDriver conv -I CHWN", "-I CHWN", "NCHW and NHWC"},
      {"MIOpenDriver conv -O NDHWC", "-O NDHWC", "NCHW and NHWC"},
      {"MIOpenDriver conv -f NHWC --spatial_dim 3", "-f NHWC", "NCDHW and NDHWC"},
      {"MIOpenDriver conv -L 4 -Z 1", "-L 4", "leave the flag out"},
      {"MIOpenDriver conv -Z 1", "-Z 1", "vectorised"},
      {"MIOpenDriver conv -r 1", "-r 1", "value of the padding is supported with its default 0"},
      {"MIOpenDriver conv -U fp8", "-U fp8", "cast of the input"},
      {"MIOpenDriver conv -T bf8", "-T bf8", "cast of the output"},
      {"MIOpenDriver conv -R fp8", "-R fp8", "cast of the filter"},
      {"MIOpenDriver conv -z full", "-z full", "same, valid or default"},
      {"MIOpenDriver conv -y 4 -z same", "-z same", "1 pixels on one side and 2 on the other"},
      {"MIOpenDriver conv -c 3 -g 2", "conv", "c=3 is not a multiple of g=2"},
      {"MIOpenDriver conv -p -1", "conv", "pad along h is -1"},
      {"MIOpenDriver conv -H 2", "conv", "reaches over 3 pixels along h"},
      {"MIOpenDriver conv -u 0 -z same", "conv", "stride along h is 0"},
      {"MIOpenDriver conv -n 9223372036854775807", "conv", "x has more than"},
      {"MIOpenDriver convint8 -F 2", "-F 2", "i8 computes forward"},
      {"MIOpenDriver convint8 -m trans -F 1", "convint8", "i8 computes forward"},
      {"fwd:f32:nchw", "fwd:f32:nchw", "has 3 parts"},
      {"(wrw:f32:nchw:n*c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1)", "wrw:f32:nchw:n*", "part 4 'n*c1h1w1'"},
  };
  for (const auto& row : table) {
    const ProblemList list = read_problems(std::string("text\n") + row.line + "\r\ntext", "log.txt");
    EXPECT_EQ(joined(list.problems), "") << row.line;
    ASSERT_EQ(list.errors.size(), 1U) << row.line << "\n" << joined(list.errors);
    EXPECT_EQ(list.errors[0].source, "log.txt:2");
    EXPECT_EQ(list.errors[0].token.rfind(row.token, 0), 0U) << row.line << "\n" << joined(list.errors);
    EXPECT_NE(list.errors[0].message.find(row.message), std::string::npos) << row.line << "\n" << joined(list.errors);
  }
}

TEST(DriverLine, Int8DeliversForwardAndReportsTheRest) {
  const ProblemList list = read_problems("MIOpenDriver convint8 -n 1", "f");
  EXPECT_EQ(joined(list.problems), "fwd:i8:nchw:n1c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1");
  ASSERT_EQ(list.errors.size(), 2U);
  EXPECT_NE(list.errors[0].message.find("for bwd"), std::string::npos);
  EXPECT_NE(list.errors[1].message.find("for wrw"), std::string::npos);
}

TEST(DriverLine, CountsDuplicatesAndReadsOn) {
  const ProblemList list = read_problems(
      "MIOpenDriver conv -n 1 -F 1 | `MIOpenDriver conv -n 2 -F 1`\n"
      "\n"
      "MIOpenDriver conv -n oops\n"
      "MIOpenDriver conv -n 3 -F 1 ./bin/MIOpenDriver conv -n 1 -F 1\n"
      "fwd:f32:nchw:n2c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1",
      "log");
  EXPECT_EQ(joined(list.problems),
            "fwd:f32:nchw:n1c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1*2 "
            "fwd:f32:nchw:n2c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1*2 "
            "fwd:f32:nchw:n3c3h32w32:k32r3s3:pad0x0:stride1x1:dil1x1:g1");
  EXPECT_EQ(list.problems[0].source, "log:1");
  EXPECT_EQ(list.problems[2].source, "log:4");
  EXPECT_EQ(list.errors.size(), 1U);
  EXPECT_EQ(list.lines, 5);
}

TEST(DriverLine, ContinuedCommandsAreWholeOrReported) {
  const ProblemList list =
      read_problems("text\n./MIOpenDriver conv -n 4 \\\n -c 5 \\\r\n -F 1\nMIOpenDriver conv -n 6 -F 1 \\", "f");
  ASSERT_EQ(list.problems.size(), 1U) << joined(list.errors);
  EXPECT_EQ(list.problems[0].problem.n, 4);
  EXPECT_EQ(list.problems[0].problem.c, 5);
  EXPECT_EQ(list.problems[0].source, "f:2");
  EXPECT_EQ(list.lines, 5);
  ASSERT_EQ(list.errors.size(), 1U);  // the text ends where the last command goes on
  EXPECT_EQ(list.errors[0].source, "f:5");
}

TEST(DriverLine, AFileWithoutProblemsSaysWhatWasExpected) {
  for (const std::string& text : {std::string(), std::string("nothing\nhere\n"), std::string(3000, '\0')}) {
    const ProblemList list = read_problems(text, "empty.txt");
    EXPECT_TRUE(list.problems.empty());
    ASSERT_EQ(list.errors.size(), 1U);
    EXPECT_EQ(list.errors[0].source, "empty.txt");
    EXPECT_NE(list.errors[0].message.find("expected MIOpenDriver commands"), std::string::npos);
  }
  const ProblemList wide = read_problems(std::string_view("\xff\xfeM\0I\0", 6), "wide.txt");
  EXPECT_NE(joined(wide.errors).find("UTF-16"), std::string::npos);
}

TEST(DriverLine, HostileLinesAreReadInLinearTime) {
  std::string many;
  for (int i = 0; i < 100000; ++i) many += "MIOpenDriver conv ";
  EXPECT_EQ(read_problems(many, "f").problems.size(), 3U);
  std::string long_value = "MIOpenDriver conv -d " + std::string(5'000'000, 'x') + " -n 4 -F 1";
  EXPECT_EQ(read_problems(long_value, "f").problems.size(), 1U);
  std::string backslashes;
  for (int i = 0; i < 200000; ++i) backslashes += "MIOpenDriver \\\n";
  EXPECT_EQ(read_problems(backslashes, "f").lines, 200000);
  EXPECT_EQ(read_problems(std::string(2'000'000, ':'), "f").errors.size(), 1U);
}

TEST(DriverLine, ToDriverLineAndBack) {
  SCOPED_TRACE(k_seed);
  RandomProblems random(k_seed);
  int written = 0;
  for (int i = 0; i < 20000; ++i) {
    const Problem p = random.next();
    const Result<std::string> line = to_driver_line(p);
    const bool strides = p.x_strides || p.w_strides || p.y_strides;
    ASSERT_EQ(line.has_value(), !strides && p.dtype != Dtype::f64) << p.to_string();
    if (!line) continue;
    ++written;
    const ProblemList list = read_problems(*line, "f");
    ASSERT_EQ(list.problems.size(), 1U) << *line << joined(list.errors);
    const Problem& back = list.problems[0].problem;
    if (p.rank > 1) {
      ASSERT_EQ(back, p) << *line;
    } else {  // as 2-D of height 1
      ASSERT_EQ(back.rank, 2);
      ASSERT_EQ(back.flops(), p.flops());
      ASSERT_EQ(back.out()[0], 1);
      ASSERT_EQ(back.out()[1], p.out()[0]);
      ASSERT_EQ(back.tensor_bytes(), p.tensor_bytes());
    }
  }
  EXPECT_GT(written, 3000);
}

TEST(DriverLine, WritesWhatMiopenLogs) {
  const char* lines[] = {
      "./bin/MIOpenDriver convfp16 -n 1 -c 64 -H 56 -W 56 -k 64 -y 3 -x 3 -p 1 -q 1 -u 1 -v 1 -l 1 -j 1 -m "
      "conv -g 1 -F 1 -t 1",
      "./bin/MIOpenDriver convfp16 -n 1 -c 256 --in_d 33 -H 50 -W 50 -k 256 --fil_d 3 -y 3 -x 3 --pad_d 0 -p "
      "0 -q 0 "
      "--conv_stride_d 1 -u 1 -v 1 --dilation_d 1 -l 1 -j 1 --spatial_dim 3 -m conv -g 1 -F 4 -t 1",
  };
  for (const char* line : lines) {
    const ProblemList list = read_problems(line, "f");
    ASSERT_EQ(list.problems.size(), 1U);
    EXPECT_EQ(to_driver_line(list.problems[0].problem), std::string(line));
  }
}

TEST(DriverFlags, LettersAndNamesAreUniqueAndDocumented) {
  std::ifstream file(CONVOY_SOURCE_DIR "/docs/problems.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const DriverFlag& flag : driver_flags()) {
    EXPECT_EQ(find_driver_flag(std::string{'-', flag.letter}), &flag) << flag.letter;
    if (flag.name.empty()) continue;
    EXPECT_EQ(find_driver_flag(fmt::format("--{}", flag.name)), &flag) << flag.name;
    const std::string initial = flag.initial.empty() ? " " : fmt::format(" {} ", flag.initial);
    const std::string row = fmt::format("| `-{}` | `--{}` |{}|", flag.letter, flag.name, initial);
    EXPECT_NE(text.str().find(row), std::string::npos) << "docs/problems.md lacks the row\n" << row;
  }
}

}  // namespace
}  // namespace convoy
