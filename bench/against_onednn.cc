// Convoy against oneDNN called directly (direct_onednn.h), problem by problem on the same buffers in one process, in
// alternating pairs: whatever else the machine does meets both. Times are robust centres, the ratio is that of the pairs.
// Convoy chooses as it does for any user (find, checks), but remembers nothing: each run decides anew.
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/file.h"
#include "direct_onednn.h"
#include "dispatch/dispatcher.h"
#include "onednn_report.h"
#include "problem/driver_line.h"
#include "solvers/numbers.h"

namespace convoy::bench {
namespace {

struct Options {
  std::string shapes = "shapes/model-layers.tsv";
  std::string directions = "fwd,bwd,wrw";
  std::string dtype;  // empty: as in the file
  double max_gflop = 10;
  double milliseconds = 200;  // of pairs for one problem
  int threads = 0;
  bool cpu_time = false;
  bool as_listed = false;
  bool list = false;
  std::string json;
};

constexpr int k_least_pairs = 5;
constexpr int k_most_pairs = 200;
constexpr int k_variant_samples = 5;

// The file's problems in the wanted directions and type, each once.
Result<std::vector<SourcedProblem>> choose_problems(const Options& options) {
  CONVOY_TRY(const std::string text, read_file(options.shapes, 1 << 24));
  const ProblemList list = read_problems(text, options.shapes);
  if (!list.errors.empty()) {
    return fail(ErrorCode::invalid_argument, list.errors.front().source + ": " + list.errors.front().message);
  }
  std::vector<SourcedProblem> chosen;
  std::set<std::string> known;
  const auto add = [&](SourcedProblem one) {
    const Problem& problem = one.problem;
    if (problem.transposed || problem.flops() > options.max_gflop * 1e9 || !validate(problem)) return;
    if (known.insert(problem.to_string()).second) chosen.push_back(std::move(one));
  };
  if (options.as_listed) {
    for (const SourcedProblem& one : list.problems) add(one);
    return chosen;
  }
  for (const auto& [name, direction] :
       {std::pair{"fwd", Direction::forward}, std::pair{"bwd", Direction::backward_data},
        std::pair{"wrw", Direction::backward_weights}}) {
    if (options.directions.find(name) == std::string::npos) continue;
    for (SourcedProblem one : list.problems) {
      one.problem.direction = direction;
      if (options.dtype == "f32") one.problem.dtype = Dtype::f32;
      if (options.dtype == "bf16") one.problem.dtype = Dtype::bf16;
      add(std::move(one));
    }
  }
  return chosen;
}

// Time of one call. The thread's own processor time leaves out what other processes take from a busy machine; it says
// nothing about a call that uses several threads.
class Clock {
 public:
  explicit Clock(bool cpu_time) : id_(cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC) {}
  template <typename Body>
  double milliseconds_of(Body body) const {
    const double begin = now();
    body();
    return now() - begin;
  }

 private:
  double now() const {
    timespec time{};
    clock_gettime(id_, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
  }
  clockid_t id_;
};

// The fastest variant: its shortest of a few runs, after one to warm up.
const DirectConvolution* fastest(const std::vector<std::unique_ptr<DirectConvolution>>& variants, const Clock& clock) {
  const DirectConvolution* best = nullptr;
  double best_ms = 0;
  for (const auto& variant : variants) {
    variant->run();
    double shortest = clock.milliseconds_of([&] { variant->run(); });
    for (int i = 1; i < k_variant_samples && (best == nullptr || shortest < 2 * best_ms); ++i) {
      shortest = std::min(shortest, clock.milliseconds_of([&] { variant->run(); }));
    }
    if (best != nullptr && shortest >= best_ms) continue;
    best = variant.get();
    best_ms = shortest;
  }
  return best;
}

class Match {
 public:
  explicit Match(const Options& options) : options_(options), clock_(options.cpu_time) {}

  Result<void> open() {
    CONVOY_TRY(Policy policy, policy_from(Settings()));
    policy.threads = options_.threads;
    CONVOY_TRY(auto device, open_device("cpu"));
    dispatcher_ = std::make_unique<Dispatcher>(std::move(policy), std::move(device), Store::open({}));
    return {};
  }

  Result<Row> play(const SourcedProblem& sourced) {
    const Problem& problem = sourced.problem;
    Device& device = dispatcher_->context().device();
    std::array<DeviceBuffer, 3> buffers;
    for (const TensorRole role : {TensorRole::x, TensorRole::w, TensorRole::y}) {
      auto& buffer = buffers[static_cast<std::size_t>(role)];
      CONVOY_TRY(buffer, device.allocate(problem.bytes(role)));
      fill_random(buffer.data(), problem.dtype_of(role), problem.span(role), static_cast<std::uint64_t>(role) + 1);
    }
    const Tensors tensors{buffers[0].data(), buffers[1].data(), buffers[2].data()};
    const auto variants = DirectConvolution::variants(problem, tensors);
    const DirectConvolution* rival = fastest(variants, clock_);
    if (rival == nullptr) return fail(ErrorCode::unsupported, "oneDNN has nothing but its reference");
    CONVOY_TRY(const auto convolution, dispatcher_->convolution(problem));
    CONVOY_CHECK(convolution->run(tensors));

    Row row = time_pairs(*rival, *convolution, tensors);
    row.problem = problem.to_string();
    row.occurrences = sourced.count;
    row.flops = problem.flops();
    row.direct_implementation = rival->implementation();
    row.direct_reorders = rival->reorders();
    const auto report = convolution->report();
    row.convoy_solver = report.solver;
    row.convoy_implementation = report.detail;
    dispatcher_->context().trim_workspaces();
    return row;
  }

 private:
  // Pairs in alternating order, so that neither side always finds the caches as the other left them.
  Row time_pairs(const DirectConvolution& rival, Convolution& convolution, const Tensors& tensors) const {
    bool failed = false;
    const auto direct = [&] { rival.run(); };
    const auto ours = [&] { failed = !convolution.run(tensors) || failed; };
    std::vector<double> direct_ms, convoy_ms, ratios;
    const Stopwatch total;
    for (int i = 0; i < k_most_pairs && (i < k_least_pairs || total.milliseconds() < options_.milliseconds); ++i) {
      if (i % 2 == 0) {
        direct_ms.push_back(clock_.milliseconds_of(direct));
        convoy_ms.push_back(clock_.milliseconds_of(ours));
      } else {
        convoy_ms.push_back(clock_.milliseconds_of(ours));
        direct_ms.push_back(clock_.milliseconds_of(direct));
      }
      ratios.push_back(convoy_ms.back() / direct_ms.back());
    }
    Row row;
    row.direct = robust_timing(direct_ms);
    row.convoy = robust_timing(convoy_ms);
    row.ratio = failed ? HUGE_VAL : robust_timing(ratios).centre;
    return row;
  }

  const Options& options_;
  Clock clock_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

int compare(const Options& options, const std::vector<SourcedProblem>& problems) {
  Match match(options);
  if (const auto opened = match.open(); !opened) {
    fmt::print(stderr, "against_onednn: {}\n", opened.error().message);
    return 1;
  }
  std::FILE* json = options.json.empty() ? nullptr : std::fopen(options.json.c_str(), "w");
  if (!options.json.empty() && json == nullptr) {
    fmt::print(stderr, "against_onednn: {} cannot be written\n", options.json);
    return 1;
  }
  std::vector<Row> rows;
  fmt::print("{}", table_head());
  for (const SourcedProblem& problem : problems) {
    const auto row = match.play(problem);
    if (!row) {
      fmt::print("left out: {}: {}\n", problem.problem.to_string(), row.error().message);
      continue;
    }
    rows.push_back(*row);
    fmt::print("{}", table_line(*row));
    std::fflush(stdout);
    if (json != nullptr) fmt::print(json, "{}\n", json_line(*row));
  }
  if (json != nullptr) std::fclose(json);
  fmt::print("\nSummary\n{}", summary(rows));
  return 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Times Convoy against oneDNN called directly.");
  app.add_option("--shapes", options.shapes, "File of problems, MIOpenDriver lines or canonical strings")
      ->capture_default_str();
  app.add_option("--directions", options.directions, "Of fwd, bwd, wrw, separated by commas")->capture_default_str();
  app.add_option("--dtype", options.dtype, "Instead of the file's")->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--max-gflop", options.max_gflop, "Leave out larger problems")->capture_default_str();
  app.add_option("--ms", options.milliseconds, "Milliseconds of pairs for each problem, 5 to 200 pairs")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: as many as OpenMP takes")->capture_default_str();
  app.add_flag("--cpu-time", options.cpu_time,
               "Processor time instead of the wall's, for busy machines; needs --threads 1");
  app.add_option("--json", options.json, "Write one JSON line for each problem to this file");
  app.add_flag("--as-listed", options.as_listed, "Take directions and types from the file");
  app.add_flag("--list", options.list, "Print the problems and time nothing");
  CLI11_PARSE(app, argc, argv);
  const auto problems = choose_problems(options);
  if (!problems) {
    fmt::print(stderr, "against_onednn: {}\n", problems.error().message);
    return 1;
  }
  if (options.list) {
    for (const SourcedProblem& one : *problems) fmt::print("{}\n", one.problem.to_string());
    return 0;
  }
  if (options.cpu_time && options.threads != 1) {
    fmt::print(stderr, "against_onednn: --cpu-time needs --threads 1\n");
    return 1;
  }
  if (options.threads > 0) omp_set_num_threads(options.threads);
  return compare(options, *problems);
}

}  // namespace
}  // namespace convoy::bench

int main(int argc, char** argv) {
  try {
    return convoy::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "against_onednn: {}\n", error.what());
    return 1;
  }
}
