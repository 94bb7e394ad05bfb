// Writes a thread's sums to the target, or, where k is split, to the partial sums. STORE says what lies side by side in memory:
//   ANYWHERE  nothing is known
//   POINTS4   points: four of them, aligned, in one image (channels first)
//   ROWS4     rows: four of them, aligned (channels last)
#define ANYWHERE 0
#define POINTS4 1
#define ROWS4 2

// Partial sums lie as the target does, which is packed then: one copy of it for each part of k.
#define KEEP(at, sum, channel)                                                      \
  if (shape->splits > 1)                                                            \
    partials[(at) + part * (index)shape->target_size] = (sum);                      \
  else                                                                              \
    STORE_RESULT(target, at, (sum) + (bias ? LOAD_RESULT(bias, channel) : 0.0f))

// What to write and where: one argument instead of six.
typedef struct {
  int group, row0, part;
  index point0;
  int thread_row, thread_point;
} Tile;

#if STORE == ANYWHERE

// Rows may be phases (`merged`): row = phase * channels + channel.
DEVICE void store_tile(const Shape* shape, const Phase* phase, const Tile* tile, float sums[][THREAD_POINTS],
                       GLOBAL const result* bias, GLOBAL result* target, GLOBAL float* partials) {
  const int part = tile->part;
  UNROLL
  for (int j = 0; j < THREAD_POINTS; ++j) {
    int position[3];
    const index image = split_point(shape, tile->point0 + POINT_OF(tile->thread_point, j), position);
    if (image >= shape->images) continue;
    UNROLL
    for (int i = 0; i < THREAD_ROWS; ++i) {
      const int row = tile->row0 + ROW_OF(tile->thread_row, i);
#if MERGED
      int digits[3];
      split_triple(row / shape->channels, shape->phases, digits);
      const int channel = tile->group * shape->channels + row % shape->channels;
      const int d = position[0] * shape->phases[0] + digits[0];
      const int h = position[1] * shape->phases[1] + digits[1];
      const int w = position[2] * shape->phases[2] + digits[2];
#else
      const int channel = tile->group * shape->channels + row;
      const int d = position[0] * shape->phases[0] + phase->phase[0];
      const int h = position[1] * shape->phases[1] + phase->phase[1];
      const int w = position[2] * shape->phases[2] + phase->phase[2];
#endif
      if (row >= shape->rows || d >= shape->target[0] || h >= shape->target[1] || w >= shape->target[2]) continue;
      const index at = image * (index)shape->target_strides[0] + channel * (index)shape->target_strides[1] +
                       place(shape->target_strides, d, h, w);
      KEEP(at, sums[i][j], channel);
    }
  }
}

#elif STORE == POINTS4

DEVICE void store_tile(const Shape* shape, const Phase* phase, const Tile* tile, float sums[][THREAD_POINTS],
                       GLOBAL const result* bias, GLOBAL result* target, GLOBAL float* partials) {
  const index size = (index)shape->points[0] * shape->points[1] * shape->points[2];
  UNROLL
  for (int j = 0; j < THREAD_POINTS; j += 4) {
    const index point = tile->point0 + POINT_OF(tile->thread_point, j), image = (index)((uindex)point / (uindex)size);
    if (image >= shape->images) continue;
    const index column = image * (index)shape->target_strides[0] + (point - image * size);
    UNROLL
    for (int i = 0; i < THREAD_ROWS; ++i) {
      const int row = tile->row0 + ROW_OF(tile->thread_row, i), channel = tile->group * shape->channels + row;
      if (row >= shape->rows) continue;
      const index at = column + channel * (index)shape->target_strides[1];
      Float4 v = FLOAT4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
      if (shape->splits > 1) {
        *(GLOBAL Float4*)(partials + at + tile->part * (index)shape->target_size) = v;
      } else {
        const float more = bias ? LOAD_RESULT(bias, channel) : 0.0f;
        v.x += more, v.y += more, v.z += more, v.w += more;
        store4(target, at, v);
      }
    }
  }
}

#else  // ROWS4

DEVICE void store_tile(const Shape* shape, const Phase* phase, const Tile* tile, float sums[][THREAD_POINTS],
                       GLOBAL const result* bias, GLOBAL result* target, GLOBAL float* partials) {
  const index points = (index)shape->images * shape->points[0] * shape->points[1] * shape->points[2];
  UNROLL
  for (int i = 0; i < THREAD_ROWS; i += 4) {
    const int row = tile->row0 + ROW_OF(tile->thread_row, i), channel = tile->group * shape->channels + row;
    if (row >= shape->rows) continue;
    Float4 more = FLOAT4(0.0f, 0.0f, 0.0f, 0.0f);
    if (bias && shape->splits == 1)
      more = FLOAT4(LOAD_RESULT(bias, channel), LOAD_RESULT(bias, channel + 1), LOAD_RESULT(bias, channel + 2),
                    LOAD_RESULT(bias, channel + 3));
    UNROLL
    for (int j = 0; j < THREAD_POINTS; ++j) {
      const index point = tile->point0 + POINT_OF(tile->thread_point, j);
      if (point >= points) continue;
      const index at = point * (index)shape->target_strides[4] + channel;
      Float4 v = FLOAT4(sums[i][j] + more.x, sums[i + 1][j] + more.y, sums[i + 2][j] + more.z, sums[i + 3][j] + more.w);
      if (shape->splits > 1)
        *(GLOBAL Float4*)(partials + at + tile->part * (index)shape->target_size) = v;
      else
        store4(target, at, v);
    }
  }
}

#endif
