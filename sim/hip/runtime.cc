// Entry checks, planned failures, the machine and the report.
#include "sim/hip/runtime.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <utility>

#include "sim/hip/queue.h"

namespace convoy::hip {
namespace {

constexpr std::size_t k_most_notes = 50;

// What a call usually fails with, by the start of its name; the first that matches counts.
struct UsualFailure {
  std::string_view prefix;
  int code;
};
constexpr std::array<UsualFailure, 12> k_usual_failures{{
    {"hiprtcCompileProgram", static_cast<int>(RtcResult::compilation)},
    {"hiprtc", static_cast<int>(RtcResult::internal_error)},
    {"hipMalloc", static_cast<int>(Error::out_of_memory)},
    {"hipHostMalloc", static_cast<int>(Error::out_of_memory)},
    {"hipHostAlloc", static_cast<int>(Error::out_of_memory)},
    {"hipExtMalloc", static_cast<int>(Error::out_of_memory)},
    {"hipModuleLoad", static_cast<int>(Error::invalid_image)},
    {"hipModuleLaunch", static_cast<int>(Error::launch_failure)},
    {"hipLaunchKernel", static_cast<int>(Error::launch_failure)},
    {"hipModuleGet", static_cast<int>(Error::not_found)},
    {"hipInit", static_cast<int>(Error::no_device)},
    {"hipGetDeviceCount", static_cast<int>(Error::no_device)},
}};

int usual_failure(std::string_view call) {
  for (const UsualFailure& usual : k_usual_failures) {
    if (call.starts_with(usual.prefix)) return usual.code;
  }
  return static_cast<int>(Error::unknown);
}

void append_line(std::string& text, std::string_view name, std::string_view what, std::uint64_t number) {
  text.append(name).append(what).append(" ").append(std::to_string(number)).append("\n");
}

// The classes are counted with CONVOY_SIM_STATISTICS=1 only.
void append_executed(std::string& text, const amdgpu::Statistics& executed) {
  append_line(text, "wave instructions", "", executed.instructions);
  const std::pair<const char*, std::uint64_t> classes[] = {
      {"valu", executed.valu},
      {"fma", executed.fma},
      {"salu", executed.salu},
      {"smem", executed.smem},
      {"vmem", executed.vmem},
      {"lds", executed.lds},
      {"barrier", executed.barrier},
      {"flops", executed.flops},
      {"lds cycles", executed.lds_cycles},
      {"lds cycles at least", executed.lds_cycles_least},
      {"memory lines", executed.memory_lines},
      {"memory lines at least", executed.memory_lines_least},
  };
  for (const auto& [name, count] : classes) {
    if (count != 0) append_line(text, "executed ", name, count);
  }
}

}  // namespace

Runtime& Runtime::instance() {
  static Runtime* const runtime = new Runtime;
  return *runtime;
}

ThreadState& Runtime::thread() {
  thread_local ThreadState state;
  return state;
}

Runtime::Runtime() : settings(default_settings()) {
  wrong_settings = apply_environment(settings);
  if (!wrong_settings.empty()) {
    // Whoever misspelt a variable has no report to look into.
    std::cerr << "convoy sim: " << wrong_settings << '\n';
    note(wrong_settings);
  }
  build_machine();
}

void Runtime::build_machine() {
  devices.clear();
  null_streams.clear();
  for (const std::string& architecture : settings.devices) {
    int ordinal = static_cast<int>(devices.size());
    devices.push_back(std::make_shared<Device>(ordinal, find_card(architecture), settings.memory));
    null_streams.push_back(std::make_shared<Stream>(devices.back(), 0, 0));
  }
  memory.set_devices(devices);
}

std::string Runtime::configure(std::string_view text) {
  Settings wanted = settings;
  if (std::string wrong = apply_settings(text, wanted); !wrong.empty()) return wrong;
  bool new_machine = wanted.machine != settings.machine;
  // Work that was queued under the old rules runs under them.
  for (const DevicePointer& device : devices) run_device(*this, *device);
  settings = std::move(wanted);
  wrong_settings.clear();
  if (new_machine) build_machine();
  return {};
}

int Runtime::count_call(const char* call) {
  auto counted = statistics.calls.find(std::string_view(call));
  if (counted == statistics.calls.end()) counted = statistics.calls.emplace(call, 0).first;
  ++counted->second;
  int code = 0;
  for (PlannedFailure& failure : settings.failures) {
    if (failure.call != call || failure.calls_left == 0 || --failure.calls_left != 0) continue;
    code = failure.code != 0 ? failure.code : usual_failure(call);
  }
  return code;
}

Error Runtime::enter(const char* call, unsigned needs) {
  int planned = count_call(call);
  if (!wrong_settings.empty()) return Error::not_initialized;
  DevicePointer device = current_device();
  if (planned != 0) {
    Error error{planned};
    if (error == Error::illegal_address && device != nullptr) device->error = error;
    return error;
  }
  if ((needs & k_needs_device) != 0 && device == nullptr) return Error::no_device;
  if ((needs & k_needs_health) == k_needs_health && device->error != Error::success) return device->error;
  return refusal_while_capturing(call, needs);
}

Error Runtime::refusal_while_capturing(const char* call, unsigned needs) {
  if ((needs & (k_needs_no_capture | k_needs_no_recording)) == 0) return Error::success;
  bool in_every_mode = (needs & k_needs_no_recording) != 0;
  CaptureMode own_mode = thread().capture_mode;
  bool refused = false;
  for (const std::shared_ptr<Capture>& capture : captures) {
    bool own = capture->thread == std::this_thread::get_id();
    bool everybodys = capture->mode == CaptureMode::global && own_mode == CaptureMode::global;
    bool guarded = capture->mode != CaptureMode::relaxed && own_mode != CaptureMode::relaxed && (own || everybodys);
    if (!in_every_mode && !guarded) continue;
    capture->invalid = true;
    refused = true;
  }
  if (!refused) return Error::success;
  note(std::string(call) + " is not allowed while a stream is captured; the capture is invalid now");
  return in_every_mode ? Error::capture_implicit : Error::capture_unsupported;
}

Error Runtime::leave(Error error) {
  if (error != Error::success && error != Error::not_ready) thread().last_error = error;
  return error;
}

DevicePointer Runtime::device(int ordinal) const {
  if (ordinal < 0 || static_cast<std::size_t>(ordinal) >= devices.size()) return nullptr;
  return devices[static_cast<std::size_t>(ordinal)];
}

DevicePointer Runtime::current_device() const {
  return device(thread().device);
}

void Runtime::note(const std::string& sentence) {
  statistics.notes.push_back(sentence);
  if (statistics.notes.size() > k_most_notes) statistics.notes.pop_front();
  if (settings.log) std::cerr << "convoy sim: " << sentence << '\n';
}

void Runtime::break_device(Device& device, Error error, const std::string& sentence) {
  if (device.error == Error::success) device.error = error;
  // A real runtime names a kernel's bad access on stderr, too.
  if (!settings.log) std::cerr << "convoy sim: " << sentence << '\n';
  note(sentence);
}

std::string Runtime::report() const {
  std::string text;
  for (const auto& [name, count] : statistics.calls) append_line(text, "call ", name, count);
  append_line(text, "launches", "", statistics.launches);
  append_line(text, "graph launches", "", statistics.graph_launches);
  append_line(text, "copied bytes", "", statistics.copied_bytes);
  append_executed(text, statistics.executed);
  for (const auto& [base, allocation] : memory.all()) {
    if (allocation.kind == MemoryKind::global) continue;
    append_line(text, "leak ", std::string(allocation.call) + " device " + std::to_string(allocation.device->ordinal),
                allocation.bytes);
  }
  append_line(text, "live streams", "", streams.all().size());
  append_line(text, "live events", "", events.all().size());
  append_line(text, "live modules", "", modules.all().size());
  for (const std::string& sentence : statistics.notes) text += "note " + sentence + "\n";
  return text;
}

}  // namespace convoy::hip

namespace {

// With CONVOY_SIM_REPORT: what a process did is known to the one that started it.
__attribute__((destructor)) void write_report() {
  using convoy::hip::Runtime;
  Runtime& runtime = Runtime::instance();
  if (!runtime.settings.report_path.empty()) std::ofstream(runtime.settings.report_path) << runtime.report();
}

}  // namespace
