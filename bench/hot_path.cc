// What Convoy adds to a call: Convolution::run and convoy_run against the very primitive that they end in, executed
// directly on the same memory, alternating in one process. The problems are tiny, so that the difference is ours alone. Also the look-up of a problem, its hash, and memory allocations per call. One thread.
#include <benchmark/benchmark.h>
#include <omp.h>
#include <stdlib.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/timing.h"
#include "convoy/convoy.h"
#include "direct_onednn.h"
#include "dispatch/dispatcher.h"
#include "solvers/numbers.h"

// Counts what anything in the process allocates, oneDNN included: glibc lets a program put its own in front.
namespace {
std::atomic<std::int64_t> g_allocations{0};
}
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void* malloc(std::size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? 12 : 0;
}
}

namespace convoy::bench {
namespace {

// Plain layouts, which GEMM takes as they are; and layouts where the filter is reordered in every call.
constexpr const char* k_plain = "fwd:f32:nchw:n1c1h2w2:k1r1s1:pad0x0:stride1x1:dil1x1:g1";
constexpr const char* k_reordered = "fwd:f32:nhwc:n1c16h2w2:k16r1s1:pad0x0:stride1x1:dil1x1:g1";
constexpr int k_calls = 200;  // in one measured block
constexpr int k_blocks = 500;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "hot_path: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) stop(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// For the databases of the C interface's handle: the user's own stay untouched.
class PrivateFolder {
 public:
  PrivateFolder() : path_((std::filesystem::temp_directory_path() / "convoy-bench-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) stop("no folder can be made at " + path_);
  }
  ~PrivateFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The problem, its tensors, and three ways to compute it.
class Bed {
 public:
  Bed(const char* problem, Algorithm only) : problem_(must(parse_problem(problem))) {
    Policy policy = must(policy_from(Settings()));
    policy.threads = 1;
    policy.find = FindMode::immediate;
    policy.allowed = static_cast<AlgorithmSet>(only);
    dispatcher_ = std::make_unique<Dispatcher>(std::move(policy), must(open_device("cpu")), Store::open({}));
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      buffers_[i] = must(dispatcher_->context().device().allocate(4096));
      fill_random(buffers_[i].data(), Dtype::f32, 1024, i + 1);
    }
    convolution_ = must(dispatcher_->convolution(problem_));
    must(convolution_->run(tensors()));
    choose_rival();
    open_c_interface(problem, only);
  }
  ~Bed() {
    convoy_plan_destroy(plan_);
    convoy_problem_destroy(c_problem_);
    convoy_destroy(handle_);
  }
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  Tensors tensors() const { return {buffers_[0].data(), buffers_[1].data(), buffers_[2].data()}; }
  const Problem& problem() const { return problem_; }
  Dispatcher& dispatcher() { return *dispatcher_; }

  void run_direct() const { rival_->run(); }
  void run_convolution() {
    if (!convolution_->run(tensors())) stop("Convolution::run failed");
  }
  void run_c() {
    if (convoy_run(plan_, buffers_[0].data(), buffers_[1].data(), buffers_[2].data(), nullptr, 0) != CONVOY_SUCCESS) {
      stop(convoy_last_error());
    }
  }

 private:
  // The same primitive with the fewest reorders, as Convoy prefers it.
  void choose_rival() {
    const std::string ours = convolution_->report().detail;
    for (auto& variant : DirectConvolution::variants(problem_, tensors())) {
      if (variant->implementation() != ours) continue;
      if (!rival_ || variant->reorders() < rival_->reorders()) rival_ = std::move(variant);
    }
    if (!rival_) stop("oneDNN offers no primitive like Convoy's '" + ours + "': the difference would mean nothing");
  }

  void open_c_interface(const char* problem, Algorithm only) {
    std::vector<std::string> texts{"cache_dir=" + folder_.path(), "threads=1", "find=immediate"};
    for (const Algorithm other : {Algorithm::gemm, Algorithm::direct, Algorithm::winograd, Algorithm::implicit_gemm}) {
      if (other != only) texts.push_back("miopen.conv_" + std::string(to_string(other)) + "=false");
    }
    std::vector<const char*> settings;
    for (const std::string& text : texts) settings.push_back(text.c_str());
    settings.push_back(nullptr);
    if (convoy_create(&handle_, "cpu", settings.data()) != CONVOY_SUCCESS ||
        convoy_problem_parse(&c_problem_, problem) != CONVOY_SUCCESS ||
        convoy_plan_create(&plan_, handle_, c_problem_) != CONVOY_SUCCESS) {
      stop(convoy_last_error());
    }
    run_c();
  }

  PrivateFolder folder_;
  Problem problem_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::array<DeviceBuffer, 3> buffers_;
  std::shared_ptr<Convolution> convolution_;
  std::unique_ptr<DirectConvolution> rival_;
  convoy_handle handle_ = nullptr;
  convoy_problem c_problem_ = nullptr;
  convoy_plan plan_ = nullptr;
};

Bed& plain_bed() {
  static Bed bed(k_plain, Algorithm::gemm);
  return bed;
}
Bed& reordered_bed() {
  static Bed bed(k_reordered, Algorithm::implicit_gemm);
  return bed;
}

template <typename Body>
double nanoseconds_per_call(Body body) {
  const Stopwatch watch;
  for (int i = 0; i < k_calls; ++i) body();
  return watch.milliseconds() * 1e6 / k_calls;
}

template <typename Body>
double allocations_per_call(Body body) {
  const std::int64_t before = g_allocations.load();
  for (int i = 0; i < k_calls; ++i) body();
  return static_cast<double>(g_allocations.load() - before) / k_calls;
}

// One iteration is a block of direct calls and a block of ours; its time is the difference per call. The counters are
// robust centres over all blocks.
void overhead(benchmark::State& state, Bed& bed, void (Bed::*run)()) {
  const auto direct = [&] { bed.run_direct(); };
  const auto ours = [&] { (bed.*run)(); };
  nanoseconds_per_call(direct);
  nanoseconds_per_call(ours);
  std::vector<double> direct_ns, ours_ns, difference_ns;
  for (auto _ : state) {
    direct_ns.push_back(nanoseconds_per_call(direct));
    ours_ns.push_back(nanoseconds_per_call(ours));
    difference_ns.push_back(ours_ns.back() - direct_ns.back());
    state.SetIterationTime(std::max(0.0, difference_ns.back()) * 1e-9);
  }
  state.counters["direct_ns"] = robust_timing(direct_ns).centre;
  state.counters["ours_ns"] = robust_timing(ours_ns).centre;
  state.counters["added_ns"] = robust_timing(difference_ns).centre;
  state.counters["direct_allocs"] = allocations_per_call(direct);
  state.counters["ours_allocs"] = allocations_per_call(ours);
}

void convolution_run_plain(benchmark::State& state) {
  overhead(state, plain_bed(), &Bed::run_convolution);
}
void convoy_run_plain(benchmark::State& state) {
  overhead(state, plain_bed(), &Bed::run_c);
}
void convolution_run_reordered(benchmark::State& state) {
  overhead(state, reordered_bed(), &Bed::run_convolution);
}
void convoy_run_reordered(benchmark::State& state) {
  overhead(state, reordered_bed(), &Bed::run_c);
}
BENCHMARK(convolution_run_plain)->UseManualTime()->Iterations(k_blocks);
BENCHMARK(convoy_run_plain)->UseManualTime()->Iterations(k_blocks);
BENCHMARK(convolution_run_reordered)->UseManualTime()->Iterations(k_blocks);
BENCHMARK(convoy_run_reordered)->UseManualTime()->Iterations(k_blocks);

void problem_hash(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ProblemHash()(plain_bed().problem()));
}
BENCHMARK(problem_hash);

// With `others` more problems in the plan cache.
void look_up(benchmark::State& state) {
  Dispatcher& dispatcher = plain_bed().dispatcher();
  Problem other = plain_bed().problem();
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    other.in = {8 + i, 8, 1};
    must(dispatcher.convolution(other));
  }
  const auto find = [&] { benchmark::DoNotOptimize(dispatcher.convolution(plain_bed().problem())); };
  for (auto _ : state) find();
  state.counters["allocs"] = allocations_per_call(find);
}
BENCHMARK(look_up)->Arg(0)->Arg(1000);

}  // namespace
}  // namespace convoy::bench

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
