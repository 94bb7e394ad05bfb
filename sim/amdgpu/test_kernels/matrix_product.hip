// A product of matrices as our convolutions do it: tiles in LDS, two barriers an iteration, 4 x 4 sums a thread, 64-bit indices.
#include "builtins.h"

typedef float Float4 __attribute__((ext_vector_type(4)));

KERNEL void GROUP_OF(256) matrix_product(const float* a, const float* b, float* c, int rows, int columns, int depth) {
  SHARED __attribute__((aligned(16))) float a_tile[16][68];
  SHARED __attribute__((aligned(16))) float b_tile[16][64];
  const int t = THREAD, tx = t & 15, ty = t >> 4, row0 = GROUP_Y * 64, column0 = GROUP_X * 64;
  Float4 sums[4] = {0, 0, 0, 0};
  for (int k0 = 0; k0 < depth; k0 += 16) {
    const int row = t >> 2, k_of_a = (t & 3) * 4, k_of_b = t >> 4, column = (t & 15) * 4;
    for (int n = 0; n < 4; n++) {
      const bool a_inside = row0 + row < rows && k0 + k_of_a + n < depth, b_inside = k0 + k_of_b < depth && column0 + column + n < columns;
      a_tile[k_of_a + n][row] = a_inside ? a[static_cast<long>(row0 + row) * depth + k0 + k_of_a + n] : 0.f;
      b_tile[k_of_b][column + n] = b_inside ? b[static_cast<long>(k0 + k_of_b) * columns + column0 + column + n] : 0.f;
    }
    barrier();
#pragma unroll
    for (int k = 0; k < 16; k++) {
      const Float4 x = *reinterpret_cast<Float4*>(&a_tile[k][ty * 4]), y = *reinterpret_cast<Float4*>(&b_tile[k][tx * 4]);
      for (int n = 0; n < 4; n++) sums[n] += x[n] * y;
    }
    barrier();
  }
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 4; j++) {
      const int row = row0 + ty * 4 + i, column = column0 + tx * 4 + j;
      if (row < rows && column < columns) c[static_cast<long>(row) * columns + column] = sums[i][j];
    }
  }
}
