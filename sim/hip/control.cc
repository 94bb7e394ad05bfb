// convoy_sim_configure() and convoy_sim_report(), and the answer of everything that is exported but not emulated.
#include "sim/hip/convoy_sim.h"

#include "sim/hip/runtime.h"
#include "sim/hip/symbols.h"

namespace convoy::hip {

int answer_unsupported(const char* name) {
  return static_cast<int>(call(name, k_needs_nothing, [&](Runtime& runtime) {
    runtime.note(std::string(name) + " is not simulated");
    return Error::not_supported;
  }));
}

}  // namespace convoy::hip

extern "C" __attribute__((visibility("default"))) int convoy_sim_configure(const char* text) {
  convoy::hip::Runtime& runtime = convoy::hip::Runtime::instance();
  std::lock_guard lock(runtime.mutex);
  std::string wrong = runtime.configure(text == nullptr ? "" : text);
  if (wrong.empty()) return 0;
  runtime.note(wrong);
  return -1;
}

extern "C" __attribute__((visibility("default"))) const char* convoy_sim_report() {
  convoy::hip::Runtime& runtime = convoy::hip::Runtime::instance();
  std::lock_guard lock(runtime.mutex);
  thread_local std::string text;
  text = runtime.report();
  return text.c_str();
}
