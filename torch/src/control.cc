// Implementation of convoy/torch_c.h and active.h.
#include "convoy/torch_c.h"

#include <pthread.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "active.h"
#include "devices.h"
#include "weights.h"

namespace convoy::pytorch {
namespace {

struct Control {
  std::mutex mutex;  // guards `sessions` and `settings`
  std::map<std::string, std::unique_ptr<Session>> sessions;
  std::string settings;
  std::atomic<Session*> session{nullptr};  // of the last enable() or enter()
  std::atomic<bool> enabled{false};
};

std::atomic<Control*> g_control{nullptr};

// A forked child has none of its parent's threads, and its locks as they were: it begins anew with the same settings. The
// former object is left as it is.
void after_fork_in_child() {
  const Control* const former = g_control.load();
  if (former == nullptr) return;
  auto* fresh = new Control;
  // Nobody changes the settings while another thread forks, or this copy may be half of two.
  fresh->settings = former->settings;
  fresh->enabled = former->enabled.load();
  if (former->session.load() != nullptr) {
    auto session = std::make_unique<Session>(fresh->settings);
    fresh->session = session.get();
    fresh->sessions.emplace(fresh->settings, std::move(session));
  }
  g_control = fresh;
}

// Never freed: threads of the program may outlive main().
Control& control() {
  static const bool once = [] {
    g_control = new Control;
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    return true;
  }();
  static_cast<void>(once);
  return *g_control.load(std::memory_order_acquire);
}

thread_local std::vector<std::int64_t> t_layers;
thread_local Scope t_scope;
thread_local std::string t_last_error;

bool fail(const std::string& why) {
  t_last_error = why;
  return false;
}

// Makes the session of these settings the current one.
bool use_settings(const std::string& settings) {
  if (engine() == nullptr) return fail(engine_failure());
  Control& all = control();
  const std::lock_guard lock(all.mutex);
  auto& slot = all.sessions[settings];
  if (!slot) {
    auto session = std::make_unique<Session>(settings);
    std::string error;
    if (!session->check(error)) {
      all.sessions.erase(settings);
      return fail(error);
    }
    slot = std::move(session);
  }
  register_kernels();
  all.settings = settings;
  all.session = slot.get();
  return true;
}

// A scope or a weight before any enable(): with what files and environment say.
bool use_some_settings() {
  return control().session.load() != nullptr || use_settings("");
}

template <typename Body>
bool guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("an exception of no known type");
  }
}

}  // namespace

const Scope& current_scope() {
  return t_scope;
}

Session* session_for_forward(bool asked_for) {
  const Control* all = g_control.load(std::memory_order_acquire);
  if (all == nullptr) return nullptr;
  return asked_for || all->enabled.load(std::memory_order_relaxed) ? all->session.load() : nullptr;
}

GradientSession session_for_gradients() {
  const Control* all = g_control.load(std::memory_order_acquire);
  if (all == nullptr) return {};
  return {all->session.load(), !all->enabled.load(std::memory_order_relaxed) && t_scope.depth == 0};
}

}  // namespace convoy::pytorch

using namespace convoy::pytorch;

const char* convoy_torch_version() {
  return CONVOY_VERSION;
}

const char* convoy_torch_built_for() {
  return TORCH_VERSION;
}

int convoy_torch_enable(const char* settings) {
  return guarded([&] {
    if (!use_settings(settings == nullptr ? "" : settings)) return false;
    control().enabled = true;
    return true;
  })
             ? 0
             : 1;
}

void convoy_torch_disable() {
  control().enabled = false;
}

int convoy_torch_is_enabled() {
  return control().enabled ? 1 : 0;
}

const char* convoy_torch_settings() {
  thread_local std::string copy;
  Control& all = control();
  const std::lock_guard lock(all.mutex);
  copy = all.settings;
  return copy.c_str();
}

int convoy_torch_enter(long long layer) {
  ++t_scope.depth;
  t_layers.push_back(t_scope.layer);
  if (layer >= 0) t_scope.layer = layer;
  return guarded(use_some_settings) ? 0 : 1;
}

void convoy_torch_leave() {
  if (t_scope.depth == 0) return;
  --t_scope.depth;
  t_scope.layer = t_layers.back();
  t_layers.pop_back();
}

int convoy_torch_serve_weight(void* tensor_impl) {
  return guarded([tensor_impl] {
    if (!use_some_settings()) return false;
    serve_weight(static_cast<at::TensorImpl*>(tensor_impl));
    return true;
  })
             ? 0
             : 1;
}

void convoy_torch_forget_weight(void* tensor_impl) {
  forget_weight(static_cast<at::TensorImpl*>(tensor_impl));
}

long long convoy_torch_statistics(char* buffer, long long capacity) {
  std::string text;
  guarded([&text] {
    Control& all = control();
    // Of a session as long as it has one: else of what the engine would say of nothing.
    Session* const session = all.session.load();
    Session empty{""};
    text = (session == nullptr ? empty : *session).statistics(all.enabled);
    return true;
  });
  const auto needed = static_cast<long long>(text.size()) + 1;
  if (buffer != nullptr && capacity >= needed) std::memcpy(buffer, text.c_str(), static_cast<std::size_t>(needed));
  return needed;
}

void convoy_torch_reset_statistics() {
  if (Session* session = control().session.load()) session->reset_counts();
}

const char* convoy_torch_last_error() {
  return t_last_error.c_str();
}

void convoy_torch_set_running(const char* version) {
  if (version != nullptr) guarded([version] { return set_running_version(version), true; });
}

void convoy_torch_set_empty_cache(void (*function)(int device)) {
  set_empty_cache(function);
}
