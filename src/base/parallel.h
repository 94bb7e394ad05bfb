// Runs independent pieces of work on several threads. Own threads rather than OpenMP: the sanitizers see
// every hand-over, and the library adds no second OpenMP team to the host program. Starting threads costs
// some 30 microseconds a call, which only suits work of milliseconds: the reference solver, conversions,
// checks.
#pragma once

#include <cstdint>
#include <functional>

namespace convoy {

// Threads that this process may use: the affinity mask's size, at least 1.
int available_threads();

// Calls body(begin, end) on disjoint ranges that cover [0, count), `grain` items or more each, on up to
// `threads` threads (0: available_threads()). Returns when all are done. `body` must not throw.
void parallel_for(std::int64_t count, std::int64_t grain, int threads,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

}  // namespace convoy
