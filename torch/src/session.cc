// Implementation of session.h.
#include "session.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "devices.h"

namespace convoy::pytorch {
namespace {

// How far PyTorch's path may be from the sum of products, beside rounding, in units of a mean element (numbers.h in the engine's
// sources). cuDNN's Winograd and Fourier kernels, which PyTorch takes in f32 without TF32, too, are off by up to 2.8e-2 on gradients of
// 5x5 filters (measured on an H200, cuDNN 9.19); TF32 and f16 add less. Kernels that are wrong are off by about 1.
constexpr double k_gpu = 0x1p-5;
// oneDNN that was allowed to compute f32 in bf16.
constexpr double k_cpu_in_bf16 = 0x1p-4;

double allowance_for(const Request& request) {
  if (request.dtype == CONVOY_F64) return 0;
  if (request.device_type != static_cast<std::int64_t>(at::kCPU)) return k_gpu;
  const bool in_bf16 = request.dtype == CONVOY_F32 && (request.switches & k_coarse_elsewhere) != 0;
  return in_bf16 ? k_cpu_in_bf16 : 0;
}

// Everything that changes what PyTorch computes with.
std::string library_name(const Request& request) {
  const auto type = static_cast<at::DeviceType>(request.device_type);
  std::string name = library_of(type);
  const auto add = [&name, &request](std::int64_t which, bool if_set, const char* word) {
    if (((request.switches & which) != 0) == if_set) name += word;
  };
  if (type == at::kCPU) {
    add(k_mkldnn, false, " without mkldnn");
  } else {
    add(k_cudnn_enabled, false, " switched off");
    add(k_benchmark, true, " benchmark");
    if (request.dtype == CONVOY_F32) add(k_allow_tf32, true, " tf32");
  }
  if (request.dtype == CONVOY_F32) add(k_coarse_elsewhere, true, " coarse");
  add(k_deterministic, true, " deterministic");
  return name;
}

// Who a child tries in the place of PyTorch's path. On the CPU that is a oneDNN of our own, not PyTorch's: it hangs where that one does
// at best. On ROCm it is the very file, but PyTorch computes f64 without it.
const char* stand_in_of(const Request& request) {
  if (request.device_type == static_cast<std::int64_t>(at::kCPU)) return "onednn";
  const bool by_miopen = is_rocm() && (request.switches & k_cudnn_enabled) != 0 && request.dtype != CONVOY_F64;
  return by_miopen ? "miopen" : nullptr;
}

// PyTorch refuses on purpose: nothing is broken.
bool is_refusal(const char* message) {
  const std::string_view text = message;
  return text.find("not implemented for") != std::string_view::npos ||
         text.find("does not have a deterministic implementation") != std::string_view::npos;
}

void say(char* message, std::size_t capacity, const char* text) {
  std::snprintf(message, capacity, "%s", text);
}

// convoy_external.run: exceptions end here.
convoy_status run_plain(void* context, void* output, char* message, std::size_t capacity) {
  auto& plain = *static_cast<PlainCall*>(context);
  try {
    if (plain.failed_already) {
      plain.failed_already = false;
      std::rethrow_exception(plain.thrown);
    }
    plain.result = compute_with_retry(plain);
    if (output != nullptr) plain.output.copy_(plain.result);
    return CONVOY_SUCCESS;
  } catch (const c10::OutOfMemoryError& error) {
    plain.thrown = std::current_exception();
    say(message, capacity, error.what_without_backtrace());
    return CONVOY_OUT_OF_MEMORY;
  } catch (const c10::Error& error) {
    plain.thrown = std::current_exception();
    say(message, capacity, error.what_without_backtrace());
    if (is_refusal(error.what_without_backtrace())) return CONVOY_UNSUPPORTED;
  } catch (const std::exception& error) {
    plain.thrown = std::current_exception();
    say(message, capacity, error.what());
  } catch (...) {
    plain.thrown = std::current_exception();
    say(message, capacity, "an exception of no known type");
  }
  return CONVOY_DEVICE;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

nlohmann::json statistics_of(convoy_handle handle) {
  std::size_t needed = 0;
  engine()->convoy_statistics_json(handle, nullptr, 0, &needed);
  std::string text(needed, '\0');
  // Another thread may have added a problem meanwhile.
  while (engine()->convoy_statistics_json(handle, text.data(), text.size(), &needed) != CONVOY_SUCCESS) {
    if (needed <= text.size()) return nullptr;
    text.resize(needed);
  }
  return nlohmann::json::parse(text.c_str(), nullptr, false);
}

}  // namespace

at::Tensor PlainCall::compute() const {
  if (gradients == nullptr) return plain_forward(call, *bias);
  auto all = plain_backward(call, *gradients);
  return gradients->mask[0] ? std::move(std::get<0>(all)) : std::move(std::get<1>(all));
}

at::Tensor compute_with_retry(PlainCall& plain) {
  try {
    return plain.compute();
  } catch (const c10::OutOfMemoryError&) {
  }
  // Outside the handler, so that what the exception holds is gone.
  if (plain.retries != nullptr) ++*plain.retries;
  empty_cache(plain.call.input.device());
  return plain.compute();
}

Served::Served(const Request& request, convoy_handle handle) : request_(request), handle_(handle) {
  const convoy_problem_desc desc = problem_of(request_, CONVOY_FORWARD);
  convoy_problem problem = nullptr;
  if (engine()->convoy_problem_create(&problem, &desc) != CONVOY_SUCCESS) return;
  output_sizes_.resize(static_cast<std::size_t>(2 + request.rank));
  engine()->convoy_problem_sizes(problem, CONVOY_Y, output_sizes_.data());
  engine()->convoy_problem_destroy(problem);
}

convoy_plan Served::plan(convoy_direction direction) {
  if (output_sizes_.empty()) return nullptr;
  auto& slot = plans_[direction];
  if (convoy_plan made = slot.load(std::memory_order_acquire)) return made;
  const std::lock_guard lock(mutex_);
  if (tried_[direction]) return slot.load(std::memory_order_acquire);
  tried_[direction] = true;
  const convoy_problem_desc desc = problem_of(request_, direction);
  convoy_problem problem = nullptr;
  if (engine()->convoy_problem_create(&problem, &desc) != CONVOY_SUCCESS) return nullptr;
  const std::string library = library_name(request_);
  const bool on_cpu = request_.device_type == static_cast<std::int64_t>(at::kCPU);
  const bool vendor = on_cpu || (request_.switches & k_cudnn_enabled) != 0;
  convoy_external external{};
  external.id = "torch";
  external.library = library.c_str();
  external.stand_in = stand_in_of(request_);
  // Without cuDNN or MIOpen PyTorch unrolls images into matrices, which is slower than kernels of our own.
  external.tier = vendor ? CONVOY_TIER_VENDOR : CONVOY_TIER_GENERIC;
  external.allowance = allowance_for(request_);
  external.run = run_plain;
  convoy_plan made = nullptr;
  if (engine()->convoy_plan_create_external(&made, handle_, problem, &external) != CONVOY_SUCCESS) made = nullptr;
  engine()->convoy_problem_destroy(problem);
  slot.store(made, std::memory_order_release);
  return made;
}

std::string Served::problem(convoy_direction direction) const {
  const convoy_problem_desc desc = problem_of(request_, direction);
  convoy_problem problem = nullptr;
  if (engine()->convoy_problem_create(&problem, &desc) != CONVOY_SUCCESS) return "";
  std::string text = engine()->convoy_problem_string(problem);
  engine()->convoy_problem_destroy(problem);
  return text;
}

bool Session::says(const char* setting) const {
  const auto lines = lines_of(settings_);
  return std::any_of(lines.begin(), lines.end(), [setting](const std::string& line) { return line == setting; });
}

convoy_handle Session::open(const HandleKey& key, std::string& error) const {
  std::vector<std::string> texts = lines_of(settings_);
  if (key.deterministic) texts.push_back("deterministic=yes");
  if (key.without_vendor) texts.insert(texts.end(), {"strategy=selective", "size_threshold=0"});
  std::vector<const char*> settings;
  for (const std::string& text : texts) settings.push_back(text.c_str());
  settings.push_back(nullptr);
  convoy_handle handle = nullptr;
  if (engine()->convoy_create(&handle, key.device.c_str(), settings.data()) == CONVOY_SUCCESS) return handle;
  error = engine()->convoy_last_error();
  return nullptr;
}

bool Session::check(std::string& error) {
  const HandleKey key{"cpu", false, false};
  const std::lock_guard lock(mutex_);
  if (handles_.count(key) != 0) return true;
  const convoy_handle opened = open(key, error);
  if (opened != nullptr) handles_[key] = opened;
  return opened != nullptr;
}

// A user who has switched cuDNN or MIOpen off gets neither, unless the strategy asks for nothing else.
Session::HandleKey Session::key_of(const Request& request) const {
  const auto type = static_cast<at::DeviceType>(request.device_type);
  const bool off = type != at::kCPU && (request.switches & k_cudnn_enabled) == 0;
  return {engine_device(type, request.device_index), (request.switches & k_deterministic) != 0,
          off && !says("strategy=vendor") && !says("strategy=cpu")};
}

convoy_handle Session::handle(const HandleKey& key) {
  const std::lock_guard lock(mutex_);
  const auto [slot, is_new] = handles_.try_emplace(key, nullptr);
  std::string error;
  if (is_new) slot->second = open(key, error);
  if (is_new && slot->second == nullptr)
    std::fprintf(stderr, "convoy: %s; PyTorch's convolutions on it are left as they are\n", error.c_str());
  return slot->second;
}

Served* Session::find(const Call& call, const OptionalTensor& bias) {
  const ReadRequest read = read_request(call, bias);
  if (!read.request) {
    count_handed_through(read.refusal);
    return nullptr;
  }
  {
    const std::shared_lock lock(table_mutex_);
    if (const auto found = table_.find(*read.request); found != table_.end()) return found->second.get();
  }
  const convoy_handle opened = handle(key_of(*read.request));
  const std::unique_lock lock(table_mutex_);
  auto& slot = table_[*read.request];
  if (!slot && opened != nullptr) slot = std::make_unique<Served>(*read.request, opened);
  return slot.get();
}

Served* Session::find_known(const Call& call) const {
  const ReadRequest read = read_request(call, {});
  if (!read.request) return nullptr;
  const std::shared_lock lock(table_mutex_);
  const auto found = table_.find(*read.request);
  return found == table_.end() ? nullptr : found->second.get();
}

void Session::count_layer(std::int64_t layer, const Served& served) {
  const std::lock_guard lock(mutex_);
  ++layers_[layer][&served];
}

void Session::count_handed_through(const char* reason) {
  const std::lock_guard lock(mutex_);
  ++handed_through_[reason];
}

std::string Session::statistics(bool enabled) const {
  using Json = nlohmann::json;
  const std::lock_guard lock(mutex_);
  Json devices = Json::array();
  for (const auto& [key, handle] : handles_) {
    if (handle == nullptr) continue;
    devices.push_back({{"device", key.device},
                       {"deterministic", key.deterministic},
                       {"cudnn_off", key.without_vendor},
                       {"statistics", statistics_of(handle)}});
  }
  Json layers = Json::object();
  for (const auto& [layer, counts] : layers_) {
    Json problems = Json::object();
    std::int64_t forwards = 0;
    for (const auto& [served, count] : counts) {
      forwards += count;
      const Request& request = served->request();
      const auto type = static_cast<at::DeviceType>(request.device_type);
      problems[served->problem(CONVOY_FORWARD)] = {{"device", engine_device(type, request.device_index)},
                                                   {"calls", count},
                                                   {"backward_data", served->problem(CONVOY_BACKWARD_DATA)},
                                                   {"backward_weights", served->problem(CONVOY_BACKWARD_WEIGHTS)}};
    }
    layers[std::to_string(layer)] = {{"forwards", forwards}, {"problems", std::move(problems)}};
  }
  const Json all{{"enabled", enabled},
                 {"torch", TORCH_VERSION},
                 {"calls", {{"forward", forward_calls.load()}, {"backward", backward_calls.load()}}},
                 {"handed_through", handed_through_},
                 {"retries_after_empty_cache", retries.load()},
                 {"devices", std::move(devices)},
                 {"layers", std::move(layers)}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Session::reset_counts() {
  forward_calls = backward_calls = retries = 0;
  const std::lock_guard lock(mutex_);
  handed_through_.clear();
  layers_.clear();
}

}  // namespace convoy::pytorch
