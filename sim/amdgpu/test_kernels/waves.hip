// Exchanges between the lanes of a wave, and atomics. lanes_test.cc says what each result must be.
#include "builtins.h"

#if defined(__AMDGCN_WAVEFRONT_SIZE) && __AMDGCN_WAVEFRONT_SIZE == 64
#define WAVE64 1
#else
#define WAVE64 0
#endif

KERNEL void GROUP_OF(256) exchange_lanes(const int* in, int* out) {
  const int t = THREAD, x = in[t];
  int n = 0;
  const auto put = [&](int value) { out[n++ * 256 + t] = value; };

  int lane = __builtin_amdgcn_mbcnt_lo(~0u, 0);
  if (WAVE64) lane = __builtin_amdgcn_mbcnt_hi(~0u, lane);
  put(lane);
  int sum = x;  // over 32 lanes, by butterflies
  for (int distance = 16; distance; distance >>= 1) sum += __builtin_amdgcn_ds_bpermute((lane ^ distance) << 2, sum);
  put(sum);
  int prefix = x;  // inside rows of 16 lanes
  prefix += __builtin_amdgcn_update_dpp(0, prefix, 0x111, 0xf, 0xf, true);
  put(prefix);
  prefix += __builtin_amdgcn_update_dpp(0, prefix, 0x112, 0xf, 0xf, true);
  put(prefix);
  prefix += __builtin_amdgcn_update_dpp(0, prefix, 0x114, 0xf, 0xf, true);
  prefix += __builtin_amdgcn_update_dpp(0, prefix, 0x118, 0xf, 0xf, true);
  put(prefix);
  put(__builtin_amdgcn_mov_dpp(x, 0xb1, 0xf, 0xf, true));            // quad_perm 1, 0, 3, 2
  put(__builtin_amdgcn_mov_dpp(x, 0x140, 0xf, 0xf, true));           // row_mirror
  put(__builtin_amdgcn_mov_dpp(x, 0x141, 0xf, 0xf, true));           // row_half_mirror
  put(__builtin_amdgcn_update_dpp(-5, x, 0x111, 0xf, 0xf, false));   // row_shr:1, the first lane keeps -5
  put(__builtin_amdgcn_update_dpp(-5, x, 0x121, 0x5, 0xf, false));   // row_ror:1 in every other row
  put(__builtin_amdgcn_readfirstlane(x));
  put(__builtin_amdgcn_readlane(x, 7));
  put(__builtin_popcountll(__builtin_amdgcn_sicmp(x, 50, 38)));      // lanes with x > 50
  put(__builtin_amdgcn_ds_swizzle(x, 0x041f));                       // lane ^ 1
  put(__builtin_amdgcn_ds_swizzle(x, 0x8000 | 0x1b));                // quads backwards
  int first_odd = -1;
  if (x & 1) first_odd = __builtin_amdgcn_readfirstlane(x * 3);
  put(first_odd);

  SHARED int sums[4];
  if (t < 4) sums[t] = 0;
  barrier();
  __atomic_fetch_add(&sums[x & 3], x, __ATOMIC_RELAXED);
  barrier();
  put(sums[t & 3]);
  __atomic_fetch_add(out + n * 256, x, __ATOMIC_RELAXED);
  __atomic_fetch_max(out + n * 256 + 1, x, __ATOMIC_RELAXED);
}

// Private memory indexed at run time, and a call of a real function.
__attribute__((noinline, device)) int fold(const int* values, int count) {
  int sum = 0;
  for (int n = 0; n < count; n++) sum = static_cast<int>(static_cast<unsigned>(sum) * 31u + static_cast<unsigned>(values[(n * 7) % 100]));
  return sum;
}

KERNEL void GROUP_OF(256) call_with_scratch(const int* in, int* out) {
  const int t = THREAD;
  volatile int first[100];
  int second[100];
  for (int n = 0; n < 100; n++) first[n] = in[(t + n) & 255] * n;
  for (int n = 0; n < 100; n++) second[n] = first[(n * 13 + in[t]) % 100];
  out[t] = fold(second, in[t] % 50 + 50) + first[static_cast<unsigned>(in[t]) % 100];
}

// An array in registers, indexed by a number that all lanes share: moves by M0, where the compiler does not prefer selections.
KERNEL void GROUP_OF(256) index_registers(const int* in, int* out) {
  const int t = THREAD, shared = __builtin_amdgcn_readfirstlane(in[0]);
  int array[8];
  for (int n = 0; n < 8; n++) array[n] = in[(t + n) & 255];
#pragma nounroll
  for (int n = 0; n < 20; n++) array[(shared + n) & 7] += array[(shared * n) & 7] * 3 + 1;
  int sum = 0;
  for (int n = 0; n < 8; n++) sum = static_cast<int>(static_cast<unsigned>(sum) * 31u + static_cast<unsigned>(array[n]));
  out[t] = sum;
}
