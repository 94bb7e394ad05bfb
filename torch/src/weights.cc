// Implementation of weights.h.
#include "weights.h"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace convoy::pytorch {
namespace {

using Strong = c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;
using Weak = c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

struct Weights {
  std::shared_mutex mutex;
  // No other tensor can have an address while a weak reference holds it.
  std::unordered_map<const at::TensorImpl*, Weak> alive;
  std::atomic<std::size_t> count{0};  // of `alive`, to be read without the lock
};

// Never freed: threads of the program may outlive main().
std::atomic<Weights*> g_weights{nullptr};

// Nobody changes the table while the process forks, so the child finds it whole; the lock stays as other threads had it, and is
// left behind.
void before_fork() {
  g_weights.load()->mutex.lock_shared();
}

void after_fork_in_parent() {
  g_weights.load()->mutex.unlock_shared();
}

void after_fork_in_child() {
  auto* fresh = new Weights;
  fresh->alive.swap(g_weights.load()->alive);
  fresh->count = fresh->alive.size();
  g_weights = fresh;
}

Weights& weights() {
  static const bool once = [] {
    g_weights = new Weights;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    return true;
  }();
  static_cast<void>(once);
  return *g_weights.load(std::memory_order_acquire);
}

// Entries of tensors that are gone.
void sweep(Weights& all) {
  for (auto entry = all.alive.begin(); entry != all.alive.end();)
    entry = entry->second.expired() ? all.alive.erase(entry) : std::next(entry);
}

}  // namespace

void serve_weight(at::TensorImpl* weight) {
  Weights& all = weights();
  const std::unique_lock lock(all.mutex);
  sweep(all);
  all.alive.try_emplace(weight, Strong::unsafe_reclaim_from_nonowning(weight));
  all.count = all.alive.size();
}

void forget_weight(const at::TensorImpl* weight) {
  Weights& all = weights();
  const std::unique_lock lock(all.mutex);
  all.alive.erase(weight);
  all.count = all.alive.size();
}

bool is_served_weight(const at::Tensor& weight) {
  Weights* const all = g_weights.load(std::memory_order_acquire);
  if (all == nullptr || all->count.load(std::memory_order_relaxed) == 0) return false;
  const std::shared_lock lock(all->mutex);
  return all->alive.count(weight.unsafeGetTensorImpl()) != 0;
}

}  // namespace convoy::pytorch
