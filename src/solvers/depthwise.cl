// Depthwise and thin groups: so few channels meet in one sum that memory sets the pace, not arithmetic. A thread computes
// TILE_H rows x TILE_W columns of one channel in registers and reads each row of its window once; filter, stride and dilation
// are definitions, so that which tap meets which row is settled by the compiler; sizes arrive at run time.
//
// Definitions: DIRECTION (0 fwd, 1 bwd, 2 wrw), THREADS, TILE_H, TILE_W, FILTER_H, FILTER_W, STRIDE_H, STRIDE_W, DILATION_H,
// DILATION_W, LAST (1: channels last, neighbouring threads take neighbouring channels; 0: neighbouring columns), and SHAPE, the
// initializer of a Shape, where a program is made for one set of sizes.

// A divisor prepared on the host: value / d == (high half of value * factor + value) >> shift, for value < 2^31.
typedef struct {
  u32 divisor, factor, shift;
} Divisor;

// fwd: source x, target y, rows k, depth c; bwd the other way round; wrw as fwd. Rows and depth are per group. Strides in
// elements; every tensor has fewer than 2^31 of them.
typedef struct {
  i32 source_strides[5], target_strides[5];  // image, channel, d, h, w
  i32 filter_group, filter_row, filter_depth, filter_t, filter_tap;
  i32 images, channels, depth;  // channels of the target, depth of a group
  i32 source[3], target[3];
  i32 filter_d, stride_d, dilation_d, pad[3];
  i32 shift_h, shift_w;  // how far the first tile begins before the target's first row and column
  i32 items;             // of work, or strips (wrw)
  i32 slices;            // wrw: parts of the sum that are added up afterwards
  Divisor tiles_w, tiles_h, points_d, channels_by, rows;
} Shape;

DEVICE u32 divide(u32 value, Divisor by) {
  return (u32)((((u64)value * by.factor) >> 32) + value) >> by.shift;
}
// value % d, and value /= d.
#define TAKE_DIGIT(digit, value, by)              \
  {                                               \
    const u32 quotient = divide(value, by);       \
    digit = (i32)(value - quotient * by.divisor); \
    value = quotient;                             \
  }

// 0 <= value < size.
#define WITHIN(value, size) ((u32)(value) < (u32)(size))
#ifdef SHAPE
#define USE_SHAPE const Shape g = SHAPE
#else
#define USE_SHAPE const Shape g = given
#endif
// Distance of neighbouring columns, and of a filter's neighbouring taps.
#if LAST
#define COLUMN(strides) strides[4]
#define TAP g.filter_tap
#else
#define COLUMN(strides) 1
#define TAP 1
#endif

#if DIRECTION != 2

// Rows and columns of the source that a tile sees, counted from where its window begins.
#if DIRECTION == 0
#define FIRST_H 0
#define FIRST_W 0
#define LAST_H ((TILE_H - 1) * STRIDE_H + (FILTER_H - 1) * DILATION_H)
#define LAST_W ((TILE_W - 1) * STRIDE_W + (FILTER_W - 1) * DILATION_W)
// Times the dilation, the tap through which target row i sees source row q, if it is one.
#define REACH(i, q, stride) ((q) - (i) * (stride))
#else
// The tile's first row is a whole number of strides past the padding, hence what follows is known to the compiler.
#define FIRST_H (-((FILTER_H - 1) * DILATION_H / STRIDE_H))
#define FIRST_W (-((FILTER_W - 1) * DILATION_W / STRIDE_W))
#define LAST_H ((TILE_H - 1) / STRIDE_H)
#define LAST_W ((TILE_W - 1) / STRIDE_W)
#define REACH(i, q, stride) ((i) - (q) * (stride))
#endif
#define IS_TAP(reach, dilation, filter) ((reach) >= 0 && (reach) % (dilation) == 0 && (reach) / (dilation) < (filter))

KERNEL(THREADS) void depthwise_gather(GLOBAL const element* RESTRICT source, GLOBAL const element* RESTRICT filter,
                                      GLOBAL const result* RESTRICT bias, GLOBAL result* RESTRICT target, Shape given) {
  USE_SHAPE;
  u32 item = (u32)GROUP_X * THREADS + THREAD;
  if (item >= (u32)g.items) return;
  i32 tile_w, tile_h, depth_at, channel;
#if LAST
  TAKE_DIGIT(channel, item, g.channels_by);
#endif
  TAKE_DIGIT(tile_w, item, g.tiles_w);
  TAKE_DIGIT(tile_h, item, g.tiles_h);
  TAKE_DIGIT(depth_at, item, g.points_d);
#if !LAST
  TAKE_DIGIT(channel, item, g.channels_by);
#endif
  const i32 image = (i32)item;
  const i32 group = (i32)divide((u32)channel, g.rows);
  const i32 target_h = tile_h * TILE_H - g.shift_h, target_w = tile_w * TILE_W - g.shift_w;
#if DIRECTION == 0
  const i32 source_h = target_h * STRIDE_H - g.pad[1], source_w = target_w * STRIDE_W - g.pad[2];
#else
  const i32 source_h = (target_h + g.pad[1]) / STRIDE_H, source_w = (target_w + g.pad[2]) / STRIDE_W;
#endif

  float total[TILE_H][TILE_W];
  UNROLL
  for (int i = 0; i < TILE_H; ++i) {
    UNROLL
    for (int j = 0; j < TILE_W; ++j) total[i][j] = 0.0f;
  }
  for (i32 t = 0; t < g.filter_d; ++t) {
#if DIRECTION == 0
    const i32 d = depth_at * g.stride_d - g.pad[0] + t * g.dilation_d;
#else
    const i32 reach = depth_at + g.pad[0] - t * g.dilation_d;
    const i32 d = reach / g.stride_d;
    if (d * g.stride_d != reach) continue;
#endif
    if (!WITHIN(d, g.source[0])) continue;
    for (i32 c = 0; c < g.depth; ++c) {
      const i32 taps = group * g.filter_group + (channel - group * (i32)g.rows.divisor) * g.filter_row +
                       c * g.filter_depth + t * g.filter_t;
      float weight[FILTER_H][FILTER_W];
      UNROLL
      for (int r = 0; r < FILTER_H; ++r) {
        UNROLL
        for (int s = 0; s < FILTER_W; ++s) weight[r][s] = LOAD(filter, taps + (r * FILTER_W + s) * TAP);
      }
      const i32 plane = image * g.source_strides[0] + (group * g.depth + c) * g.source_strides[1] + d * g.source_strides[2];
      UNROLL
      for (int q = FIRST_H; q <= LAST_H; ++q) {
        const i32 h = source_h + q;
        const bool inside = WITHIN(h, g.source[1]);
        GLOBAL const element* const row = source + (plane + h * g.source_strides[3] + source_w * COLUMN(g.source_strides));
        float value[LAST_W - FIRST_W + 1];
        UNROLL
        for (int p = FIRST_W; p <= LAST_W; ++p) {
          const bool there = inside && WITHIN(source_w + p, g.source[2]);
          value[p - FIRST_W] = LOAD_IF(there, row, p * COLUMN(g.source_strides));
        }
        UNROLL
        for (int i = 0; i < TILE_H; ++i) {
          if (!IS_TAP(REACH(i, q, STRIDE_H), DILATION_H, FILTER_H)) continue;
          UNROLL
          for (int p = FIRST_W; p <= LAST_W; ++p) {
            UNROLL
            for (int j = 0; j < TILE_W; ++j) {
              if (!IS_TAP(REACH(j, p, STRIDE_W), DILATION_W, FILTER_W)) continue;
              total[i][j] = FMA(value[p - FIRST_W],
                                weight[REACH(i, q, STRIDE_H) / DILATION_H][REACH(j, p, STRIDE_W) / DILATION_W],
                                total[i][j]);
            }
          }
        }
      }
    }
  }

  const float more = bias != 0 ? LOAD_RESULT(bias, channel) : 0.0f;
  const i32 plane = image * g.target_strides[0] + channel * g.target_strides[1] + depth_at * g.target_strides[2];
  UNROLL
  for (int i = 0; i < TILE_H; ++i) {
    if (!WITHIN(target_h + i, g.target[1])) continue;
    GLOBAL result* const row =
        target + (plane + (target_h + i) * g.target_strides[3] + target_w * COLUMN(g.target_strides));
    UNROLL
    for (int j = 0; j < TILE_W; ++j) {
      if (WITHIN(target_w + j, g.target[2])) STORE_RESULT(row, j * COLUMN(g.target_strides), total[i][j] + more);
    }
  }
}

#else

// LANES filters side by side (channels last: neighbouring channels), THREADS / LANES threads on each.
#if LAST
#define LANES 32
#else
#define LANES 1
#endif
#define TAPS (FILTER_H * FILTER_W)
#define BATCH 4  // taps whose sums are added up across threads at a time
#define ROWS_SEEN ((TILE_H - 1) * STRIDE_H + (FILTER_H - 1) * DILATION_H + 1)

// A group sums one slice of the strips, TILE_H outputs of one column each, for LANES filters and one tap of depth.
// `channels` counts filters here: (k, c within the group).
KERNEL(THREADS) void depthwise_weights(GLOBAL const element* RESTRICT source, GLOBAL float* RESTRICT partial,
                                       GLOBAL const element* RESTRICT target, Shape given) {
  USE_SHAPE;
  LOCAL_ARRAY(float, scratch, BATCH * THREADS);
  const int thread = THREAD;
  const i32 filters = g.channels * g.depth;
  const i32 blocks = (filters + LANES - 1) / LANES;
  i32 place = GROUP_X;
  const i32 t = place % g.filter_d;
  place /= g.filter_d;
  const i32 mine = place % blocks * LANES + thread % LANES;
  const i32 slice = place / blocks;
  // Filters beyond the last repeat it, and are not stored.
  const i32 which = mine < filters ? mine : filters - 1;
  const i32 channel = which / g.depth;
  const i32 source_channel = channel / (i32)g.rows.divisor * g.depth + which % g.depth;

  float total[TAPS];
  UNROLL
  for (int e = 0; e < TAPS; ++e) total[e] = 0.0f;
  const i32 strips = (g.items + g.slices - 1) / g.slices;
  const i32 end = (slice + 1) * strips < g.items ? (slice + 1) * strips : g.items;
  for (i32 strip = slice * strips + thread / LANES; strip < end; strip += THREADS / LANES) {
    u32 rest = (u32)strip;
    i32 w, tile_h, depth_at;
    TAKE_DIGIT(w, rest, g.tiles_w);
    TAKE_DIGIT(tile_h, rest, g.tiles_h);
    TAKE_DIGIT(depth_at, rest, g.points_d);
    const i32 d = depth_at * g.stride_d - g.pad[0] + t * g.dilation_d;
    if (!WITHIN(d, g.source[0])) continue;
    const i32 target_h = tile_h * TILE_H;
    const i32 outputs = (i32)rest * g.target_strides[0] + channel * g.target_strides[1] + depth_at * g.target_strides[2] +
                        target_h * g.target_strides[3] + w * COLUMN(g.target_strides);
    float gradient[TILE_H];
    UNROLL
    for (int i = 0; i < TILE_H; ++i) {
      gradient[i] = LOAD_IF(target_h + i < g.target[1], target, outputs + i * g.target_strides[3]);
    }
    const i32 source_h = target_h * STRIDE_H - g.pad[1], source_w = w * STRIDE_W - g.pad[2];
    const i32 plane =
        (i32)rest * g.source_strides[0] + source_channel * g.source_strides[1] + d * g.source_strides[2];
    UNROLL
    for (int q = 0; q < ROWS_SEEN; ++q) {
      const i32 h = source_h + q;
      const bool inside = WITHIN(h, g.source[1]);
      GLOBAL const element* const row = source + (plane + h * g.source_strides[3] + source_w * COLUMN(g.source_strides));
      float value[FILTER_W];
      UNROLL
      for (int s = 0; s < FILTER_W; ++s) {
        const bool there = inside && WITHIN(source_w + s * DILATION_W, g.source[2]);
        value[s] = LOAD_IF(there, row, s * DILATION_W * COLUMN(g.source_strides));
      }
      UNROLL
      for (int r = 0; r < FILTER_H; ++r) {
        const int i = (q - r * DILATION_H) / STRIDE_H;
        if (q < r * DILATION_H || i * STRIDE_H != q - r * DILATION_H || i >= TILE_H) continue;
        UNROLL
        for (int s = 0; s < FILTER_W; ++s) {
          total[r * FILTER_W + s] = FMA(gradient[i], value[s], total[r * FILTER_W + s]);
        }
      }
    }
  }

  UNROLL
  for (int first = 0; first < TAPS; first += BATCH) {
    BARRIER;
    UNROLL
    for (int e = 0; e < BATCH; ++e) {
      if (first + e < TAPS) scratch[e * THREADS + thread] = total[first + e];
    }
    for (int reach = THREADS / 2; reach >= LANES; reach /= 2) {
      BARRIER;
      if (thread < reach) {
        UNROLL
        for (int e = 0; e < BATCH; ++e) {
          if (first + e < TAPS) scratch[e * THREADS + thread] += scratch[e * THREADS + thread + reach];
        }
      }
    }
    if (thread < LANES && mine < filters) {
      UNROLL
      for (int e = 0; e < BATCH; ++e) {
        if (first + e < TAPS) {
          partial[((slice * filters + mine) * g.filter_d + t) * TAPS + first + e] = scratch[e * THREADS + thread];
        }
      }
    }
  }
}

// Adds the slices up, one filter element a thread.
KERNEL(THREADS) void depthwise_sum(GLOBAL const float* RESTRICT partial, GLOBAL result* RESTRICT filter, Shape given) {
  USE_SHAPE;
  const i32 elements = g.channels * g.depth * g.filter_d * TAPS;
  const i32 element_at = GROUP_X * THREADS + THREAD;
  if (element_at >= elements) return;
  float total = 0.0f;
  for (i32 slice = 0; slice < g.slices; ++slice) total += partial[slice * elements + element_at];
  const i32 t = element_at / TAPS % g.filter_d;
  const i32 which = element_at / TAPS / g.filter_d;
  const i32 channel = which / g.depth;
  STORE_RESULT(filter,
               channel * g.filter_row + which % g.depth * g.filter_depth + t * g.filter_t + element_at % TAPS * TAP,
               total);
}

#endif
