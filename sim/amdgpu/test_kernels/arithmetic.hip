// The arithmetic test on the GPU: one thread for each set of inputs.
#include "builtins.h"

#include "arithmetic.h"

KERNEL void arithmetic_test(const unsigned* in, unsigned* out, int threads) {
  const int thread = GROUP_X * 128 + THREAD;
  if (thread < threads) arithmetic::compute(in, out, thread, threads);
}
