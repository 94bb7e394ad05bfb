// Implementation of served.h.
#include "served.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace convoy::miopen {
namespace {

struct Table {
  std::shared_mutex mutex;
  std::unordered_map<Request, std::unique_ptr<Served>, RequestHash> entries;
};

// Never freed: threads of the program may outlive main().
Table& table() {
  static Table* const one = new Table;
  return *one;
}

std::unique_ptr<Served> make_entry(const RealLibrary& real, const Request& request, std::size_t number) {
  auto served = std::make_unique<Served>();
  served->solution = k_first_solution + number;
  served->handle = engine_handle(request.device, request.deterministic != 0, real.file.c_str());
  if (served->handle == nullptr) return served;
  convoy_problem problem = nullptr;
  const std::string text = problem_string(request);
  if (engine()->convoy_problem_parse(&problem, text.c_str()) != CONVOY_SUCCESS) return served;
  if (engine()->convoy_plan_create(&served->plan, served->handle, problem) != CONVOY_SUCCESS) served->plan = nullptr;
  engine()->convoy_problem_destroy(problem);
  return served;
}

Served* find_or_make(const RealLibrary& real, const Request& request) {
  Table& t = table();
  {
    const std::shared_lock lock(t.mutex);
    if (const auto found = t.entries.find(request); found != t.entries.end()) return found->second.get();
  }
  const std::unique_lock lock(t.mutex);
  auto& slot = t.entries[request];
  if (!slot) slot = make_entry(real, request, t.entries.size());
  return slot.get();
}

}  // namespace

Status status_of(convoy_status status) {
  switch (status) {
    case CONVOY_SUCCESS: return k_success;
    case CONVOY_INVALID_ARGUMENT: return k_bad_parm;
    case CONVOY_UNSUPPORTED: return k_not_implemented;
    case CONVOY_OUT_OF_MEMORY: return k_alloc_failed;
    case CONVOY_DEVICE: return k_unknown_error;
    default: return k_internal_error;
  }
}

std::optional<Found> find_served(const RealLibrary& real, const CallDescriptors& call) {
  if (engine() == nullptr) return std::nullopt;
  const auto read = read_request(real, call);
  if (!read) return std::nullopt;
  Served* served = find_or_make(real, read->request);
  if (served->plan == nullptr) return std::nullopt;
  return Found{served, read->swapped};
}

Status run_served(const RealLibrary& real, const Found& found, const Addresses& addresses, const RunOptions& options) {
  convoy_call call{};
  // The engine reads two of them; which one it writes was not const in the caller's signature.
  call.x = const_cast<void*>(found.swapped ? addresses.y : addresses.x);
  call.w = const_cast<void*>(addresses.w);
  call.y = const_cast<void*>(found.swapped ? addresses.x : addresses.y);
  call.workspace = options.workspace;
  call.workspace_bytes = static_cast<std::int64_t>(options.workspace_bytes);
  if (const Status status = real.miopenGetStream(options.handle, &call.stream); status != k_success) return status;
  const convoy_status status = engine()->convoy_enqueue(found.served->plan, &call);
  if (status == CONVOY_SUCCESS) {
    if (!found.served->chosen.load(std::memory_order_relaxed)) found.served->chosen = true;
    return k_success;
  }
  std::fprintf(stderr, "convoy: %s\n", engine()->convoy_last_error());
  return status_of(status);
}

Status time_served(const RealLibrary& real, const Found& found, const Addresses& addresses, const RunOptions& options,
                   float& milliseconds) {
  Queue stream = nullptr;
  if (const Status status = real.miopenGetStream(options.handle, &stream); status != k_success) return status;
  engine()->convoy_synchronize(found.served->handle, stream);
  const auto begin = std::chrono::steady_clock::now();
  if (const Status status = run_served(real, found, addresses, options); status != k_success) return status;
  engine()->convoy_synchronize(found.served->handle, stream);
  const std::chrono::duration<float, std::milli> took = std::chrono::steady_clock::now() - begin;
  milliseconds = took.count();
  return k_success;
}

Status measure_served(const RealLibrary& real, const Found& found, const Addresses& addresses,
                      const RunOptions& options) {
  if (const Status status = run_served(real, found, addresses, options); status != k_success) return status;
  if (found.served->milliseconds > 0 || real.is_capturing(options.handle)) return k_success;
  float milliseconds = 0;
  const Status status = time_served(real, found, addresses, options, milliseconds);
  if (status == k_success) found.served->milliseconds = milliseconds;
  return status;
}

}  // namespace convoy::miopen
