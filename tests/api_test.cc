// The C interface and its C++ header as a user has them, linked to libconvoy alone: objects, errors, texts.
#include <algorithm>
#include <thread>
#include <type_traits>

#include "api_case.h"

namespace convoy {
namespace {

// What a C caller may pass and a C++ compiler would not let us write.
template <typename Enum>
__attribute__((no_sanitize("undefined"))) Enum enum_of(int number) {
  Enum value;
  std::memcpy(&value, &number, sizeof value);
  return value;
}

// --- errors, version, log -------------------------------------------------------------------------------------------

TEST(ApiText, Version) {
  EXPECT_STREQ(convoy_version(), "0.1.0");
}

TEST(ApiText, EveryStatusHasItsName) {
  EXPECT_STREQ(convoy_status_name(CONVOY_SUCCESS), "CONVOY_SUCCESS");
  EXPECT_STREQ(convoy_status_name(CONVOY_INVALID_ARGUMENT), "CONVOY_INVALID_ARGUMENT");
  EXPECT_STREQ(convoy_status_name(CONVOY_UNSUPPORTED), "CONVOY_UNSUPPORTED");
  EXPECT_STREQ(convoy_status_name(CONVOY_OUT_OF_MEMORY), "CONVOY_OUT_OF_MEMORY");
  EXPECT_STREQ(convoy_status_name(CONVOY_IO), "CONVOY_IO");
  EXPECT_STREQ(convoy_status_name(CONVOY_DEVICE), "CONVOY_DEVICE");
  EXPECT_STREQ(convoy_status_name(CONVOY_INTERNAL), "CONVOY_INTERNAL");
  EXPECT_STREQ(convoy_status_name(CONVOY_INTERRUPTED), "CONVOY_INTERRUPTED");
  for (const int number : {-1, 8, 1 << 30}) {
    EXPECT_STREQ(convoy_status_name(enum_of<convoy_status>(number)), "unknown convoy_status");
  }
}

TEST(ApiText, LastErrorIsPerThreadAndOutlivesSuccess) {
  std::thread([] { EXPECT_STREQ(convoy_last_error(), ""); }).join();
  expect_error(convoy_problem_parse(nullptr, k_problem), CONVOY_INVALID_ARGUMENT, "problem is NULL");
  std::thread([] { EXPECT_STREQ(convoy_last_error(), ""); }).join();
  convoy_problem problem = nullptr;
  EXPECT_EQ(convoy_problem_parse(&problem, k_problem), CONVOY_SUCCESS);
  EXPECT_STREQ(convoy_last_error(), "problem is NULL");
  convoy_problem_destroy(problem);
}

struct LogLines {
  std::vector<std::string> texts;
  std::vector<int> levels;
};
void collect(int level, const char* text, void* user) {
  auto* lines = static_cast<LogLines*>(user);
  lines->levels.push_back(level);
  lines->texts.emplace_back(text);
}

TEST_F(Api, LogTellsDecisionsUntilSilenced) {
  LogLines lines;
  ASSERT_EQ(convoy_set_log(collect, &lines, 5), CONVOY_SUCCESS);
  const Handle one = handle();
  Plan(one, Problem(k_problem)).prepare();
  ASSERT_FALSE(lines.texts.empty());
  for (const int level : lines.levels) EXPECT_LE(level, 5);
  EXPECT_TRUE(std::any_of(lines.texts.begin(), lines.texts.end(), [](const std::string& line) {
    return line.find(k_problem) != std::string::npos && line.find("onednn") != std::string::npos;
  }));
  const std::size_t before = lines.texts.size();
  ASSERT_EQ(convoy_set_log(nullptr, nullptr, 0), CONVOY_SUCCESS) << "the level of silence means nothing";
  Plan(one, Problem("bwd:f32:nchw:n1c2h4w4:k2r3s3:pad1x1:stride1x1:dil1x1:g1")).prepare();
  EXPECT_EQ(lines.texts.size(), before);
  expect_error(convoy_set_log(collect, &lines, -1), CONVOY_INVALID_ARGUMENT, "1 to 7");
  expect_error(convoy_set_log(collect, &lines, 8), CONVOY_INVALID_ARGUMENT, "1 to 7");
}

// --- handle ---------------------------------------------------------------------------------------------------------

TEST_F(Api, HandleOpensTheDeviceAndNamesIt) {
  EXPECT_EQ(handle().device(), "cpu");
  EXPECT_EQ(Handle("auto", settings()).device(), "cpu");
  convoy_handle raw = nullptr;
  const std::string folder = "cache_dir=" + folder_.path();
  const char* const texts[] = {folder.c_str(), "system_cache_dirs=", nullptr};
  ASSERT_EQ(convoy_create(&raw, nullptr, texts), CONVOY_SUCCESS) << convoy_last_error();
  EXPECT_STREQ(convoy_device_name(raw), "cpu");
  convoy_destroy(raw);
  convoy_destroy(nullptr);
  EXPECT_STREQ(convoy_device_name(nullptr), "");
}

TEST_F(Api, BadHandlesAreNamedWithTheirCure) {
  expect_error(convoy_create(nullptr, "cpu", nullptr), CONVOY_INVALID_ARGUMENT, "handle is NULL");
  const auto create = [](const char* device, const char* setting) {
    int stale = 0;
    auto* raw = reinterpret_cast<convoy_handle>(&stale);
    const char* const texts[] = {setting, nullptr};
    const convoy_status status = convoy_create(&raw, device, texts);
    EXPECT_EQ(raw, nullptr) << "a failed create must not leave a stale handle";
    return status;
  };
  expect_error(create("toaster", nullptr), CONVOY_INVALID_ARGUMENT, "toaster");
  expect_error(create("cpu", "nonsense"), CONVOY_INVALID_ARGUMENT, "'nonsense' is not key=value");
  expect_error(create("cpu", "no_such_key=1"), CONVOY_INVALID_ARGUMENT, "no_such_key");
  expect_error(create("cpu", "threads=many"), CONVOY_INVALID_ARGUMENT, "threads");
  expect_error(create("cpu", "fault=onednn:explode"), CONVOY_INVALID_ARGUMENT, "onednn:explode");
  expect_error(create("cpu", "strategy=fastest"), CONVOY_INVALID_ARGUMENT, "implicit_gemm");
}

// --- problem --------------------------------------------------------------------------------------------------------

TEST(ApiProblem, DescriptionTextAndSizesAgree) {
  const Problem from_desc(small_desc());
  EXPECT_EQ(from_desc.string(), k_problem);
  EXPECT_EQ(Problem(std::string(k_problem)).string(), k_problem);
  EXPECT_EQ(from_desc.sizes(CONVOY_X), (std::array<std::int64_t, 5>{2, 16, 9, 7, 1}));
  EXPECT_EQ(from_desc.sizes(CONVOY_W), (std::array<std::int64_t, 5>{8, 8, 3, 2, 1}));
  EXPECT_EQ(from_desc.sizes(CONVOY_Y), (std::array<std::int64_t, 5>{2, 8, 5, 5, 1}));
  EXPECT_EQ(from_desc.bytes(CONVOY_X), 2 * 16 * 9 * 7 * 4);
  EXPECT_EQ(Problem(convoy_problem_desc_default()).string(), "fwd:f32:nchw:n1c1h1w1:k1r1s1:pad0x0:stride1x1:dil1x1:g1");
}

TEST(ApiProblem, EveryFieldReachesTheProblem) {
  convoy_problem_desc desc = convoy_problem_desc_default();
  desc.direction = CONVOY_BACKWARD_WEIGHTS;
  desc.dtype = CONVOY_BF16;
  desc.layout = CONVOY_CHANNELS_LAST;
  desc.rank = 3;
  desc.n = 3;
  desc.c = 8;
  desc.k = 4;
  desc.groups = 2;
  desc.transposed = 1;
  for (int i = 0; i < 3; ++i) {
    desc.in[i] = 5 + i;
    desc.filter[i] = 1 + i;
    desc.pad[i] = i;
    desc.stride[i] = 2 + i;
    desc.dilation[i] = 4 - i;
    desc.output_pad[i] = i;
  }
  EXPECT_EQ(Problem(desc).string(), "wrw:bf16:ndhwc:n3c8d5h6w7:k4t1r2s3:pad0x1x2:stride2x3x4:dil4x3x2:g2:tr:opad0x1x2");
}

TEST(ApiProblem, SizesBeyondTheRankAreIgnored) {
  convoy_problem_desc desc = convoy_problem_desc_default();
  desc.rank = 1;
  for (int i = 1; i < 3; ++i) desc.in[i] = desc.filter[i] = desc.stride[i] = desc.dilation[i] = desc.pad[i] = -5;
  EXPECT_EQ(Problem(desc).string(), "fwd:f32:ncw:n1c1w1:k1s1:pad0:stride1:dil1:g1");
}

TEST(ApiProblem, WrongDescriptionsAreNamed) {
  const auto create = [](auto&& change) {
    convoy_problem_desc desc = small_desc();
    change(desc);
    int stale = 0;
    auto* raw = reinterpret_cast<convoy_problem>(&stale);
    const convoy_status status = convoy_problem_create(&raw, &desc);
    EXPECT_EQ(raw, nullptr);
    return status;
  };
  using D = convoy_problem_desc;
  const auto wrong = [&](const char* part, auto&& change) {
    expect_error(create(change), CONVOY_INVALID_ARGUMENT, part);
  };
  for (const int value : {-1, 77}) {
    wrong("direction", [=](D& d) { d.direction = enum_of<convoy_direction>(value); });
    wrong("dtype", [=](D& d) { d.dtype = enum_of<convoy_dtype>(value); });
    wrong("layout", [=](D& d) { d.layout = enum_of<convoy_layout>(value); });
  }
  wrong("dtype", [](D& d) { d.dtype = CONVOY_I32; });
  for (const int rank : {0, 4, -1, 1 << 30}) wrong("use 1, 2 or 3", [=](D& d) { d.rank = rank; });
  wrong("n is -1", [](D& d) { d.n = -1; });
  wrong("c is 0", [](D& d) { d.c = 0; });
  wrong("c=16 is not a multiple of g=3", [](D& d) { d.groups = 3; });
  wrong("g is 0", [](D& d) { d.groups = 0; });
  wrong("stride along w is 0", [](D& d) { d.stride[1] = 0; });
  wrong("dilation along h is -1", [](D& d) { d.dilation[0] = -1; });
  wrong("pad along h is -1", [](D& d) { d.pad[0] = -1; });
  wrong("the filter reaches over 20 pixels", [](D& d) { d.filter[0] = 20; });
  wrong("only transposed problems", [](D& d) { d.output_pad[0] = 1; });
  wrong("make its sizes smaller", [](D& d) { d.n = std::int64_t{1} << 60; });
  wrong("i8 computes forward", [](D& d) { d.dtype = CONVOY_I8, d.direction = CONVOY_BACKWARD_DATA; });
}

TEST(ApiProblem, NullAndWrongTextsAreNamed) {
  convoy_problem problem = nullptr;
  const convoy_problem_desc desc = small_desc();
  expect_error(convoy_problem_create(nullptr, &desc), CONVOY_INVALID_ARGUMENT, "problem is NULL");
  expect_error(convoy_problem_create(&problem, nullptr), CONVOY_INVALID_ARGUMENT, "desc is NULL");
  expect_error(convoy_problem_parse(&problem, nullptr), CONVOY_INVALID_ARGUMENT, "text is NULL");
  expect_error(convoy_problem_parse(&problem, ""), CONVOY_INVALID_ARGUMENT, "");
  expect_error(convoy_problem_parse(&problem, "fwd:f32:nchw:n2c0h9w7:k8r3s2:pad1x0:stride2x1:dil1x2:g2"),
               CONVOY_INVALID_ARGUMENT, "c");
  expect_error(convoy_problem_parse(&problem, "fwd:f31:nchw"), CONVOY_INVALID_ARGUMENT, "f31");
  EXPECT_EQ(problem, nullptr);
  std::int64_t sizes[5];
  expect_error(convoy_problem_sizes(nullptr, CONVOY_X, sizes), CONVOY_INVALID_ARGUMENT, "problem is NULL");
  const Problem good(desc);
  expect_error(convoy_problem_sizes(good.get(), CONVOY_X, nullptr), CONVOY_INVALID_ARGUMENT, "sizes is NULL");
  for (const int number : {-1, 3}) {
    const auto status = convoy_problem_sizes(good.get(), enum_of<convoy_tensor>(number), sizes);
    expect_error(status, CONVOY_INVALID_ARGUMENT, "tensor is no convoy_tensor");
    EXPECT_EQ(convoy_problem_bytes(good.get(), enum_of<convoy_tensor>(number)), 0);
  }
  EXPECT_EQ(convoy_problem_bytes(nullptr, CONVOY_X), 0);
  EXPECT_STREQ(convoy_problem_string(nullptr), "");
  convoy_problem_destroy(nullptr);
}

// --- C++ ------------------------------------------------------------------------------------------------------------

TEST_F(Api, ExceptionsCarryStatusAndText) {
  const auto expect_exception = [](auto&& action, const std::string& part) {
    try {
      action();
      ADD_FAILURE() << "nothing thrown";
    } catch (const Exception& error) {
      EXPECT_EQ(error.status(), CONVOY_INVALID_ARGUMENT);
      const std::string text = error.what();
      EXPECT_EQ(text.rfind("CONVOY_INVALID_ARGUMENT: ", 0), 0U) << text;
      EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  };
  expect_exception([] { Handle("toaster"); }, "toaster");
  expect_exception([&] { handle({"threads=many"}); }, "threads");
  expect_exception([] { Problem("conv"); }, "conv");
  expect_exception([] { Problem(convoy_problem_desc{}); }, "");
  const Handle one = handle();
  Plan plan(one, Problem(std::string(k_problem)));
  expect_exception([&] { plan.run(nullptr, nullptr, nullptr); }, "x is NULL");
}

TEST_F(Api, ObjectsMoveAndDoNotCopy) {
  static_assert(std::is_nothrow_move_constructible_v<Handle> && !std::is_copy_constructible_v<Handle>);
  static_assert(std::is_nothrow_move_constructible_v<Problem> && !std::is_copy_constructible_v<Problem>);
  static_assert(std::is_nothrow_move_constructible_v<Plan> && !std::is_copy_constructible_v<Plan>);
  Handle one = handle();
  const Handle two = std::move(one);
  EXPECT_EQ(one.get(), nullptr);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(two.device(), "cpu");
}

}  // namespace
}  // namespace convoy
