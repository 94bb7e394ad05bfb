// One pthread_atfork for all registered objects.
#include "store/fork_guard.h"

#include <pthread.h>

#include <mutex>
#include <vector>

namespace convoy {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<ForkAware*> objects;
};

// Never destroyed: a program may fork while its static objects are being destroyed.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

void prepare() {
  registry().mutex.lock();
  for (ForkAware* object : registry().objects) object->before_fork();
}

void resume() {
  for (ForkAware* object : registry().objects) object->after_fork();
  registry().mutex.unlock();
}

}  // namespace

void register_fork_aware(ForkAware& object) {
  static const int registered = ::pthread_atfork(prepare, resume, resume);
  static_cast<void>(registered);  // fails for want of memory only; connections are then given up in the child
  const std::lock_guard lock(registry().mutex);
  registry().objects.push_back(&object);
}

void unregister_fork_aware(ForkAware& object) {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().objects, &object);
}

}  // namespace convoy
