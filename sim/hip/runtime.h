// The state of the stand-in runtime, and the one way in: every exported function is a call() with its name and a body. call()
// takes the lock, counts, makes planned failures happen, refuses what the state of the card or of a capture forbids, and
// remembers the error for hipGetLastError().
//
// One lock serves all: the simulator is the slow part, and kernels run inside it. It is recursive because a program's host
// function, which runs inside too, may call HIP although it must not; a real runtime does not always hang then either.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "sim/hip/capture.h"
#include "sim/hip/handles.h"
#include "sim/hip/memory.h"
#include "sim/hip/module.h"
#include "sim/hip/settings.h"

#define CONVOY_HIP_EXPORT extern "C" __attribute__((visibility("default")))

namespace convoy::hip {

// What has to hold before a call's body runs.
enum Needs : unsigned {
  k_needs_nothing = 0,
  k_needs_device = 1,
  k_needs_health = 3,        // a device that no kernel has broken
  k_needs_no_capture = 4,    // unsafe while this thread (or, in global mode, any) records, but for relaxed mode
  k_needs_no_recording = 8,  // unsafe while anything records, in every mode: waits for the null stream
};

struct LaunchConfiguration {
  Dim3 grid, block;
  std::size_t shared_bytes;
  Stream* stream;
};

struct ThreadState {
  int device = 0;
  Error last_error = Error::success;
  CaptureMode capture_mode = CaptureMode::global;
  std::vector<LaunchConfiguration> pushed;  // by <<<>>>, until the launch takes it
};

struct Statistics {
  std::map<std::string, std::uint64_t, std::less<>> calls;
  std::uint64_t launches = 0, graph_launches = 0;
  amdgpu::Statistics executed;
  std::uint64_t copied_bytes = 0;
  std::deque<std::string> notes;  // the newest refusals and faults, in words
};

class Runtime {
 public:
  // Never destroyed: programs call HIP from their own static destructors.
  static Runtime& instance();
  static ThreadState& thread();

  Error enter(const char* call, unsigned needs);
  Error leave(Error error);
  // The code with which this call is to fail now, 0 when it is not. Counts the call.
  int count_call(const char* call);

  // Empty, or what is wrong with the text; then nothing has changed.
  std::string configure(std::string_view text);
  std::string report() const;
  // Keeps a sentence for the report; on stderr, too, with log=1.
  void note(const std::string& sentence);
  // A kernel or a copy did what no card survives: `error` stays.
  void break_device(Device& device, Error error, const std::string& sentence);

  DevicePointer current_device() const;
  DevicePointer device(int ordinal) const;  // null: there is none

  std::recursive_mutex mutex;
  Settings settings;
  std::string wrong_settings;  // of the environment; every call fails then
  std::vector<DevicePointer> devices;
  std::vector<std::shared_ptr<Stream>> null_streams;  // of devices, in their order
  Memory memory;
  Handles<Stream> streams;
  Handles<Event> events;
  Handles<Graph> graphs;
  Handles<GraphExec> graph_execs;
  Handles<Module> modules;
  Handles<FatBinary> fat_binaries;
  std::map<const void*, HostSymbol> host_symbols;
  std::set<std::shared_ptr<Capture>> captures;
  std::uint64_t captures_begun = 0;
  Statistics statistics;

 private:
  Runtime();
  void build_machine();
  Error refusal_while_capturing(const char* call, unsigned needs);
};

template <typename Body>
Error call(const char* name, unsigned needs, Body&& body) {
  Runtime& runtime = Runtime::instance();
  std::lock_guard lock(runtime.mutex);
  Error error = runtime.enter(name, needs);
  if (error == Error::success) {
    try {
      error = body(runtime);
    } catch (const std::bad_alloc&) {
      error = Error::out_of_memory;
    } catch (...) {
      error = Error::unknown;
    }
  }
  return runtime.leave(error);
}

}  // namespace convoy::hip
