// The door to everything below: one per handle. Holds the plan cache: each problem is decided once.
#pragma once

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>

#include "dispatch/convolution.h"

namespace convoy {

class Dispatcher {
 public:
  // Opens the device and the store. `adjust`, if given, has the last word on the policy. An Error names the setting or the
  // device that is wrong.
  static Result<std::unique_ptr<Dispatcher>> create(const Settings& settings, std::string_view device,
                                                    const std::function<void(Policy&)>& adjust = nullptr);
  // The same with a policy that the caller has finished; `store` comes from Store::open().
  Dispatcher(Policy policy, std::unique_ptr<Device> device, std::unique_ptr<Store> store, DeviceRules rules = {});

  // The convolution for this problem, made at the first call. Thread-safe; one hash look-up afterwards.
  // An Error when the problem is not valid.
  Result<std::shared_ptr<Convolution>> convolution(const Problem& problem);

  // One of the caller's own, with a candidate that it brings along; not shared. Thread-safe.
  Result<std::shared_ptr<Convolution>> convolution(const Problem& problem, External external);

  DispatchContext& context() { return *context_; }
  Statistics statistics() const;

 private:
  std::shared_ptr<DispatchContext> context_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<Problem, std::shared_ptr<Convolution>, ProblemHash> cache_;
  std::vector<std::shared_ptr<Convolution>> with_externals_;
};

}  // namespace convoy
