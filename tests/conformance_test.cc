// Conformance of GPU solvers on one device: every problem that a solver takes, against the reference on the host. CMakeLists.txt
// says which lists each device gets. By hand, on a real card, with any list (device names as `convoy` takes them):
//
//   conformance_test --device cuda:0 --solver direct --shapes shapes/model-layers.tsv
//   conformance_test --device opencl:0 --problem fwd:f16:nchw:n1c1h46400w46400:k1r3s3:pad1x1:stride1x1:dil1x1:g1
//
// The second has more than 2^31 elements: 9 GB on the device, 30 GB on the host, a few minutes. AMD architectures are tested
// on the simulator only, "sim:gfx1030". Exit status 77: the device is not here, which is no pass.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string_view>

#include "base/parallel.h"
#include "problem/driver_line.h"
#include "tests/conformance_case.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr int k_device_is_absent = 77;

struct Entry {
  Problem problem;
  bool all_choices;  // each choice of a solver, twice; else the solver's own, once
};

struct Arguments {
  std::string device, solver;
  std::vector<Entry> entries;
};

class Fixture {
 public:
  Fixture(std::unique_ptr<Device> device, std::vector<Entry> entries)
      : device_(std::move(device)), entries_(std::move(entries)) {}

  Device& device() { return *device_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const ConformanceCase& at(std::size_t index) {
    auto& made = cases_[index];
    // Biases on every other problem: both paths, half the time.
    if (!made) made = std::make_unique<ConformanceCase>(entries_[index].problem, index % 2 == 1);
    return *made;
  }

 private:
  std::unique_ptr<Device> device_;
  std::vector<Entry> entries_;
  std::map<std::size_t, std::unique_ptr<ConformanceCase>> cases_;
};

std::vector<std::string> choices_of(const Solver& solver, const Entry& entry, const Device& device) {
  const Problem problem = entry.problem.lowered();
  if (!solver.fits(problem, device)) return {};
  // PoCL takes a second for a program: there one of each will do.
  if (!entry.all_choices || device.info().is_host_processor) return {""};
  return solver.choices(problem, device, {});
}

// Programs of all plans, compiled on all processors; failures show when the plans are used.
void compile_all(const Solver& solver, Fixture& fixture) {
  std::vector<std::pair<Problem, std::string>> wanted;
  for (const Entry& entry : fixture.entries()) {
    for (const std::string& choice : choices_of(solver, entry, fixture.device()))
      wanted.emplace_back(entry.problem.lowered(), choice);
  }
  parallel_for(static_cast<std::int64_t>(wanted.size()), 1, 0, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      PlanOptions options;
      options.params = wanted[static_cast<std::size_t>(i)].second;
      (void)solver.plan(wanted[static_cast<std::size_t>(i)].first, fixture.device(), options);
    }
  });
}

class SolverTest : public testing::Test {
 public:
  SolverTest(const Solver& solver, Fixture& fixture) : solver_(solver), fixture_(fixture) {}

  void TestBody() override {
    std::cout << fmt::format("seed {}\n", k_conformance_seed);
    compile_all(solver_, fixture_);
    int ran = 0;
    for (std::size_t i = 0; i < fixture_.entries().size(); ++i) {
      const Entry& entry = fixture_.entries()[i];
      for (const std::string& choice : choices_of(solver_, entry, fixture_.device())) {
        SCOPED_TRACE(fmt::format("--device {} --solver {} --problem {}  choice '{}'", fixture_.device().info().name,
                                 solver_.id(), entry.problem.to_string(), choice));
        // Every fourth misaligned: vectors of elements cannot be read there.
        run(fixture_.at(i), choice, entry.all_choices, i % 4 == 3);
        ++ran;
      }
    }
    std::cout << fmt::format("{} on {}: {} runs, {} programs compiled in {:.1f} s\n", solver_.id(),
                             fixture_.device().info().name, ran, fixture_.device().programs().counters().compiled,
                             fixture_.device().programs().counters().compile_ms / 1000);
    EXPECT_GT(ran, 0) << "no problem of the lists is one for " << solver_.id();
  }

 private:
  void run(const ConformanceCase& one, const std::string& choice, bool thorough, bool misaligned) {
    PlanOptions options;
    options.params = choice;
    const auto plan = solver_.plan(one.problem(), fixture_.device(), options);
    ASSERT_TRUE(plan) << plan.error().message;
    const ConformanceCase::Outcome outcome = one.run(**plan, fixture_.device(), misaligned);
    ASSERT_EQ(outcome.failure, "") << (*plan)->detail();
    if (!thorough) return;
    EXPECT_TRUE(one.run(**plan, fixture_.device(), misaligned).output == outcome.output)
        << (*plan)->detail() << ": not repeatable";
    EXPECT_EQ(one.run(**plan, fixture_.device(), !misaligned).failure, "") << (*plan)->detail();
    if ((*plan)->workspace_bytes() > 0) run_with_less(one, options, (*plan)->workspace_bytes());
  }

  void run_with_less(const ConformanceCase& one, PlanOptions options, std::int64_t bytes) {
    options.workspace_limit = std::max<std::int64_t>(bytes / 2, 1);
    const auto plan = solver_.plan(one.problem(), fixture_.device(), options);
    if (!plan) {
      EXPECT_EQ(plan.error().code, ErrorCode::out_of_memory) << plan.error().message;
      return;
    }
    EXPECT_LE((*plan)->workspace_bytes(), options.workspace_limit);
    EXPECT_EQ(one.run(**plan, fixture_.device(), false).failure, "") << (*plan)->detail() << " in " << options.workspace_limit;
  }

  const Solver& solver_;
  Fixture& fixture_;
};

Result<void> read_list(const char* path, bool all_choices, std::vector<Entry>& entries) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::io, fmt::format("{} cannot be read", path));
  const ProblemList list = read_problems(text.str(), path);
  if (!list.errors.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: {}", list.errors.front().source, list.errors.front().message));
  }
  for (const SourcedProblem& sourced : list.problems) entries.push_back({sourced.problem, all_choices});
  return {};
}

Result<Arguments> read_arguments(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = values[i];
    if (i + 1 == count) return fail(ErrorCode::invalid_argument, fmt::format("{} wants a value", name));
    const char* value = values[i + 1];
    if (name == "--device") {
      arguments.device = value;
    } else if (name == "--solver") {
      arguments.solver = value;
    } else if (name == "--shapes" || name == "--choices") {
      CONVOY_CHECK(read_list(value, name == "--choices", arguments.entries));
    } else if (name == "--problem") {
      CONVOY_TRY(const Problem problem, parse_problem(value));
      arguments.entries.push_back({problem, true});
    } else {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} is none of --device --solver --shapes --choices --problem", name));
    }
  }
  if (arguments.device.empty()) return fail(ErrorCode::invalid_argument, "--device is missing, such as sim:gfx1030");
  if (arguments.entries.empty())
    return fail(ErrorCode::invalid_argument, "no problem: --shapes, --choices or --problem");
  return arguments;
}

void register_solvers(const Arguments& arguments, Fixture& fixture) {
  std::string suite = "conformance_" + fixture.device().info().name;
  std::replace(suite.begin(), suite.end(), ':', '_');
  for (const Solver* solver : solvers()) {
    const Tier tier = solver->tier(fixture.device());
    const bool asked =
        arguments.solver.empty() ? tier == Tier::own || tier == Tier::generic : solver->id() == arguments.solver;
    if (!asked) continue;
    testing::RegisterTest(suite.c_str(), std::string(solver->id()).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [solver, &fixture]() -> testing::Test* { return new SolverTest(*solver, fixture); });
  }
}

int run(int count, char** values) {
  auto arguments = read_arguments(count, values);
  if (!arguments) {
    std::cerr << arguments.error().message << "\n";
    return 2;
  }
  auto device = open_device(arguments->device);
  if (!device) {
    std::cout << fmt::format("skipped, {} is not here: {}\n", arguments->device, device.error().message);
    return k_device_is_absent;
  }
  Fixture fixture(std::move(*device), std::move(arguments->entries));
  register_solvers(*arguments, fixture);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace convoy

int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  return convoy::run(count, values);
}
