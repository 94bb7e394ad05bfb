// Conformance: every solver, every problem that it fits, every choice, against the definition; slices against
// the whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "solvers/numbers.h"
#include "solvers/solver.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 20;

// Random tensors of a problem with guard bytes round each, the output poisoned.
class Sample {
 public:
  explicit Sample(const Problem& problem) : problem_(problem) {
    std::cout << "seed " << k_seed << "\n";
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      auto& store = memory_[static_cast<std::size_t>(role)];
      store.assign(static_cast<std::size_t>(problem.bytes(role)) + 2 * k_guard, k_guard_byte);
      void* data = store.data() + k_guard;
      if (role == problem.output_role()) {
        fill_poison(data, problem.bytes(role));
      } else {
        fill_random(data, problem.dtype_of(role), problem.span(role), k_seed + static_cast<std::uint64_t>(role));
      }
    }
  }

  Tensors tensors() { return {data(0), data(1), data(2)}; }
  void* output() { return data(static_cast<std::size_t>(problem_.output_role())); }
  bool guards_intact() const {
    for (const auto& store : memory_) {
      for (std::size_t i = 0; i < k_guard; ++i) {
        if (store[i] != k_guard_byte || store[store.size() - 1 - i] != k_guard_byte) return false;
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t k_guard = 64;
  static constexpr std::uint8_t k_guard_byte = 0xa5;
  void* data(std::size_t role) { return memory_[role].data() + k_guard; }
  Problem problem_;
  std::array<std::vector<std::uint8_t>, 3> memory_;
};

std::vector<std::string> edge_cases() {
  std::vector<std::string> lines;
  std::ifstream file(std::string(CONVOY_SOURCE_DIR) + "/shapes/edge-cases.txt");
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  return lines;
}

NumbersCheck run_and_check(const Problem& problem, const Solver& solver, const PlanOptions& options, std::string* why) {
  auto device = make_cpu_device();
  auto plan = solver.plan(problem, *device, options);
  if (!plan) {
    *why = plan.error().message;
    return {};
  }
  Sample sample(problem);
  std::vector<std::uint8_t> workspace(static_cast<std::size_t>((*plan)->workspace_bytes()) + 64, 0xff);
  void* aligned = workspace.data() + (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  const auto run = (*plan)->run(sample.tensors(), aligned);
  EXPECT_TRUE(run) << run.error().message;
  EXPECT_TRUE(sample.guards_intact());
  return check_sampled(problem, sample.tensors(), 1 << 20, k_seed);
}

// Whether oneDNN has to take a problem; thin groups are its own affair (onednn_piece.cc).
std::optional<bool> vendor_expected(const Problem& problem) {
  if (problem.dtype == Dtype::f64 || problem.empty()) return false;
  if (problem.groups > 1 && std::min(problem.c, problem.k) / problem.groups < 4) return std::nullopt;
  return true;
}

class Conformance : public testing::TestWithParam<std::string> {};

TEST_P(Conformance, every_solver_and_choice_is_right) {
  const auto parsed = parse_problem(GetParam());
  ASSERT_TRUE(parsed) << parsed.error().message;
  auto device = make_cpu_device();
  std::vector<Problem> problems{*parsed};
  // The other directions of the same shape come free of charge.
  if (parsed->dtype != Dtype::i8 && !parsed->x_strides && !parsed->w_strides && !parsed->y_strides) {
    for (const Direction direction : {Direction::forward, Direction::backward_data, Direction::backward_weights}) {
      if (direction == parsed->direction) continue;
      problems.push_back(*parsed);
      problems.back().direction = direction;
    }
  }
  for (const Problem& problem : problems) {
    const Problem ordinary = problem.lowered();
    int ran = 0;
    std::vector<std::string_view> used;
    for (const Solver* solver : solvers()) {
      if (!solver->fits(ordinary, *device)) continue;
      for (const std::string& choice : solver->choices(ordinary, *device, {})) {
        PlanOptions options;
        options.params = choice;
        std::string why;
        const NumbersCheck check = run_and_check(ordinary, *solver, options, &why);
        if (!why.empty()) continue;
        ++ran;
        used.push_back(solver->id());
        EXPECT_TRUE(check.passed) << solver->id() << " " << choice << " " << problem.to_string() << ": "
                                  << check.reason;
        EXPECT_EQ(check.compared, ordinary.elements(ordinary.output_role()));
      }
    }
    EXPECT_GE(ran, 1);
    // A vendor that declined everything would pass every comparison.
    const bool vendor = std::find(used.begin(), used.end(), "onednn") != used.end();
    EXPECT_EQ(vendor, vendor_expected(ordinary).value_or(vendor)) << problem.to_string();
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (const char letter : info.param) name += std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(EdgeCases, Conformance, testing::ValuesIn(edge_cases()), test_name);

// A bounded workspace cuts the problem into slices; results must stay right in every direction, type and
// layout.
TEST(Onednn, slices_give_the_same_numbers) {
  const Solver* onednn = find_solver("onednn");
  auto device = make_cpu_device();
  for (const char* text : {
           "fwd:f16:nchw:n5c36h17w13:k40r3s3:pad1x1:stride2x1:dil1x1:g1",
           "bwd:f16:nhwc:n3c36h17w13:k40r3s3:pad1x1:stride2x2:dil1x1:g1",
           "wrw:f16:nchw:n5c36h17w13:k40r3s3:pad1x1:stride1x1:dil1x1:g1",
           "fwd:bf16:ncdhw:n1c64d5h9w9:k48t3r3s3:pad1x1x1:stride1x1x1:dil1x1x1:g1",
           "wrw:bf16:nchw:n7c24h12w12:k24r3s3:pad1x1:stride1x1:dil1x1:g2",
           "bwd:bf16:nchw:n2c64h12w12:k64r3s3:pad1x1:stride1x1:dil1x1:g4",
           "fwd:i8:nchw:n2c70h12w12:k20r3s3:pad1x1:stride1x1:dil1x1:g1",
           "wrw:f32:nchw:n6c40h12w12:k40r3s3:pad1x1:stride1x1:dil1x1:g1:xs8000x180x14x1:ys9000x200x15x1",
           "fwd:f16:nchw:n3c40h10w10:k40r3s3:pad0x0:stride2x2:dil1x1:g2:tr:opad1x1",
       }) {
    const auto parsed = parse_problem(text);
    ASSERT_TRUE(parsed) << parsed.error().message;
    const Problem problem = parsed->lowered();
    const auto whole = onednn->plan(problem, *device, {});
    ASSERT_TRUE(whole) << whole.error().message;
    std::int64_t limit = (*whole)->workspace_bytes();
    int sliced = 0;
    while (limit > 0) {
      limit = limit * 2 / 3;
      PlanOptions options;
      options.workspace_limit = std::max<std::int64_t>(limit, 1);
      std::string why;
      const auto plan = onednn->plan(problem, *device, options);
      if (!plan) {
        EXPECT_EQ(plan.error().code, ErrorCode::out_of_memory) << plan.error().message;
        EXPECT_NE(plan.error().message.find(std::to_string(options.workspace_limit)), std::string::npos);
        break;
      }
      EXPECT_LE((*plan)->workspace_bytes(), options.workspace_limit + 128);
      if ((*plan)->detail().find("slices") != std::string_view::npos) ++sliced;
      const NumbersCheck check = run_and_check(problem, *onednn, options, &why);
      EXPECT_TRUE(check.passed) << text << " limit " << limit << " " << (*plan)->detail() << ": " << check.reason;
    }
    EXPECT_GE(sliced, 1) << text;
  }
}

TEST(Numbers, a_wrong_element_is_found) {
  const auto problem = parse_problem("fwd:f32:nchw:n1c8h6w6:k4r3s3:pad1x1:stride1x1:dil1x1:g1");
  auto device = make_cpu_device();
  const auto plan = find_solver("reference")->plan(*problem, *device, {});
  Sample sample(*problem);
  ASSERT_TRUE((*plan)->run(sample.tensors(), nullptr));
  EXPECT_TRUE(check_sampled(*problem, sample.tensors(), 1000, 1).passed);
  auto* y = static_cast<float*>(sample.output());
  std::vector<float> expected(y, y + problem->elements(TensorRole::y));
  EXPECT_TRUE(check_full(*problem, sample.tensors(), expected.data()).passed);
  const float right = y[17];
  for (const float wrong :
       {right + 1e-3F, std::numeric_limits<float>::quiet_NaN(), 0.0F, std::numeric_limits<float>::infinity()}) {
    y[17] = wrong;
    EXPECT_FALSE(check_sampled(*problem, sample.tensors(), 1000, 1).passed) << wrong;
    EXPECT_FALSE(check_full(*problem, sample.tensors(), expected.data()).passed) << wrong;
  }
}

// One NaN among many elements, in memory orders that do not follow the logical one.
TEST(Numbers, a_single_nan_is_found_in_any_layout) {
  for (const char* text : {"fwd:f32:nhwc:n2c8h30w30:k4r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "bwd:f16:nchw:n2c8h30w30:k4r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "wrw:bf16:nhwc:n1c40h6w6:k40r3s3:pad1x1:stride1x1:dil1x1:g1",
                           "fwd:f64:nchw:n2c4h30w30:k4r3s3:pad1x1:stride1x1:dil1x1:g1:ys8000x2000x60x2"}) {
    const auto problem = parse_problem(text);
    ASSERT_TRUE(problem) << problem.error().message;
    auto device = make_cpu_device();
    const auto plan = find_solver("reference")->plan(*problem, *device, {});
    Sample sample(*problem);
    ASSERT_TRUE((*plan)->run(sample.tensors(), nullptr));
    EXPECT_TRUE(check_sampled(*problem, sample.tensors(), 4, 1).passed) << text;
    const TensorRole role = problem->output_role();
    // An element that four samples do not meet, by its strides.
    const Dims strides = problem->strides(role);
    const std::int64_t offset = strides[0] + 2 * strides[1] + 2 * strides[2] + strides[3];
    const auto bytes = static_cast<std::size_t>(size_of(problem->dtype_of(role)));
    std::memset(static_cast<char*>(sample.output()) + static_cast<std::size_t>(offset) * bytes, 0xff, bytes);
    EXPECT_FALSE(check_sampled(*problem, sample.tensors(), 4, 1).passed) << text;
  }
}

// Winograd's and Fourier's transforms leave a little where nothing belongs: no sum of products does, but others may.
TEST(Numbers, a_common_size_forgives_a_little_where_nothing_belongs_and_nothing_else) {
  const Problem problem = *parse_problem("fwd:f32:nchw:n2c8h20w20:k4r3s3:pad1x1:stride1x1:dil1x1:g1");
  Sample sample(problem);
  const Tensors tensors = sample.tensors();
  auto* x = static_cast<float*>(tensors.x);
  std::fill_n(x, problem.span(TensorRole::x) / 2, 0.0F);  // the first image
  const auto device = make_cpu_device();
  ASSERT_TRUE((*find_solver("reference")->plan(problem, *device, {}))->run(tensors, nullptr));
  auto* y = static_cast<float*>(tensors.y);
  ASSERT_EQ(y[0], 0);
  y[0] = 1e-3F;  // the first element is always compared
  EXPECT_FALSE(check_sampled(problem, tensors, 256, 1).passed);
  EXPECT_FALSE(check_sampled(problem, tensors, 256, 1, {0x1p-5, false}).passed);
  EXPECT_TRUE(check_sampled(problem, tensors, 256, 1, {0x1p-5, true}).passed);
  y[0] = 1;
  EXPECT_FALSE(check_sampled(problem, tensors, 256, 1, {0x1p-5, true}).passed);
}

TEST(Numbers, inputs_that_are_not_finite_give_no_verdict) {
  const Problem problem = *parse_problem("fwd:f32:nchw:n2c8h20w20:k4r3s3:pad1x1:stride1x1:dil1x1:g1");
  Sample sample(problem);
  const Tensors tensors = sample.tensors();
  const auto device = make_cpu_device();
  ASSERT_TRUE((*find_solver("reference")->plan(problem, *device, {}))->run(tensors, nullptr));
  static_cast<float*>(tensors.y)[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(check_sampled(problem, tensors, 64, 1).passed);
  static_cast<float*>(tensors.x)[problem.span(TensorRole::x) - 1] = std::numeric_limits<float>::infinity();
  const NumbersCheck check = check_sampled(problem, tensors, 64, 1);
  EXPECT_TRUE(check.passed) << check.reason;
  EXPECT_FALSE(check.telling);
}

TEST(Numbers, random_fills_are_non_zero_and_repeatable) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::f64, Dtype::i8}) {
    std::vector<std::uint8_t> one(8000), two(8000);
    fill_random(one.data(), dtype, 1000, 7);
    fill_random(two.data(), dtype, 1000, 7, 1);
    EXPECT_EQ(one, two);
    fill_random(two.data(), dtype, 1000, 8);
    EXPECT_NE(one, two);
    const auto bytes = static_cast<std::size_t>(size_of(dtype));
    for (std::size_t i = 0; i < 1000; ++i) {
      EXPECT_TRUE(std::any_of(one.begin() + static_cast<std::ptrdiff_t>(i * bytes),
                              one.begin() + static_cast<std::ptrdiff_t>((i + 1) * bytes),
                              [](std::uint8_t byte) { return (byte & 0x7f) != 0; }));
    }
  }
}

}  // namespace
}  // namespace convoy
