// Mistakes that must be reported, and their repaired versions.
#include "builtins.h"

// Reads what another wave wrote; with `waits` behind a barrier.
template <bool waits, typename T>
__attribute__((device)) void reverse(const T* in, T* out) {
  SHARED T shared[256];
  const int t = THREAD;
  shared[t] = in[t];
  if (waits) barrier();
  out[t] = shared[255 - t];
}
KERNEL void GROUP_OF(256) reverse_without_barrier(const float* in, float* out) { reverse<false>(in, out); }
KERNEL void GROUP_OF(256) reverse_with_barrier(const float* in, float* out) { reverse<true>(in, out); }
KERNEL void GROUP_OF(256) reverse_halves_without_barrier(const short* in, short* out) { reverse<false>(in, out); }
KERNEL void GROUP_OF(256) reverse_halves_with_barrier(const short* in, short* out) { reverse<true>(in, out); }

// One thread too many.
KERNEL void copy_too_much(const float* in, float* out, int count) {
  const int n = GROUP_X * 64 + THREAD;
  if (n <= count) out[n] = in[n];
}

KERNEL void read_past_lds(float* out, int n) {
  SHARED float shared[64];
  shared[THREAD] = 1;
  barrier();
  out[THREAD] = shared[n];
}

// A sum of differences for video, which all generations have and no compiler makes of C++.
KERNEL void not_modelled(int* out) {
  int x = THREAD;
  asm volatile("v_sad_hi_u8 %0, %0, %0, %0" : "+v"(x));
  out[THREAD] = x;
}
