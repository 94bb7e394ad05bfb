// Tiles of both igemm kernels: how a group's threads divide one between them, and the product of two tiles in local memory.
// Defined by the build: TILE_ROWS, TILE_POINTS, TILE_DEPTH, THREAD_ROWS, THREAD_POINTS, LANE_ROWS, LANE_POINTS (below), UNROLL_DEPTH,
// RESIDENT (groups per multiprocessor that the compiler saves registers for, CUDA only).
//
// A thread's rows and points come in fours, 4 * (threads along that side) apart, so that a thread loads vectors and its
// neighbours load the vectors beside them. LANE_ROWS x LANE_POINTS neighbouring threads (4 x 8 where the tile allows it) form a
// block of the tile: 32 lanes then read 4 + 8 different vectors, without bank conflicts.
#define THREADS_ROWS (TILE_ROWS / THREAD_ROWS)
#define THREADS_POINTS (TILE_POINTS / THREAD_POINTS)
#define THREADS (THREADS_ROWS * THREADS_POINTS)
#define LANES (LANE_ROWS * LANE_POINTS)

DEVICE int thread_row(int thread) {
  return thread / LANES % (THREADS_ROWS / LANE_ROWS) * LANE_ROWS + thread % LANES / LANE_POINTS;
}
DEVICE int thread_point(int thread) {
  return thread / LANES / (THREADS_ROWS / LANE_ROWS) * LANE_POINTS + thread % LANE_POINTS;
}

// One row of threads: no two of them read the same point, so points stay in their thread's registers (igemm_gather only), and
// neighbours take neighbouring ones.
#ifndef OWN_SOURCE
#define OWN_SOURCE 0
#endif

// Where in the tile register row i, register point j of a thread lie.
#define ROW_OF(thread_row, i) ((i) / 4 * 4 * THREADS_ROWS + (thread_row) * 4 + (i) % 4)
#if OWN_SOURCE
#define POINT_OF(thread_point, j) ((j) * THREADS_POINTS + (thread_point))
#else
#define POINT_OF(thread_point, j) ((j) / 4 * 4 * THREADS_POINTS + (thread_point) * 4 + (j) % 4)
#endif

// sums += rows' tile * points' tile. UNROLL_DEPTH: all of TILE_DEPTH on CUDA (4 costs 5-10 %); 4 on HIP, where LLVM hoists the
// loads of every unrolled step and spills; 1 on PoCL.
#define MULTIPLY_TILES(rows_tile, rows_pitch, points_tile, points_pitch, sums)                         \
  UNROLL_BY(UNROLL_DEPTH)                                                                              \
  for (int k = 0; k < TILE_DEPTH; ++k) {                                                               \
    float b[THREAD_POINTS];                                                                            \
    UNROLL                                                                                             \
    for (int j = 0; j < THREAD_POINTS / 4; ++j) {                                                      \
      const Float4 v =                                                                                 \
          *(LOCAL const Float4*)((points_tile) + k * (points_pitch) + j * 4 * THREADS_POINTS);         \
      b[j * 4] = v.x, b[j * 4 + 1] = v.y, b[j * 4 + 2] = v.z, b[j * 4 + 3] = v.w;                      \
    }                                                                                                  \
    MULTIPLY_STEP(rows_tile, rows_pitch, b[j], sums)                                                   \
  }

// The same with points in registers: points[j][k]. Registers cannot be counted through, so all is unrolled.
#define MULTIPLY_OWN(rows_tile, rows_pitch, points, sums)                                              \
  UNROLL_BY(TILE_DEPTH)                                                                                \
  for (int k = 0; k < TILE_DEPTH; ++k) {                                                               \
    MULTIPLY_STEP(rows_tile, rows_pitch, points[j][k], sums)                                           \
  }

#define MULTIPLY_STEP(rows_tile, rows_pitch, point_j, sums)                                            \
  float a[THREAD_ROWS];                                                                                \
  UNROLL                                                                                               \
  for (int i = 0; i < THREAD_ROWS / 4; ++i) {                                                          \
    const Float4 v = *(LOCAL const Float4*)((rows_tile) + k * (rows_pitch) + i * 4 * THREADS_ROWS);    \
    a[i * 4] = v.x, a[i * 4 + 1] = v.y, a[i * 4 + 2] = v.z, a[i * 4 + 3] = v.w;                        \
  }                                                                                                    \
  UNROLL                                                                                               \
  for (int i = 0; i < THREAD_ROWS; ++i) {                                                              \
    UNROLL                                                                                             \
    for (int j = 0; j < THREAD_POINTS; ++j) sums[i][j] = FMA(a[i], point_j, sums[i][j]);               \
  }

// Four elements, aligned to their size, as floats.
DEVICE Float4 load4(GLOBAL const element* data, index at) {
#if ELEMENT == 0
  return *(GLOBAL const Float4*)(data + at);
#else
  const u64 bits = *(GLOBAL const u64*)(data + at);
  u16 part[4] = {(u16)bits, (u16)(bits >> 16), (u16)(bits >> 32), (u16)(bits >> 48)};
  return FLOAT4(LOAD(part, 0), LOAD(part, 1), LOAD(part, 2), LOAD(part, 3));
#endif
}
DEVICE void store4(GLOBAL result* data, index at, Float4 value) {
#if ELEMENT == 0
  *(GLOBAL Float4*)(data + at) = value;
#else
  u16 part[4];
  STORE_RESULT(part, 0, value.x);
  STORE_RESULT(part, 1, value.y);
  STORE_RESULT(part, 2, value.z);
  STORE_RESULT(part, 3, value.w);
  *(GLOBAL u64*)(data + at) = (u64)part[0] | (u64)part[1] << 16 | (u64)part[2] << 32 | (u64)part[3] << 48;
#endif
}
