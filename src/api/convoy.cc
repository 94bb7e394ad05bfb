// The C interface over dispatch. Every function ends in one of two shapes: guarded(), which turns results and stray
// exceptions into a status and a last error, or a plain accessor that cannot fail.
#include "convoy/convoy.h"

#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <string>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "dispatch/dispatcher.h"

struct convoy_handle_s {
  std::unique_ptr<convoy::Dispatcher> dispatcher;
  std::mutex mutex;                              // guards what follows
  std::map<void*, convoy::DeviceBuffer> memory;  // of convoy_allocate()
};
struct convoy_problem_s {
  convoy::Problem problem;
  std::string text;
};
struct convoy_plan_s {
  std::shared_ptr<convoy::Convolution> convolution;
};

namespace convoy {
namespace {

// Without a destructor: a library that writes its statistics at exit calls us when the thread's objects are gone.
class LastError {
 public:
  void set(std::string_view text) noexcept {
    const std::size_t length = std::min(text.size(), sizeof text_ - 1);
    std::memcpy(text_, text.data(), length);
    text_[length] = '\0';
  }
  const char* text() const noexcept { return text_; }

 private:
  char text_[2048]{};
};
thread_local LastError g_last_error;

convoy_status status_of(ErrorCode code) {
  return static_cast<convoy_status>(code);
}

// A C caller may put any number into an enum, which C++ must not even look at as one.
template <typename Enum>
int number_of(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

template <typename Enum>
bool is_one_of_the_first(const Enum& value, Enum last) {
  return number_of(value) >= 0 && number_of(value) <= static_cast<int>(last);
}

template <typename Body>
convoy_status guarded(Body body) noexcept {
  try {
    Result<void> result = body();
    if (result) return CONVOY_SUCCESS;
    g_last_error.set(result.error().message);
    return status_of(result.error().code);
  } catch (const std::bad_alloc&) {
    g_last_error.set("out of memory");
    return CONVOY_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    g_last_error.set(error.what());
    return CONVOY_INTERNAL;
  } catch (...) {
    g_last_error.set("");
    return CONVOY_INTERNAL;
  }
}

tl::unexpected<Error> null_argument(const char* name) {
  return fail(ErrorCode::invalid_argument, std::string(name) + " is NULL");
}

Result<void> apply_settings(Settings& settings, const char* const* texts) {
  for (; texts != nullptr && *texts != nullptr; ++texts) {
    const std::string_view text = *texts;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, "setting '" + std::string(text) + "' is not key=value");
    }
    CONVOY_CHECK(settings.set(text.substr(0, equals), text.substr(equals + 1), Origin::command_line, "convoy_create"));
  }
  return {};
}

Spatial spatial_of(const std::int64_t (&values)[CONVOY_MAX_RANK], int rank, std::int64_t rest) {
  Spatial result{rest, rest, rest};
  for (int i = 0; i < rank && i < CONVOY_MAX_RANK; ++i) result[static_cast<std::size_t>(i)] = values[i];
  return result;
}

Result<Problem> problem_of(const convoy_problem_desc& desc) {
  if (!is_one_of_the_first(desc.direction, CONVOY_BACKWARD_WEIGHTS))
    return fail(ErrorCode::invalid_argument, "direction is no convoy_direction");
  if (!is_one_of_the_first(desc.dtype, CONVOY_I8))
    return fail(ErrorCode::invalid_argument, "dtype is no convoy_dtype for a problem");
  if (!is_one_of_the_first(desc.layout, CONVOY_CHANNELS_LAST))
    return fail(ErrorCode::invalid_argument, "layout is no convoy_layout");
  Problem problem;
  problem.direction = static_cast<Direction>(desc.direction);
  problem.dtype = static_cast<Dtype>(desc.dtype);
  problem.layout = static_cast<Layout>(desc.layout);
  problem.rank = desc.rank;
  problem.n = desc.n;
  problem.c = desc.c;
  problem.k = desc.k;
  problem.groups = desc.groups;
  problem.in = spatial_of(desc.in, desc.rank, 1);
  problem.filter = spatial_of(desc.filter, desc.rank, 1);
  problem.pad = spatial_of(desc.pad, desc.rank, 0);
  problem.stride = spatial_of(desc.stride, desc.rank, 1);
  problem.dilation = spatial_of(desc.dilation, desc.rank, 1);
  problem.transposed = desc.transposed != 0;
  problem.output_pad = spatial_of(desc.output_pad, desc.rank, 0);
  CONVOY_CHECK(validate(problem));
  return problem;
}

Result<void> make_problem(convoy_problem* out, Result<Problem> problem) {
  if (!problem) return tl::unexpected<Error>(std::move(problem.error()));
  std::string text = problem->to_string();
  *out = new convoy_problem_s{std::move(*problem), std::move(text)};
  return {};
}

// A tensor pointer may be null only where the tensor has no bytes.
Result<void> check_tensors(const Problem& problem, const Tensors& tensors) {
  const std::array<std::pair<const void*, TensorRole>, 3> all{
      {{tensors.x, TensorRole::x}, {tensors.w, TensorRole::w}, {tensors.y, TensorRole::y}}};
  constexpr std::array<const char*, 3> k_names{"x", "w", "y"};
  for (const auto& [data, role] : all) {
    if (data == nullptr && problem.bytes(role) > 0) return null_argument(k_names[static_cast<std::size_t>(role)]);
  }
  return {};
}

// The first run of a problem looks at the memory it is given; to later ones a host pointer looks like a broken device.
Result<void> with_hint(Result<void> result, const Convolution& convolution) {
  const Device& device = convolution.device();
  if (!result && result.error().code == ErrorCode::device && !device.host_accessible()) {
    result.error().message += "; x, w, y and the workspace must be memory of " + device.info().name;
    result.error().message += ", as convoy_allocate() gives it";
  }
  return result;
}

Result<void> check_copy(convoy_handle handle, const void* to, const void* from, std::int64_t bytes) {
  if (handle == nullptr) return null_argument("handle");
  if (bytes < 0) return fail(ErrorCode::invalid_argument, "bytes is negative");
  if (to == nullptr && bytes > 0) return null_argument("to");
  if (from == nullptr && bytes > 0) return null_argument("from");
  return {};
}

// Callers answer with any number.
Result<void> run_external(decltype(convoy_external::run) run, void* context, void* output) {
  std::array<char, 1024> message{};
  const int status = number_of(run(context, output, message.data(), message.size()));
  if (status == CONVOY_SUCCESS) return {};
  message.back() = '\0';
  const bool known = status > CONVOY_SUCCESS && status <= CONVOY_INTERRUPTED;
  return fail(known ? static_cast<ErrorCode>(status) : ErrorCode::device, message.data());
}

Result<External> external_of(const convoy_external& external) {
  if (external.id == nullptr) return null_argument("external->id");
  if (external.library == nullptr) return null_argument("external->library");
  if (external.run == nullptr) return null_argument("external->run");
  if (!is_one_of_the_first(external.tier, CONVOY_TIER_REFERENCE))
    return fail(ErrorCode::invalid_argument, "external->tier is no convoy_tier");
  External copy;
  copy.id = external.id;
  copy.library = external.library;
  copy.stand_in = external.stand_in == nullptr ? "" : external.stand_in;
  copy.tier = static_cast<Tier>(external.tier);
  copy.allowance = external.allowance;
  copy.run = [run = external.run](void* context, void* output) { return run_external(run, context, output); };
  return copy;
}

nlohmann::json statistics_to_json(const Statistics& statistics) {
  nlohmann::json tiers;
  for (std::size_t i = 0; i < k_tiers; ++i)
    tiers[std::string(to_string(static_cast<Tier>(i)))] = statistics.calls_per_tier[i];
  nlohmann::json problems = nlohmann::json::array();
  for (const ProblemStatistics& one : statistics.per_problem) {
    nlohmann::json attempts = nlohmann::json::array();
    for (const Attempt& attempt : one.attempts) {
      attempts.push_back({{"solver", attempt.solver},
                          {"tier", to_string(attempt.tier)},
                          {"outcome", to_string(attempt.outcome)},
                          {"reason", attempt.reason},
                          {"ms", attempt.milliseconds},
                          {"child", attempt.in_child}});
    }
    problems.push_back({{"problem", one.problem},
                        {"solver", one.solver},
                        {"tier", to_string(one.tier)},
                        {"detail", one.detail},
                        {"calls", one.calls},
                        {"attempts", std::move(attempts)}});
  }
  return {{"problems", statistics.problems},
          {"calls", statistics.calls},
          {"calls_per_tier", tiers},
          {"fallbacks", statistics.fallbacks},
          {"causes", statistics.causes},
          {"quarantined", statistics.quarantined},
          {"children_started", statistics.children_started},
          {"kernels",
           {{"compiled", statistics.kernels.compiled},
            {"from_cache", statistics.kernels.from_cache},
            {"compile_ms", statistics.kernels.compile_ms}}},
          {"untuned", statistics.untuned},
          {"per_problem", std::move(problems)}};
}

}  // namespace
}  // namespace convoy

using convoy::ErrorCode;
using convoy::Result;

extern "C" {

const char* convoy_version(void) {
  return CONVOY_VERSION;
}

const char* convoy_status_name(convoy_status status) {
  switch (convoy::number_of(status)) {
    case CONVOY_SUCCESS: return "CONVOY_SUCCESS";
    case CONVOY_INVALID_ARGUMENT: return "CONVOY_INVALID_ARGUMENT";
    case CONVOY_UNSUPPORTED: return "CONVOY_UNSUPPORTED";
    case CONVOY_OUT_OF_MEMORY: return "CONVOY_OUT_OF_MEMORY";
    case CONVOY_IO: return "CONVOY_IO";
    case CONVOY_DEVICE: return "CONVOY_DEVICE";
    case CONVOY_INTERNAL: return "CONVOY_INTERNAL";
    case CONVOY_INTERRUPTED: return "CONVOY_INTERRUPTED";
  }
  return "unknown convoy_status";
}

const char* convoy_last_error(void) {
  return convoy::g_last_error.text();
}

convoy_status convoy_set_log(convoy_log_callback callback, void* user, int level) {
  return convoy::guarded([&]() -> Result<void> {
    if (callback != nullptr && (level < 0 || level > 7))
      return convoy::fail(ErrorCode::invalid_argument, "level must be 1 to 7, or 0 for what the settings say");
    if (callback == nullptr) {
      convoy::set_log_sink({}, convoy::LogLevel::quiet);
      return {};
    }
    const auto wanted = level > 0 ? static_cast<convoy::LogLevel>(level)
                                  : convoy::log_level_of(convoy::Settings::load(), convoy::LogLevel::quiet);
    convoy::set_log_sink(
        [callback, user](convoy::LogLevel line_level, std::string_view text) {
          callback(static_cast<int>(line_level), std::string(text).c_str(), user);
        },
        wanted);
    return {};
  });
}

convoy_status convoy_create(convoy_handle* handle, const char* device, const char* const* settings) {
  return convoy::guarded([&]() -> Result<void> {
    if (handle == nullptr) return convoy::null_argument("handle");
    *handle = nullptr;
    convoy::Settings loaded = convoy::Settings::load();
    for (const std::string& problem : loaded.problems()) convoy::log_once(convoy::LogLevel::warning, problem);
    CONVOY_CHECK(convoy::apply_settings(loaded, settings));
    CONVOY_TRY(auto dispatcher, convoy::Dispatcher::create(loaded, device == nullptr ? "auto" : device));
    *handle = new convoy_handle_s{std::move(dispatcher), {}, {}};
    return {};
  });
}

void convoy_destroy(convoy_handle handle) {
  delete handle;
}

const char* convoy_device_name(convoy_handle handle) {
  return handle == nullptr ? "" : handle->dispatcher->context().device().info().name.c_str();
}

convoy_status convoy_allocate(convoy_handle handle, int64_t bytes, void** memory) {
  return convoy::guarded([&]() -> Result<void> {
    if (handle == nullptr) return convoy::null_argument("handle");
    if (memory == nullptr) return convoy::null_argument("memory");
    *memory = nullptr;
    if (bytes < 0) return convoy::fail(ErrorCode::invalid_argument, "bytes is negative");
    CONVOY_TRY(convoy::DeviceBuffer buffer, handle->dispatcher->context().device().allocate(bytes));
    const std::lock_guard lock(handle->mutex);
    *memory = buffer.data();
    handle->memory[*memory] = std::move(buffer);
    return {};
  });
}

void convoy_free(convoy_handle handle, void* memory) {
  if (handle == nullptr || memory == nullptr) return;
  convoy::DeviceBuffer freed;  // after the lock: the device may wait for its work
  const std::lock_guard lock(handle->mutex);
  const auto found = handle->memory.find(memory);
  if (found == handle->memory.end()) return;
  freed = std::move(found->second);
  handle->memory.erase(found);
}

convoy_status convoy_upload(convoy_handle handle, void* to, const void* from, int64_t bytes, void* stream) {
  return convoy::guarded([&]() -> Result<void> {
    CONVOY_CHECK(convoy::check_copy(handle, to, from, bytes));
    return handle->dispatcher->context().device().upload(to, from, bytes, stream);
  });
}

convoy_status convoy_download(convoy_handle handle, void* to, const void* from, int64_t bytes, void* stream) {
  return convoy::guarded([&]() -> Result<void> {
    CONVOY_CHECK(convoy::check_copy(handle, to, from, bytes));
    return handle->dispatcher->context().device().download(to, from, bytes, stream);
  });
}

convoy_status convoy_synchronize(convoy_handle handle, void* stream) {
  return convoy::guarded([&]() -> Result<void> {
    if (handle == nullptr) return convoy::null_argument("handle");
    return handle->dispatcher->context().device().synchronize(stream);
  });
}

convoy_problem_desc convoy_problem_desc_default(void) {
  convoy_problem_desc desc{};
  desc.rank = 2;
  desc.n = desc.c = desc.k = desc.groups = 1;
  for (int i = 0; i < CONVOY_MAX_RANK; ++i) desc.in[i] = desc.filter[i] = desc.stride[i] = desc.dilation[i] = 1;
  return desc;
}

convoy_status convoy_problem_create(convoy_problem* problem, const convoy_problem_desc* desc) {
  return convoy::guarded([&]() -> Result<void> {
    if (problem == nullptr) return convoy::null_argument("problem");
    *problem = nullptr;
    if (desc == nullptr) return convoy::null_argument("desc");
    return convoy::make_problem(problem, convoy::problem_of(*desc));
  });
}

convoy_status convoy_problem_parse(convoy_problem* problem, const char* text) {
  return convoy::guarded([&]() -> Result<void> {
    if (problem == nullptr) return convoy::null_argument("problem");
    *problem = nullptr;
    if (text == nullptr) return convoy::null_argument("text");
    return convoy::make_problem(problem, convoy::parse_problem(text));
  });
}

void convoy_problem_destroy(convoy_problem problem) {
  delete problem;
}

const char* convoy_problem_string(convoy_problem problem) {
  return problem == nullptr ? "" : problem->text.c_str();
}

convoy_status convoy_problem_sizes(convoy_problem problem, convoy_tensor tensor, int64_t* sizes) {
  return convoy::guarded([&]() -> Result<void> {
    if (problem == nullptr) return convoy::null_argument("problem");
    if (sizes == nullptr) return convoy::null_argument("sizes");
    if (!convoy::is_one_of_the_first(tensor, CONVOY_Y))
      return convoy::fail(ErrorCode::invalid_argument, "tensor is no convoy_tensor");
    const convoy::Dims dims = problem->problem.dims(static_cast<convoy::TensorRole>(tensor));
    std::copy_n(dims.begin(), 2 + problem->problem.rank, sizes);
    return {};
  });
}

int64_t convoy_problem_bytes(convoy_problem problem, convoy_tensor tensor) {
  if (problem == nullptr || !convoy::is_one_of_the_first(tensor, CONVOY_Y)) return 0;
  return problem->problem.bytes(static_cast<convoy::TensorRole>(tensor));
}

convoy_status convoy_plan_create(convoy_plan* plan, convoy_handle handle, convoy_problem problem) {
  return convoy::guarded([&]() -> Result<void> {
    if (plan == nullptr) return convoy::null_argument("plan");
    *plan = nullptr;
    if (handle == nullptr) return convoy::null_argument("handle");
    if (problem == nullptr) return convoy::null_argument("problem");
    CONVOY_TRY(auto convolution, handle->dispatcher->convolution(problem->problem));
    *plan = new convoy_plan_s{std::move(convolution)};
    return {};
  });
}

convoy_status convoy_plan_create_external(convoy_plan* plan, convoy_handle handle, convoy_problem problem,
                                          const convoy_external* external) {
  return convoy::guarded([&]() -> Result<void> {
    if (plan == nullptr) return convoy::null_argument("plan");
    *plan = nullptr;
    if (handle == nullptr) return convoy::null_argument("handle");
    if (problem == nullptr) return convoy::null_argument("problem");
    if (external == nullptr) return convoy::null_argument("external");
    CONVOY_TRY(convoy::External copy, convoy::external_of(*external));
    CONVOY_TRY(auto convolution, handle->dispatcher->convolution(problem->problem, std::move(copy)));
    *plan = new convoy_plan_s{std::move(convolution)};
    return {};
  });
}

int convoy_plan_claim(convoy_plan plan) {
  return plan != nullptr && plan->convolution->claim() ? 1 : 0;
}

void convoy_plan_destroy(convoy_plan plan) {
  delete plan;
}

convoy_status convoy_plan_prepare(convoy_plan plan) {
  return convoy::guarded([&]() -> Result<void> {
    if (plan == nullptr) return convoy::null_argument("plan");
    return plan->convolution->prepare();
  });
}

int64_t convoy_plan_workspace_bytes(convoy_plan plan) {
  return plan == nullptr ? 0 : plan->convolution->workspace_bytes();
}

const char* convoy_plan_solver(convoy_plan plan) {
  thread_local std::string name;
  if (plan == nullptr) return "";
  return convoy::guarded([&]() -> Result<void> {
           name = plan->convolution->report().solver;
           return {};
         }) == CONVOY_SUCCESS
             ? name.c_str()
             : "";
}

convoy_tier convoy_plan_tier(convoy_plan plan) {
  auto tier = CONVOY_TIER_REFERENCE;
  if (plan == nullptr) return tier;
  convoy::guarded([&]() -> Result<void> {
    tier = static_cast<convoy_tier>(plan->convolution->report().tier);
    return {};
  });
  return tier;
}

convoy_status convoy_run(convoy_plan plan, void* x, void* w, void* y, void* workspace, int64_t workspace_bytes) {
  return convoy::guarded([&]() -> Result<void> {
    if (plan == nullptr) return convoy::null_argument("plan");
    const convoy::Tensors tensors{x, w, y};
    CONVOY_CHECK(convoy::check_tensors(plan->convolution->problem(), tensors));
    auto result = plan->convolution->run(tensors, workspace, workspace_bytes);
    if (result) result = plan->convolution->device().synchronize(nullptr);
    return convoy::with_hint(std::move(result), *plan->convolution);
  });
}

convoy_status convoy_enqueue(convoy_plan plan, const convoy_call* call) {
  return convoy::guarded([&]() -> Result<void> {
    if (plan == nullptr) return convoy::null_argument("plan");
    if (call == nullptr) return convoy::null_argument("call");
    const convoy::Problem& problem = plan->convolution->problem();
    if (call->bias != nullptr && problem.direction == convoy::Direction::backward_weights)
      return convoy::fail(ErrorCode::invalid_argument, "a gradient of weights has no bias");
    const convoy::Tensors tensors{call->x, call->w, call->y, call->bias, call->stream, call->context};
    CONVOY_CHECK(convoy::check_tensors(problem, tensors));
    auto result = plan->convolution->run(tensors, call->workspace, call->workspace_bytes);
    return convoy::with_hint(std::move(result), *plan->convolution);
  });
}

convoy_status convoy_get_statistics(convoy_handle handle, convoy_statistics* statistics) {
  return convoy::guarded([&]() -> Result<void> {
    if (handle == nullptr) return convoy::null_argument("handle");
    if (statistics == nullptr) return convoy::null_argument("statistics");
    const convoy::Statistics sum = handle->dispatcher->statistics();
    *statistics = {};
    statistics->problems = sum.problems;
    statistics->calls = sum.calls;
    std::copy(sum.calls_per_tier.begin(), sum.calls_per_tier.end(), statistics->calls_per_tier);
    std::copy(sum.problems_per_tier.begin(), sum.problems_per_tier.end(), statistics->problems_per_tier);
    statistics->fallbacks = sum.fallbacks;
    for (const auto& [solver, count] : sum.quarantined) statistics->quarantined += count;
    statistics->children_started = sum.children_started;
    return {};
  });
}

convoy_status convoy_statistics_json(convoy_handle handle, char* buffer, size_t capacity, size_t* needed) {
  return convoy::guarded([&]() -> Result<void> {
    if (handle == nullptr) return convoy::null_argument("handle");
    if (needed == nullptr) return convoy::null_argument("needed");
    const std::string text = convoy::statistics_to_json(handle->dispatcher->statistics())
                                 .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    *needed = text.size() + 1;
    if (buffer == nullptr || capacity < *needed) {
      return convoy::fail(ErrorCode::invalid_argument, "the buffer is smaller than *needed");
    }
    std::memcpy(buffer, text.c_str(), *needed);
    return {};
  });
}

}  // extern "C"
