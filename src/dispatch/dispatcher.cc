// Implementation of dispatcher.h.
#include "dispatch/dispatcher.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/dynlib.h"
#include "base/log.h"

namespace convoy {

Result<std::unique_ptr<Dispatcher>> Dispatcher::create(const Settings& settings, std::string_view device_name,
                                                       const std::function<void(Policy&)>& adjust) {
  CONVOY_TRY(Policy policy, policy_from(settings));
  if (adjust) adjust(policy);
  if (const std::string& file = settings.text("miopen_library"); !file.empty())
    DynamicLibrary::prefer("libMIOpen.so", file);
  CONVOY_TRY(auto device, open_device(device_name));
  StoreConfig config = store_config(settings);
  if (policy.disabled) {
    policy.trial = TrialMode::never;
    policy.verify = VerifyMode::off;
    policy.find = FindMode::immediate;
    config = {};
  }
  const RuleSet rules = load_rules(settings);
  for (const std::string& problem : rules.problems) log_once(LogLevel::warning, problem);
  DeviceRules here = DeviceRules::of(rules, device->info());
  here.apply_to(policy, settings.origin("strategy") != Origin::built_in);
  return std::make_unique<Dispatcher>(std::move(policy), std::move(device), Store::open(config), std::move(here));
}

Dispatcher::Dispatcher(Policy policy, std::unique_ptr<Device> device, std::unique_ptr<Store> store, DeviceRules rules)
    : context_(std::make_shared<DispatchContext>(std::move(policy), std::move(device), std::move(store),
                                                 std::move(rules))) {}

Result<std::shared_ptr<Convolution>> Dispatcher::convolution(const Problem& problem) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = cache_.find(problem); found != cache_.end()) return found->second;
  }
  CONVOY_CHECK(validate(problem));
  const std::unique_lock lock(mutex_);
  auto& slot = cache_[problem];
  if (!slot) slot = std::make_shared<Convolution>(context_, problem);
  return slot;
}

Result<std::shared_ptr<Convolution>> Dispatcher::convolution(const Problem& problem, External external) {
  CONVOY_CHECK(validate(problem));
  CONVOY_CHECK(validate(external));
  auto made = std::make_shared<Convolution>(context_, problem, std::move(external));
  const std::unique_lock lock(mutex_);
  with_externals_.push_back(made);
  return made;
}

Statistics Dispatcher::statistics() const {
  std::vector<std::shared_ptr<Convolution>> convolutions;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [problem, convolution] : cache_) convolutions.push_back(convolution);
    convolutions.insert(convolutions.end(), with_externals_.begin(), with_externals_.end());
  }
  std::vector<ProblemStatistics> per_problem;
  for (const auto& convolution : convolutions) per_problem.push_back(convolution->statistics());
  std::sort(per_problem.begin(), per_problem.end(), [](const auto& a, const auto& b) { return a.problem < b.problem; });
  Statistics sum = sum_statistics(std::move(per_problem), context_->children_started());
  sum.kernels = context_->device().programs().counters();
  sum.untuned = context_->untuned();
  return sum;
}

}  // namespace convoy
