// Brings the source's tile, TILE_DEPTH x TILE_POINTS, to where it is multiplied: source_fetch loads a thread's part into registers
// while the tile before it is multiplied, source_put hands it on. LOADER says how threads lie over the tile:
//   ACROSS  neighbours take neighbouring points of one channel (channels first in memory; any strides)
//   ALONG   neighbours take neighbouring channels of one point (channels last)
//   ALONG4  the same, four channels at a time (aligned; depth a multiple of 4)
//   POINT4  four points at a time: pointwise convolutions, channels first
//   TABLE   as ACROSS, for few channels: tap and channel of every k stand in a table in local memory
//
// Loads of points in the padding read the first element of their channel instead, which exists; the zero is put in by source_put.
// A condition on each load costs AMD cards four instructions, that zero one.

// The source position of a point under tap (0, 0, 0): its offset within the group (returned) and coordinates.
DEVICE index source_origin(const Shape* shape, const Phase* phase, index point, int* at) {
  int position[3];
  const index image = split_point(shape, point, position);
  UNROLL
  for (int d = 0; d < 3; ++d) at[d] = phase->start[d] + position[d] * shape->step[d];
  const index offset = image * (index)shape->source_strides[0] + place(shape->source_strides, at[0], at[1], at[2]);
  if (image >= shape->images) at[2] = OUTSIDE;
  return offset;
}

#if LOADER == ACROSS || LOADER == TABLE

#if THREADS >= TILE_POINTS
#define OWN_POINTS 1
#define ROW_STEP (THREADS / TILE_POINTS)
#else
#define OWN_POINTS (TILE_POINTS / THREADS)
#define ROW_STEP 1
#endif
#define OWN_ROWS (TILE_DEPTH / ROW_STEP)
#define SOURCE_PITCH TILE_POINTS

typedef struct {
  index origin[OWN_POINTS];
  int at[OWN_POINTS][3];
  GLOBAL const element* from[OWN_POINTS];  // under the present tap, the next tile's first channel of this thread
  int inside[OWN_POINTS];
  int left;  // channels from there, at the last fetch
  int taken[OWN_POINTS][OWN_ROWS];  // TABLE: what is inside
  float value[OWN_POINTS][OWN_ROWS];
} Source;

// Said to the preprocessor: LLVM does not see that thread / TILE_POINTS is 0.
#if THREADS > TILE_POINTS
#define OWN_ROW(thread) ((thread) / TILE_POINTS)
#define OWN_POINT(thread, i) ((thread) % TILE_POINTS)
#else
#define OWN_ROW(thread) 0
#define OWN_POINT(thread, i) ((thread) + (i) * THREADS)
#endif

DEVICE void source_begin(const Shape* shape, const Phase* phase, index point0, int thread, Source* s) {
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i)
    s->origin[i] = source_origin(shape, phase, point0 + OWN_POINT(thread, i), s->at[i]);
}

#if LOADER == ACROSS
#define FETCHED(s, i, j) ((s)->inside[i] && (whole || (j) * ROW_STEP < (s)->left) ? (s)->value[i][j] : 0.0f)
#elif PREDICATED_LOADS
#define FETCHED(s, i, j) ((s)->value[i][j])
#else
#define FETCHED(s, i, j) ((s)->taken[i][j] ? (s)->value[i][j] : 0.0f)
#endif

#if OWN_SOURCE
DEVICE void source_put(const Shape* shape, const Source* s, float values[][OWN_ROWS]) {
  const int whole = shape->depth == shape->depth_padded;
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    UNROLL
    for (int j = 0; j < OWN_ROWS; ++j) values[i][j] = FETCHED(s, i, j);
  }
}
#else
DEVICE void source_put(const Shape* shape, const Source* s, int thread, LOCAL float* tile) {
  const int whole = shape->depth == shape->depth_padded;
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    UNROLL
    for (int j = 0; j < OWN_ROWS; ++j)
      tile[(OWN_ROW(thread) + j * ROW_STEP) * SOURCE_PITCH + OWN_POINT(thread, i)] = FETCHED(s, i, j);
  }
}
#endif

#endif

#if LOADER == ACROSS

DEVICE void source_tap(const Shape* shape, GLOBAL const element* source, const Walk* walk, int thread, Source* s) {
  const int d = walk->t * shape->along[0], h = walk->r * shape->along[1], w = walk->s * shape->along[2];
  const index tap = place(shape->source_strides, d, h, w);
  const index channel = (walk->tile * TILE_DEPTH + OWN_ROW(thread)) * (index)shape->source_strides[1];
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    s->inside[i] = is_inside(shape, s->at[i][0] + d, s->at[i][1] + h, s->at[i][2] + w);
    s->from[i] = source + (channel + (s->inside[i] ? s->origin[i] + tap : 0));
  }
}

DEVICE void source_fetch(const Shape* shape, int tile, int thread, Source* s) {
  const index stride = (index)shape->source_strides[1];
  const int whole = shape->depth == shape->depth_padded;
  s->left = shape->depth - tile * TILE_DEPTH - OWN_ROW(thread);
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    UNROLL
    for (int j = 0; j < OWN_ROWS; ++j)
      s->value[i][j] = LOAD(s->from[i], (whole || j * ROW_STEP < s->left ? j * ROW_STEP : -OWN_ROW(thread)) * stride);
    s->from[i] += TILE_DEPTH * stride;
  }
}

#elif LOADER == TABLE

// x: the offset that k adds to a point's origin, y and z: what it adds to its h and w, w: where its row of the filter starts, or
// -1 past the last. What it adds to d stands in `deep`.
DEVICE void table_fill(const Shape* shape, const Phase* phase, int thread, LOCAL Int4* table, LOCAL int* deep) {
  const int steps = phase->taps[0] * phase->taps[1] * phase->taps[2] * shape->depth;
  for (int k = thread; k < TABLE_ROWS; k += THREADS) {
    Int4 entry;
    entry.x = 0, entry.y = OUTSIDE, entry.z = OUTSIDE, entry.w = -1;
    if (k < steps) {
      int tap[3];
      const int channel = k % shape->depth;
      split_triple(k / shape->depth, phase->taps, tap);
      const int d = tap[0] * shape->along[0], h = tap[1] * shape->along[1], w = tap[2] * shape->along[2];
      entry.x = (int)(place(shape->source_strides, d, h, w) + channel * (index)shape->source_strides[1]);
      entry.y = h;
      entry.z = w;
#if PACKED
      entry.w = (tap_number(shape, phase, tap[0], tap[1], tap[2]) * shape->depth + channel) * shape->rows_padded;
#else
      entry.w = (int)(tap_offset(shape, phase, tap[0], tap[1], tap[2]) + channel * (index)shape->filter_strides[2]);
#endif
#if DEEP
      deep[k] = d;
#endif
    }
    table[k] = entry;
  }
}

DEVICE void source_fetch(const Shape* shape, GLOBAL const element* source, LOCAL const Int4* table,
                         LOCAL const int* deep, Source* s) {
  UNROLL
  for (int j = 0; j < OWN_ROWS; ++j) {
    const Int4 entry = table[j * ROW_STEP];
    UNROLL
    for (int i = 0; i < OWN_POINTS; ++i) {
      const int d = DEEP ? s->at[i][0] + deep[j * ROW_STEP] : 0;
      const int inside = is_inside(shape, d, s->at[i][1] + entry.y, s->at[i][2] + entry.z);
#if PREDICATED_LOADS
      s->value[i][j] = inside ? LOAD(source, s->origin[i] + entry.x) : 0.0f;
#else
      s->value[i][j] = LOAD(source, inside ? s->origin[i] + entry.x : 0);
      s->taken[i][j] = inside;
#endif
    }
  }
}

#elif LOADER == ALONG || LOADER == ALONG4

// Coordinates of the tile's points stand in local memory: in registers, 16 points would take 64.
#if LOADER == ALONG4
#define WIDTH 4
#else
#define WIDTH 1
#endif
#define ROW_THREADS (TILE_DEPTH / WIDTH)
#define POINT_STEP (THREADS / ROW_THREADS)
#define OWN_POINTS (TILE_POINTS / POINT_STEP)
#define SOURCE_PITCH (TILE_POINTS + 4)

typedef struct {
  GLOBAL const element* from[OWN_POINTS];  // under the present tap, the next tile's channels of this thread
  int inside[OWN_POINTS];
  int exists;  // the last fetch's channels
  float value[OWN_POINTS * WIDTH];
} Source;

DEVICE void source_begin(const Shape* shape, const Phase* phase, index point0, int thread, LOCAL index* origins,
                         LOCAL Int4* positions) {
  UNROLL
  for (int j = 0; j < (TILE_POINTS + THREADS - 1) / THREADS; ++j) {
    const int i = thread + j * THREADS;
    if (TILE_POINTS % THREADS != 0 && i >= TILE_POINTS) break;
    int at[3];
    origins[i] = source_origin(shape, phase, point0 + i, at);
    Int4 position;
    position.x = at[0], position.y = at[1], position.z = at[2], position.w = 0;
    positions[i] = position;
  }
}

DEVICE void source_tap(const Shape* shape, GLOBAL const element* source, const Walk* walk, int thread,
                       LOCAL const index* origins, LOCAL const Int4* positions, Source* s) {
  const int d = walk->t * shape->along[0], h = walk->r * shape->along[1], w = walk->s * shape->along[2];
  const index tap = place(shape->source_strides, d, h, w);
  const index channel = (walk->tile * TILE_DEPTH + thread % ROW_THREADS * WIDTH) * (index)shape->source_strides[1];
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    const int p = thread / ROW_THREADS + i * POINT_STEP;
    const Int4 position = positions[p];
    s->inside[i] = is_inside(shape, position.x + d, position.y + h, position.z + w);
    s->from[i] = source + (channel + (s->inside[i] ? origins[p] + tap : 0));
  }
}

DEVICE void source_fetch(const Shape* shape, int tile, int thread, Source* s) {
  const index stride = (index)shape->source_strides[1];
  const int own = thread % ROW_THREADS * WIDTH;
  s->exists = shape->depth == shape->depth_padded || tile * TILE_DEPTH + own < shape->depth;
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
#if WIDTH == 4
    const Float4 v = load4(s->from[i], s->exists ? 0 : -own * stride);
    s->value[i * 4] = v.x, s->value[i * 4 + 1] = v.y, s->value[i * 4 + 2] = v.z, s->value[i * 4 + 3] = v.w;
#else
    s->value[i] = LOAD(s->from[i], s->exists ? 0 : -own * stride);
#endif
    s->from[i] += TILE_DEPTH * stride;
  }
}

DEVICE void source_put(const Shape* shape, const Source* s, int thread, LOCAL float* tile) {
  LOCAL float* corner = tile + thread % ROW_THREADS * WIDTH * SOURCE_PITCH + thread / ROW_THREADS;
  UNROLL
  for (int i = 0; i < OWN_POINTS; ++i) {
    UNROLL
    for (int j = 0; j < WIDTH; ++j)
      corner[j * SOURCE_PITCH + i * POINT_STEP] = s->inside[i] && s->exists ? s->value[i * WIDTH + j] : 0.0f;
  }
}

#else  // POINT4

#define OWN_VECTORS (TILE_DEPTH * TILE_POINTS / 4 / THREADS)
#define SOURCE_PITCH TILE_POINTS

typedef struct {
  GLOBAL const element* from[OWN_VECTORS];
  int inside[OWN_VECTORS];  // the last fetch
  int point_exists[OWN_VECTORS];
  Float4 value[OWN_VECTORS];
} Source;

// Four points that begin at a multiple of 4 lie in one image, side by side: the grid's size is a multiple of 4.
DEVICE void source_begin(const Shape* shape, GLOBAL const element* source, const Phase* phase, index point0, int tile,
                         int thread, Source* s) {
  UNROLL
  for (int i = 0; i < OWN_VECTORS; ++i) {
    const int v = thread + i * THREADS;
    int at[3];
    const index origin = source_origin(shape, phase, point0 + v % (TILE_POINTS / 4) * 4, at);
    s->point_exists[i] = at[2] != OUTSIDE;
    s->from[i] = source + ((tile * TILE_DEPTH + v / (TILE_POINTS / 4)) * (index)shape->source_strides[1] +
                           (s->point_exists[i] ? origin : 0));
  }
}

DEVICE void source_fetch(const Shape* shape, int tile, int thread, Source* s) {
  const index stride = (index)shape->source_strides[1];
  UNROLL
  for (int i = 0; i < OWN_VECTORS; ++i) {
    const int row = (thread + i * THREADS) / (TILE_POINTS / 4);
    const int exists = shape->depth == shape->depth_padded || tile * TILE_DEPTH + row < shape->depth;
    s->inside[i] = s->point_exists[i] && exists;
    s->value[i] = load4(s->from[i], exists ? 0 : -row * stride);
    s->from[i] += TILE_DEPTH * stride;
  }
}

DEVICE void source_put(const Shape* shape, const Source* s, int thread, LOCAL float* tile) {
  UNROLL
  for (int i = 0; i < OWN_VECTORS; ++i) {
    const int v = thread + i * THREADS;
    const Float4 nothing = FLOAT4(0.0f, 0.0f, 0.0f, 0.0f);
    *(LOCAL Float4*)(tile + v / (TILE_POINTS / 4) * SOURCE_PITCH + v % (TILE_POINTS / 4) * 4) =
        s->inside[i] ? s->value[i] : nothing;
  }
}

#endif
