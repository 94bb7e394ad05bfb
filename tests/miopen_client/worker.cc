// The loop over shapes, directions and calls, the replay of graphs, and what is printed. Lines of several threads are
// written whole.
#include "worker.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <optional>

#include "experiment.h"
#include "hot.h"

namespace convoy::client {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print_line(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";  // JSON has no infinity
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}
const char* truth(bool value) {
  return value ? "true" : "false";
}

class Worker {
 public:
  Worker(const Options& options, const Api& api, const Seat& seat)
      : options_(options), seat_(seat), api_(api), stream_(options.own_stream()) {
    ClientOptions own = options.client;
    own.device = seat.device;
    client_ = make_client(own, api, stream_.get());
  }

  int run() {
    for (const Problem& problem : options_.problems)
      for (Direction direction : options_.directions) run(problem, direction);
    return all_right_ ? k_all_right : k_wrong_numbers;
  }

  // The beginning of every line: what was being done.
  std::string line_head() const {
    return "{\"client\": " + quoted(options_.client.client) + ", \"device\": " + std::to_string(seat_.device) +
           ", \"thread\": " + std::to_string(seat_.thread) + ", \"direction\": " + quoted(to_text(direction_)) +
           ", \"problem\": " + quoted(to_text(problem_, direction_)) + ", \"call\": " + std::to_string(call_) +
           ", \"seed\": " + std::to_string(seed_);
  }

 private:
  void run(const Problem& problem, Direction direction) {
    problem_ = problem;
    direction_ = direction;
    for (call_ = 0; call_ < options_.repeat; ++call_) {
      Experiment experiment(problem, direction, options_.bias_in(direction_), stream_);
      experiment.fill(next_seed());
      const auto start = Clock::now();
      const Outcome outcome = client_->convolve(experiment.call());
      stream_.synchronize();
      report(experiment, outcome, milliseconds_since(start), "convolution");
      if (!used_ && seat_.after_first_use) seat_.after_first_use();
      used_ = true;
    }
    if (options_.graph) replay();
    if (options_.hot > 0) time_hot_calls();
  }

  // The shape is warm: nothing is searched or allocated in the capture, as PyTorch demands of its users, too.
  void replay() {
    Experiment experiment(problem_, direction_, options_.bias_in(direction_), stream_);
    experiment.fill(next_seed());
    client_->convolve(experiment.call());
    stream_.synchronize();
    void* graph = nullptr;
    void* exec = nullptr;
    // PyTorch's default, but it forbids other threads to allocate meanwhile.
    const int mode = options_.parallel() ? k_capture_thread_local : k_capture_global;
    check_hip(hipStreamBeginCapture(stream_.get(), mode), "hipStreamBeginCapture");
    const Outcome outcome = captured_convolution(experiment);
    check_hip(hipStreamEndCapture(stream_.get(), &graph), "hipStreamEndCapture");
    check_hip(hipGraphInstantiate(&exec, graph, nullptr, nullptr, 0), "hipGraphInstantiate");
    for (int i = 0; i < 2; ++i) {
      experiment.fill(next_seed());
      const auto start = Clock::now();
      check_hip(hipGraphLaunch(exec, stream_.get()), "hipGraphLaunch");
      stream_.synchronize();
      report(experiment, outcome, milliseconds_since(start), "replay");
    }
    check_hip(hipGraphExecDestroy(exec), "hipGraphExecDestroy");
    check_hip(hipGraphDestroy(graph), "hipGraphDestroy");
  }

  // A capture that failed must end, or the stream stays unusable.
  Outcome captured_convolution(const Experiment& experiment) {
    try {
      return client_->convolve(experiment.call());
    } catch (...) {
      void* graph = nullptr;
      hipStreamEndCapture(stream_.get(), &graph);
      throw;
    }
  }

  void time_hot_calls() {
    Experiment experiment(problem_, direction_, false, stream_);
    experiment.fill(next_seed());
    const Outcome outcome = client_->convolve(experiment.call());
    const HotCalls hot = time_hot(api_, *client_, experiment.call(), outcome, options_.hot);
    const Check check = experiment.check();
    all_right_ = all_right_ && check.ok;
    print_line(line_head() + ", \"kind\": \"hot\", \"ok\": " + truth(check.ok) +
               ", \"function\": " + quoted(hot.function) + ", \"calls\": " + std::to_string(hot.calls) +
               ", \"nanoseconds\": " + number(hot.nanoseconds) +
               ", \"mallocs\": " + (hot.mallocs < 0 ? "null" : number(hot.mallocs)) + ", \"status\": 0}");
  }

  void report(Experiment& experiment, const Outcome& outcome, double milliseconds, const char* kind) {
    const Check check = experiment.check();
    all_right_ = all_right_ && check.ok;
    print_line(line_head() + ", \"kind\": " + quoted(kind) + ", \"ok\": " + truth(check.ok) +
               ", \"max_error\": " + number(check.error) + ", \"tolerance\": " + number(check.tolerance) +
               ", \"milliseconds\": " + number(milliseconds) +
               (outcome.immediate ? ", \"solution\": " : ", \"algorithm\": ") + std::to_string(outcome.choice) +
               ", \"workspace\": " + std::to_string(outcome.workspace) +
               ", \"out_of_memory\": " + truth(outcome.out_of_memory) + ", \"status\": 0}");
  }

  // Each convolution of each thread has its own numbers.
  std::uint64_t next_seed() {
    ++filled_;
    const auto place = static_cast<std::uint64_t>(seat_.device * 1000 + seat_.thread);
    return seed_ = options_.seed * 1'000'000'000 + place * 10'000 + filled_;
  }

  const Options& options_;
  const Seat& seat_;
  const Api& api_;
  Stream stream_;
  std::unique_ptr<Client> client_;
  Problem problem_;
  Direction direction_ = Direction::forward;
  int call_ = 0;
  std::uint64_t seed_ = 0, filled_ = 0;
  bool used_ = false, all_right_ = true;
};

void complain(const Options& options, const char* what) {
  std::fprintf(stderr, "miopen_client: %s: %s\n", options.client.client.c_str(), what);
}

}  // namespace

int run_worker(const Options& options, const Api& api, const Seat& seat) {
  std::optional<Worker> worker;
  const auto failed = [&](const char* what, const std::string& function, int status, int exit_status) {
    complain(options, what);
    const std::string head = worker ? worker->line_head() : "{\"client\": " + quoted(options.client.client);
    print_line(head + ", \"ok\": false, \"failed\": " + quoted(function) + ", \"status\": " + std::to_string(status) +
               "}");
    return exit_status;
  };
  try {
    check_hip(hipSetDevice(seat.device), "hipSetDevice");
    worker.emplace(options, api, seat);
    return worker->run();
  } catch (const MiopenError& error) {
    return failed(error.what(), error.function, error.status, k_framework_threw);
  } catch (const HipError& error) {
    return failed(error.what(), "hip", 0, k_hip_failed);
  } catch (const std::exception& error) {
    return failed(error.what(), "", 0, k_framework_threw);
  }
}

}  // namespace convoy::client
