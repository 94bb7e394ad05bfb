// MFMA of gfx908 and gfx90a: the registers of the results as they are, 64 lanes each.
#include "builtins.h"

typedef float Float4 __attribute__((ext_vector_type(4)));
typedef float Float16 __attribute__((ext_vector_type(16)));
typedef int Int4 __attribute__((ext_vector_type(4)));
typedef _Float16 Half4 __attribute__((ext_vector_type(4)));

KERNEL void GROUP_OF(64) multiply_matrices(const float* a, const float* b, float* out) {
  const int t = THREAD;
  int n = 0;
  const auto put = [&](float value) { out[n++ * 64 + t] = value; };
  const Float4 start = {0, 1, 2, 3};
  const Float4 small = __builtin_amdgcn_mfma_f32_16x16x4f32(a[t], b[t], start, 0, 0, 0);
  for (int r = 0; r < 4; r++) put(small[r]);
  const Float16 large = __builtin_amdgcn_mfma_f32_32x32x2f32(a[t], b[t], Float16(0), 0, 0, 0);
  for (int r = 0; r < 16; r++) put(large[r]);
  const Half4 x = {static_cast<_Float16>(a[t]), static_cast<_Float16>(a[t + 64]), static_cast<_Float16>(a[t + 128]), static_cast<_Float16>(a[t + 192])};
  const Half4 y = {static_cast<_Float16>(b[t]), static_cast<_Float16>(b[t + 64]), static_cast<_Float16>(b[t + 128]), static_cast<_Float16>(b[t + 192])};
  const Float4 halves = __builtin_amdgcn_mfma_f32_16x16x16f16(x, y, start, 0, 0, 0);
  for (int r = 0; r < 4; r++) put(halves[r]);
}
