// One convolution of one handle: the ladder climbed once, then a plan that is called. The first run() does the work of
// choosing (selection, trial, plan, intent, run, check, find) on the caller's tensors and leaves the right output; later
// runs call the plan. A plan that fails later is struck off and the ladder goes on in the same call.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/climb.h"
#include "dispatch/statistics.h"

namespace convoy {

class Convolution {
 public:
  // `problem` has passed validate().
  Convolution(std::shared_ptr<DispatchContext> context, const Problem& problem)
      : context_(std::move(context)), problem_(problem) {}
  // With a candidate that the caller brings along; it has passed validate().
  Convolution(std::shared_ptr<DispatchContext> context, const Problem& problem, External external)
      : context_(std::move(context)),
        problem_(problem),
        external_(std::make_unique<ExternalSolver>(std::move(external))) {}

  const Problem& problem() const { return problem_; }
  Device& device() const { return context_->device(); }

  // Computes the output tensor; on a GPU later calls only queue the work on `tensors.stream` and may be recorded in a graph
  // (with a workspace of the caller's). Thread-safe; the first call of several climbs, the others wait for it. `workspace`
  // may be null: then memory of our own is used. An Error means that no rung could do it, the last one's error.
  Result<void> run(const Tensors& tensors, void* workspace = nullptr, std::int64_t workspace_bytes = 0);

  // Climbs on random tensors of our own if nothing has run yet, so that workspace_bytes() and report() mean something.
  Result<void> prepare();
  // True when what the caller brought along serves: it may compute without us, which is counted as a call here.
  bool claim();
  // Bytes that spare run() the use of its own memory; 0 before prepare() or the first run().
  std::int64_t workspace_bytes() const;

  struct Report {
    std::string solver;  // empty before the first run
    Tier tier = Tier::reference;
    std::string detail;
    std::vector<Attempt> attempts;
    std::vector<Reserve> reserves;  // not tried
    bool checked = false;           // the numbers, in this process
    double error = 0;
    double tolerance = 0;
  };
  Report report() const;
  ProblemStatistics statistics() const;

 private:
  Result<void> run_on(const Rung& rung, const Tensors& tensors, CallersWorkspace workspace);
  Result<void> first_run(const Tensors& tensors, CallersWorkspace workspace);
  Result<void> recover(const Tensors& tensors, CallersWorkspace workspace, const Rung& failed, const Error& error);
  void note_failure(const Rung& failed, const Error& error);
  Result<void> climb(const Tensors& tensors, CallersWorkspace workspace, const std::vector<std::string>& struck_off,
                     bool keep);

  std::shared_ptr<DispatchContext> context_;
  Problem problem_;
  const std::unique_ptr<ExternalSolver> external_;  // null: none
  std::atomic<const Rung*> ready_{nullptr};
  std::atomic<std::int64_t> calls_{0};
  std::mutex climb_mutex_;                    // held while climbing, which may take as long as a trial
  std::vector<std::unique_ptr<Rung>> rungs_;  // all that were ever ready: another thread may still run one
  std::vector<std::string> struck_off_;       // solvers that failed after they had been chosen
  mutable std::mutex report_mutex_;           // held for moments; guards report_ alone
  Report report_;
};

}  // namespace convoy
