// What a solver is. Stateless, with three prices:
//   fits  nanoseconds   does it apply, and if not, why not (a sentence for users)
//   plan  milliseconds  compile, create, book workspace
//   run   the work      nothing is looked up or decided; memory of any size comes from the workspace
// Its id is its file stem; it is written into databases and never reused. Parameters (tuned or found) are
// handed in: solvers know neither the store nor each other. Ordinary problems only: dispatch lowers
// transposed ones first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/device.h"
#include "problem/problem.h"

namespace convoy {

// Best first. Names are written into reports.
enum class Tier { vendor, own, generic, cpu, reference };
std::string_view to_string(Tier tier);

// Families of algorithms, as MIOpen divides them (miopenConvAlgorithm_t).
enum class Algorithm : std::uint32_t { gemm = 1, direct = 2, winograd = 4, fft = 8, implicit_gemm = 16 };
using AlgorithmSet = std::uint32_t;
inline constexpr AlgorithmSet k_all_algorithms = 31;
constexpr bool contains(AlgorithmSet set, Algorithm algorithm) {
  return (set & static_cast<AlgorithmSet>(algorithm)) != 0;
}
std::string_view to_string(Algorithm algorithm);

// Why a solver does not apply. Static text, so that asking costs nothing; empty: it applies.
class Fit {
 public:
  static constexpr Fit yes() { return Fit(""); }
  static constexpr Fit no(std::string_view reason) { return Fit(reason); }
  // A no that goes without saying: the solver is for another kind of device. Reports leave it out.
  static constexpr Fit elsewhere() { return Fit("computes on another kind of device", true); }
  explicit constexpr operator bool() const { return refusal_.empty(); }
  constexpr std::string_view refusal() const { return refusal_; }
  constexpr bool is_elsewhere() const { return elsewhere_; }

 private:
  explicit constexpr Fit(std::string_view refusal, bool elsewhere = false) : refusal_(refusal), elsewhere_(elsewhere) {}
  std::string_view refusal_;
  bool elsewhere_;
};

struct PlanOptions {
  AlgorithmSet allowed = k_all_algorithms;
  std::string params;                // one of Solver::choices(), empty: the solver's own choice, soon ready to run
  std::int64_t workspace_limit = 0;  // bytes; 0: no limit
  int threads = 0;                   // on the host; 0: all available
  // Also what a vendor keeps for cases that none of its kernels serves, slower than our own.
  bool naive = false;
  bool deterministic = false;  // the same bits in every run
  // Not null: a plan that would have to compile a kernel first is refused (ErrorCode::unsupported), which sets it to true.
  std::atomic<bool>* not_compiled = nullptr;
};

// One call: its tensors, each as the problem describes it (dtype, sizes, strides): memory of the plan's device (device.h
// says what a handle is). The output's content is overwritten.
struct Tensors {
  void* x = nullptr;
  void* w = nullptr;
  void* y = nullptr;
  // One number of the output's type for each channel of the output (fwd, bwd), which is added to it; null: none.
  const void* bias = nullptr;
  // What the call is queued on, where the device has streams.
  Stream stream = nullptr;
  // Of the caller that brought a solver along (dispatch/external.h): which call this is.
  void* context = nullptr;
  // Nobody will look at the output: such a solver need not bring it where it belongs.
  bool discard = false;
};

// A planned convolution. run() may be called from several threads at once, each with a workspace of its own.
class Plan {
 public:
  virtual ~Plan() = default;
  // Bytes of 64-byte aligned workspace that run() needs; 0 allowed.
  virtual std::int64_t workspace_bytes() const = 0;
  virtual Algorithm algorithm() const = 0;
  // What exactly runs, for people: "brgconv:avx512_core".
  virtual std::string_view detail() const = 0;
  // On a GPU this only queues kernels (nothing is allocated or waited for: a graph may record it), except in the cpu and
  // reference tiers, which compute on the host and wait.
  virtual Result<void> run(const Tensors& tensors, void* workspace) const = 0;
};

class Solver {
 public:
  virtual ~Solver() = default;
  virtual std::string_view id() const = 0;
  virtual Tier tier(const Device& device) const = 0;
  // Library and version whose change makes old verdicts void: "onednn 2.6.3", "convoy".
  virtual std::string library() const = 0;
  virtual Fit fits(const Problem& problem, const Device& device) const = 0;
  // Alternatives worth timing, the default (empty string) first. Cheap enough to call once per problem.
  virtual std::vector<std::string> choices(const Problem& problem, const Device& device,
                                           const PlanOptions& options) const = 0;
  // ErrorCode::unsupported when `options` exclude everything it has (with the reason), out_of_memory when the
  // workspace limit cannot be met (with the bytes needed).
  virtual Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                             const PlanOptions& options) const = 0;
};

// All solvers, in the order of solvers.inc; they live for ever.
std::span<const Solver* const> solvers();
const Solver* find_solver(std::string_view id);

}  // namespace convoy
