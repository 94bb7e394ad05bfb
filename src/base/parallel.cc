// Implementation of parallel.h: workers draw ranges of `grain` items from a counter, so that uneven pieces
// balance.
#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <sched.h>

namespace convoy {

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

void parallel_for(std::int64_t count, std::int64_t grain, int threads,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t pieces = (count - 1) / grain + 1;
  const std::int64_t wanted = std::min<std::int64_t>(threads > 0 ? threads : available_threads(), pieces);
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&] {
    try {
      for (std::int64_t piece = next++; piece < pieces; piece = next++) {
        body(piece * grain, std::min(count, (piece + 1) * grain));
      }
    } catch (...) {
      next = pieces;
      const std::lock_guard lock(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  std::vector<std::thread> crew;
  crew.reserve(static_cast<std::size_t>(wanted));
  try {
    for (std::int64_t i = 1; i < wanted; ++i) crew.emplace_back(work);
  } catch (const std::exception&) {
    // At the limit of threads or memory the work is done with the threads there are.
  }
  work();
  for (std::thread& thread : crew) thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace convoy
