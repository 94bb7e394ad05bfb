// Convolution without assumptions: sizes, strides in memory, stride, dilation, padding and groups arrive in one struct of 64-bit
// numbers, so that a program is built once per direction and element type. Each output has one thread, or one group, that
// adds its products up in an order that only the problem decides.
//
// Definitions: DIRECTION (0 fwd, 1 bwd, 2 wrw), THREADS, ROWS and the tile of a thread: POINTS or COLUMNS. direct.cc fills
// Shape and counts tiles with the same numbers.

// fwd: source x, target y, rows k, depth c. bwd: source y, target x, rows c, depth k. wrw: as fwd, with the filter computed.
// Rows and depth are per group. Strides are in elements; a size and a position fit 32 bits, an offset does not.
typedef struct {
  i64 source_strides[5];  // image, channel, d, h, w
  i64 filter_strides[5];  // row, depth, t, r, s
  i64 target_strides[5];
  i64 filter_group;  // from one group's filters to the next
  i64 first_tile;
  i32 images, groups, rows, depth;
  i32 source[3], filter[3], target[3];
  i32 stride[3], pad[3], dilation[3];
  i32 phases[3];    // bwd: positions of the target that are a whole number of strides apart see the same taps
  i32 points[3];    // positions of one phase
  i32 tap_step[3];  // bwd: from one tap that a phase sees to the next
  i32 along[3];     // what such a step moves in the source
} Shape;

// Digits of `value` in the mixed radix (any, size0, size1, size2).
DEVICE void split(i64 value, i32 size0, i32 size1, i32 size2, i32* digits) {
  digits[3] = (i32)(value % size2);
  value /= size2;
  digits[2] = (i32)(value % size1);
  value /= size1;
  digits[1] = (i32)(value % size0);
  digits[0] = (i32)(value / size0);
}
DEVICE void split_small(i32 value, i32 size0, i32 size1, i32 size2, i32* digits) {
  digits[3] = value % size2;
  value /= size2;
  digits[2] = value % size1;
  value /= size1;
  digits[1] = value % size0;
  digits[0] = value / size0;
}

// digits += step, both in that radix: no division.
DEVICE void advance(i32* digits, const i32* step, i32 size0, i32 size1, i32 size2) {
  digits[3] += step[3];
  i32 carry = digits[3] >= size2;
  digits[3] -= carry ? size2 : 0;
  digits[2] += step[2] + carry;
  carry = digits[2] >= size1;
  digits[2] -= carry ? size1 : 0;
  digits[1] += step[1] + carry;
  carry = digits[1] >= size0;
  digits[1] -= carry ? size0 : 0;
  digits[0] += step[0] + carry;
}

DEVICE i64 offset_of(i32 d, i32 h, i32 w, const i64* strides) {
  return d * strides[2] + h * strides[3] + w * strides[4];
}

#if DIRECTION != 2

#define CHUNK 32  // steps of the sum whose weights wait in local memory
// From one point of a phase to the next, in the source.
#if DIRECTION == 0
#define POINT_STRIDE(d) g.stride[d]
#else
#define POINT_STRIDE(d) 1
#endif

// A thread computes ROWS channels at POINTS positions, THREADS apart, so that neighbours read neighbours. A step of the sum
// is a (tap, channel) pair, channels innermost: addresses and padding are looked at once per tap. The group shares weights.
//
// Backward data is the same sum under other numbers. Position p = phase + point * stride meets tap f only where
// p + pad - f * dilation is a whole number of strides: every tap_step-th from tap0, each `along` further in y.
KERNEL(THREADS) void direct_gather(GLOBAL const element* RESTRICT source, GLOBAL const element* RESTRICT filter,
                                   GLOBAL const result* RESTRICT bias, GLOBAL result* RESTRICT target, Shape g) {
  LOCAL_ARRAY(sum, weights, CHUNK * ROWS);
  const int thread = THREAD;
  const i32 row_tiles = (g.rows + ROWS - 1) / ROWS;
  const i64 all_points = (i64)g.images * g.points[0] * g.points[1] * g.points[2];
  const i64 point_tiles = (all_points + THREADS * POINTS - 1) / (THREADS * POINTS);
  i64 tile = g.first_tile + GROUP_X;
  const i32 row0 = (i32)(tile % row_tiles) * ROWS;
  tile /= row_tiles;
  const i32 group = (i32)(tile % g.groups);
  tile /= g.groups;
  const i64 point0 = tile % point_tiles * (THREADS * POINTS) + thread;
  i32 phase[4];
  split(tile / point_tiles, g.phases[0], g.phases[1], g.phases[2], phase);

  i32 tap0[3], taps[3], start[3];
  UNROLL
  for (int d = 0; d < 3; ++d) {
#if DIRECTION == 0
    tap0[d] = 0;
    taps[d] = g.filter[d];
    start[d] = -g.pad[d];
#else
    const i32 end = g.filter[d] < g.tap_step[d] ? g.filter[d] : g.tap_step[d];
    i32 first = 0, shifted = phase[d + 1] + g.pad[d];
    while (first < end && shifted % g.stride[d] != 0) {
      ++first;
      shifted -= g.dilation[d];
    }
    tap0[d] = first;
    taps[d] = first < end ? (g.filter[d] - first + g.tap_step[d] - 1) / g.tap_step[d] : 0;
    start[d] = shifted / g.stride[d];
#endif
  }

  // Where each position starts to read: source coordinates under tap (0, 0, 0), and its image.
  i32 at[POINTS][4], next[4], point_step[4];
  split(point0, g.points[0], g.points[1], g.points[2], next);
  split_small(THREADS, g.points[0], g.points[1], g.points[2], point_step);
  UNROLL
  for (int j = 0; j < POINTS; ++j) {
    at[j][0] = next[0];
    UNROLL
    for (int d = 0; d < 3; ++d) at[j][d + 1] = next[d + 1] * POINT_STRIDE(d) + start[d];
    advance(next, point_step, g.points[0], g.points[1], g.points[2]);
  }

  sum total[ROWS][POINTS];
  UNROLL
  for (int i = 0; i < ROWS; ++i) {
    UNROLL
    for (int j = 0; j < POINTS; ++j) total[i][j] = 0;
  }
  const i64 steps = (i64)taps[0] * taps[1] * taps[2] * g.depth;
  // The step whose weights this thread brings, as (t, r, s, channel), and the distance to its next one.
  i32 bring[4] = {0, 0, 0, 0}, chunk[4] = {0, 0, 0, 0};
  if (steps > 0) {
    split_small(thread % CHUNK, taps[1], taps[2], g.depth, bring);
    split_small(CHUNK, taps[1], taps[2], g.depth, chunk);
  }
  i32 tap[3] = {0, 0, 0}, channel = 0;
  i64 offset[POINTS];
  bool inside[POINTS];
  for (i64 begin = 0; begin < steps; begin += CHUNK) {
    BARRIER;
    UNROLL
    for (int i = 0; i < CHUNK * ROWS / THREADS; ++i) {
      const int row = thread / CHUNK + i * (THREADS / CHUNK);
      sum weight = 0;
      if (begin + thread % CHUNK < steps && row0 + row < g.rows) {
        weight = LOAD(filter, group * g.filter_group + (row0 + row) * g.filter_strides[0] + bring[3] * g.filter_strides[1] +
                                  offset_of(tap0[0] + bring[0] * g.tap_step[0], tap0[1] + bring[1] * g.tap_step[1],
                                            tap0[2] + bring[2] * g.tap_step[2], g.filter_strides));
      }
      weights[thread % CHUNK * ROWS + row] = weight;
    }
    advance(bring, chunk, taps[1], taps[2], g.depth);
    BARRIER;
    const int count = steps - begin < CHUNK ? (int)(steps - begin) : CHUNK;
    for (int step = 0; step < count; ++step) {
      if (channel == 0) {
        UNROLL
        for (int j = 0; j < POINTS; ++j) {
          const i32 d = at[j][1] + tap[0] * g.along[0];
          const i32 h = at[j][2] + tap[1] * g.along[1];
          const i32 w = at[j][3] + tap[2] * g.along[2];
          inside[j] = point0 + j * THREADS < all_points && d >= 0 && d < g.source[0] && h >= 0 && h < g.source[1] &&
                      w >= 0 && w < g.source[2];
          // Outside, the tensor's first element is read and not used: loads without branches.
          offset[j] = inside[j] ? at[j][0] * g.source_strides[0] + offset_of(d, h, w, g.source_strides) : 0;
          offset[j] += (i64)group * g.depth * g.source_strides[1];
        }
      }
      sum value[POINTS];
      UNROLL
      for (int j = 0; j < POINTS; ++j) {
        const sum loaded = LOAD(source, offset[j]);
        value[j] = inside[j] ? loaded : 0;
        offset[j] += g.source_strides[1];
      }
      UNROLL
      for (int i = 0; i < ROWS; ++i) {
        const sum weight = weights[step * ROWS + i];
        UNROLL
        for (int j = 0; j < POINTS; ++j) total[i][j] = MULTIPLY_ADD(weight, value[j], total[i][j]);
      }
      if (++channel == g.depth) {
        channel = 0;
        if (++tap[2] == taps[2]) {
          tap[2] = 0;
          if (++tap[1] == taps[1]) {
            tap[1] = 0;
            ++tap[0];
          }
        }
      }
    }
  }

  split(point0, g.points[0], g.points[1], g.points[2], next);
  UNROLL
  for (int j = 0; j < POINTS; ++j) {
    i32 position[3];
    bool wanted = point0 + j * THREADS < all_points;
    UNROLL
    for (int d = 0; d < 3; ++d) {
      position[d] = phase[d + 1] + next[d + 1] * g.phases[d];
      wanted = wanted && position[d] < g.target[d];
    }
    const i64 place = next[0] * g.target_strides[0] + offset_of(position[0], position[1], position[2], g.target_strides);
    advance(next, point_step, g.points[0], g.points[1], g.points[2]);
    if (!wanted) continue;
    UNROLL
    for (int i = 0; i < ROWS; ++i) {
      if (row0 + i >= g.rows) continue;
      const i64 row = (i64)group * g.rows + row0 + i;
      sum value = total[i][j];
      if (bias != 0) value += LOAD_RESULT(bias, row);
      STORE_RESULT(target, place + row * g.target_strides[1], value);
    }
  }
}

#else

// A group of threads computes ROWS x COLUMNS filter elements of one tap: ROWS channels k, COLUMNS channels c. Each thread
// takes every THREADS-th pixel of the batch; then the threads' sums are added in a tree of fixed shape.
KERNEL(THREADS) void direct_weights(GLOBAL const element* RESTRICT source, GLOBAL result* RESTRICT filter,
                                    GLOBAL const element* RESTRICT target, Shape g) {
  LOCAL_ARRAY(sum, scratch, THREADS * COLUMNS);
  const int thread = THREAD;
  const i32 row_tiles = (g.rows + ROWS - 1) / ROWS;
  const i32 column_tiles = (g.depth + COLUMNS - 1) / COLUMNS;
  i64 tile = g.first_tile + GROUP_X;
  const i32 row0 = (i32)(tile % row_tiles) * ROWS;
  tile /= row_tiles;
  const i32 column0 = (i32)(tile % column_tiles) * COLUMNS;
  tile /= column_tiles;
  i32 tap[4];  // group, t, r, s
  split(tile, g.filter[0], g.filter[1], g.filter[2], tap);

  // Rows and columns beyond the last repeat it, and are not stored: loads without branches.
  i64 row_offset[ROWS], column_offset[COLUMNS];
  UNROLL
  for (int i = 0; i < ROWS; ++i) {
    const i32 row = row0 + i < g.rows ? row0 + i : g.rows - 1;
    row_offset[i] = ((i64)tap[0] * g.rows + row) * g.target_strides[1];
  }
  UNROLL
  for (int j = 0; j < COLUMNS; ++j) {
    const i32 column = column0 + j < g.depth ? column0 + j : g.depth - 1;
    column_offset[j] = ((i64)tap[0] * g.depth + column) * g.source_strides[1];
  }

  sum total[ROWS][COLUMNS];
  UNROLL
  for (int i = 0; i < ROWS; ++i) {
    UNROLL
    for (int j = 0; j < COLUMNS; ++j) total[i][j] = 0;
  }
  const i64 pixels = (i64)g.images * g.target[0] * g.target[1] * g.target[2];
  i32 at[4], step[4];
  split_small(thread, g.target[0], g.target[1], g.target[2], at);
  split_small(THREADS, g.target[0], g.target[1], g.target[2], step);
  for (i64 pixel = thread; pixel < pixels; pixel += THREADS) {
    const i32 d = at[1] * g.stride[0] - g.pad[0] + tap[1] * g.dilation[0];
    const i32 h = at[2] * g.stride[1] - g.pad[1] + tap[2] * g.dilation[1];
    const i32 w = at[3] * g.stride[2] - g.pad[2] + tap[3] * g.dilation[2];
    if (d >= 0 && d < g.source[0] && h >= 0 && h < g.source[1] && w >= 0 && w < g.source[2]) {
      const i64 from = at[0] * g.source_strides[0] + offset_of(d, h, w, g.source_strides);
      const i64 to = at[0] * g.target_strides[0] + offset_of(at[1], at[2], at[3], g.target_strides);
      sum value[COLUMNS];
      UNROLL
      for (int j = 0; j < COLUMNS; ++j) value[j] = LOAD(source, from + column_offset[j]);
      UNROLL
      for (int i = 0; i < ROWS; ++i) {
        const sum gradient = LOAD(target, to + row_offset[i]);
        UNROLL
        for (int j = 0; j < COLUMNS; ++j) total[i][j] = MULTIPLY_ADD(gradient, value[j], total[i][j]);
      }
    }
    advance(at, step, g.target[0], g.target[1], g.target[2]);
  }

  UNROLL
  for (int i = 0; i < ROWS; ++i) {
    BARRIER;
    UNROLL
    for (int j = 0; j < COLUMNS; ++j) scratch[j * THREADS + thread] = total[i][j];
    for (int half_way = THREADS / 2; half_way > 0; half_way /= 2) {
      BARRIER;
      if (thread < half_way) {
        UNROLL
        for (int j = 0; j < COLUMNS; ++j) scratch[j * THREADS + thread] += scratch[j * THREADS + thread + half_way];
      }
    }
    BARRIER;
    if (thread < COLUMNS && row0 + i < g.rows && column0 + thread < g.depth) {
      STORE_RESULT(filter,
                   tap[0] * g.filter_group + (row0 + i) * g.filter_strides[0] + (column0 + thread) * g.filter_strides[1] +
                       offset_of(tap[1], tap[2], tap[3], g.filter_strides),
                   scratch[thread * THREADS]);
    }
  }
}

#endif
