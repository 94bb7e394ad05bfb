// What Convoy serves under one set of settings: handles, one entry for each request, counts. Sessions and their entries stay for
// ever: other threads may be inside one, and enabling the same settings again finds everything as it was.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine.h"
#include "request.h"

namespace convoy::pytorch {

// A request's plans, one for each direction, made when first asked for.
class Served {
 public:
  Served(const Request& request, convoy_handle handle);

  const Request& request() const { return request_; }
  // Null: the engine cannot express it. Thread-safe.
  convoy_plan plan(convoy_direction direction);
  // Sizes of the convolution's result.
  const std::vector<std::int64_t>& output_sizes() const { return output_sizes_; }
  // The problem's canonical string, for reports.
  std::string problem(convoy_direction direction) const;

  std::atomic<bool> in_scope{false};  // computed in a scope, or with a served weight: its gradients belong there, too

 private:
  const Request request_;
  const convoy_handle handle_;
  std::vector<std::int64_t> output_sizes_;  // empty: no convolution
  std::mutex mutex_;
  std::array<std::atomic<convoy_plan>, 3> plans_{};
  std::array<bool, 3> tried_{};  // guarded by mutex_
};

class Session {
 public:
  // `settings`: "key=value", one a line.
  explicit Session(std::string settings) : settings_(std::move(settings)) {}

  // Opens the processor's handle, whereby settings are checked. False: why stands in `error`.
  bool check(std::string& error);
  // Null: PyTorch's alone. Thread-safe.
  Served* find(const Call& call, const OptionalTensor& bias);
  // The same for what has been met already.
  Served* find_known(const Call& call) const;
  // `layer` >= 0: a forward run of that layer.
  void count_layer(std::int64_t layer, const Served& served);
  void count_handed_through(const char* reason);
  // JSON, with the engine's own for each handle.
  std::string statistics(bool enabled) const;
  void reset_counts();

  std::atomic<std::int64_t> forward_calls{0}, backward_calls{0}, retries{0};

 private:
  struct HandleKey {
    std::string device;
    bool deterministic;
    bool without_vendor;
    auto operator<=>(const HandleKey&) const = default;
  };
  HandleKey key_of(const Request& request) const;
  convoy_handle handle(const HandleKey& key);
  convoy_handle open(const HandleKey& key, std::string& error) const;
  bool says(const char* setting) const;

  const std::string settings_;
  mutable std::shared_mutex table_mutex_;
  std::unordered_map<Request, std::unique_ptr<Served>, RequestHash> table_;  // null: PyTorch's alone
  mutable std::mutex mutex_;                                                 // guards what follows
  std::map<HandleKey, convoy_handle> handles_;                               // null: could not be opened
  std::map<std::string, std::int64_t> handed_through_;
  std::map<std::int64_t, std::map<const Served*, std::int64_t>> layers_;
};

// What a call of an external (convoy_call.context) needs; call.cc's functions do the work.
struct PlainCall {
  const Call& call;
  const OptionalTensor* bias = nullptr;  // forward
  const Gradients* gradients = nullptr;  // backward; its mask names one gradient
  at::Tensor output{};                   // the engine's: where the result belongs
  at::Tensor result{};                   // PyTorch's own, of the last run that went well
  std::exception_ptr thrown{};           // by the last run that did not
  bool failed_already = false;           // the caller has tried just now: `thrown` says how
  std::atomic<std::int64_t>* retries = nullptr;

  at::Tensor compute() const;
};

// Runs PyTorch's path; out of memory, empties the cache and tries once more. Throws what PyTorch throws.
at::Tensor compute_with_retry(PlainCall& plain);

}  // namespace convoy::pytorch
