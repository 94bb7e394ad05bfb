// Brings the filter's tile, TILE_DEPTH x TILE_ROWS, to local memory, as igemm_source.cl does the source's. PACKED: from the
// packed filter that igemm_pack wrote (vectors, no checks: it is padded with zeros); else from the filter as it lies in memory,
// which saves a launch where the whole problem takes microseconds.

#if PACKED

typedef float filter_element;
#define FILTER_PITCH TILE_ROWS
#define FILTER_VECTORS ((TILE_ROWS / 4 * TILE_DEPTH + THREADS - 1) / THREADS)
#define FILTER_DIVIDES (TILE_ROWS / 4 * TILE_DEPTH % THREADS == 0)

typedef struct {
  GLOBAL const float* from;  // the next tile's first vector of this thread
  Float4 value[FILTER_VECTORS];
} Filter;

// Where the tile's rows begin, under tap 0 and channel 0.
DEVICE GLOBAL const float* filter_origin(const Shape* shape, GLOBAL const float* filter, int group, int row0) {
  return filter + ((index)group * shape->taps[0] * shape->taps[1] * shape->taps[2] * shape->depth_padded *
                       shape->rows_padded +
                   row0);
}

DEVICE void filter_tap(const Shape* shape, const Phase* phase, const Walk* walk, GLOBAL const float* origin, int thread,
                       Filter* f) {
  const int tap = tap_number(shape, phase, walk->t, walk->r, walk->s);
  const index row = (index)tap * shape->depth_padded + walk->tile * TILE_DEPTH + thread / (TILE_ROWS / 4);
  f->from = origin + (row * shape->rows_padded + thread % (TILE_ROWS / 4) * 4);
}

// Vectors of a thread lie THREADS apart in the tile: in the same column if that is a whole number of rows.
#if THREADS % (TILE_ROWS / 4) == 0
#define VECTOR_AT(shape, thread, i) ((i) * (THREADS / (TILE_ROWS / 4)) * (index)(shape)->rows_padded)
#else
#define VECTOR_ROW(v) ((v) / (TILE_ROWS / 4))
#define VECTOR_COLUMN(v) ((v) % (TILE_ROWS / 4) * 4)
#define VECTOR_AT(shape, thread, i)                                                                             \
  ((VECTOR_ROW((thread) + (i) * THREADS) - VECTOR_ROW(thread)) * (index)(shape)->rows_padded +                  \
   VECTOR_COLUMN((thread) + (i) * THREADS) - VECTOR_COLUMN(thread))
#endif

DEVICE void filter_fetch(const Shape* shape, int thread, Filter* f) {
  UNROLL
  for (int i = 0; i < FILTER_VECTORS; ++i) {
    if (FILTER_DIVIDES || thread + i * THREADS < TILE_ROWS / 4 * TILE_DEPTH)
      f->value[i] = *(GLOBAL const Float4*)(f->from + VECTOR_AT(shape, thread, i));
  }
  f->from += TILE_DEPTH * (index)shape->rows_padded;
}

DEVICE void filter_fetch_by_table(const Shape* shape, GLOBAL const float* origin, LOCAL const Int4* table, int thread,
                                  Filter* f) {
  UNROLL
  for (int i = 0; i < FILTER_VECTORS; ++i) {
    const int v = thread + i * THREADS;
    f->value[i] = FLOAT4(0.0f, 0.0f, 0.0f, 0.0f);
    if (FILTER_DIVIDES || v < TILE_ROWS / 4 * TILE_DEPTH) {
      const int row = table[v / (TILE_ROWS / 4)].w;
      if (row >= 0) f->value[i] = *(GLOBAL const Float4*)(origin + row + v % (TILE_ROWS / 4) * 4);
    }
  }
}

DEVICE void filter_put(const Filter* f, int thread, LOCAL float* tile) {
  UNROLL
  for (int i = 0; i < FILTER_VECTORS; ++i) {
    const int v = thread + i * THREADS;
    if (FILTER_DIVIDES || v < TILE_ROWS / 4 * TILE_DEPTH)
      *(LOCAL Float4*)(tile + v / (TILE_ROWS / 4) * FILTER_PITCH + v % (TILE_ROWS / 4) * 4) = f->value[i];
  }
}

#else

typedef element filter_element;
#define FILTER_PITCH (TILE_ROWS + 4)
#define FILTER_VALUES ((TILE_ROWS * TILE_DEPTH + THREADS - 1) / THREADS)
#define FILTER_DIVIDES (TILE_ROWS * TILE_DEPTH % THREADS == 0)

typedef struct {
  GLOBAL const element* from;  // the next tile's first channel, first row
  int left;                    // channels from there
  int rows;                    // of the tile that exist
  float value[FILTER_VALUES];
} Filter;

DEVICE GLOBAL const element* filter_origin(const Shape* shape, GLOBAL const element* filter, int group, int row0) {
  return filter + (group * (index)shape->filter_strides[0] + row0 * (index)shape->filter_strides[1]);
}

DEVICE void filter_tap(const Shape* shape, const Phase* phase, const Walk* walk, GLOBAL const element* origin, int thread,
                       Filter* f) {
  f->left = shape->depth - walk->tile * TILE_DEPTH;
  f->from = origin + (tap_offset(shape, phase, walk->t, walk->r, walk->s) +
                      walk->tile * TILE_DEPTH * (index)shape->filter_strides[2]);
}

// Neighbours take neighbouring channels of one row.
DEVICE void filter_fetch(const Shape* shape, int thread, Filter* f) {
  UNROLL
  for (int i = 0; i < FILTER_VALUES; ++i) {
    const int v = thread + i * THREADS, channel = v % TILE_DEPTH, row = v / TILE_DEPTH;
    const int exists = (FILTER_DIVIDES || row < TILE_ROWS) && row < f->rows && channel < f->left;
    f->value[i] = exists ? LOAD(f->from, row * (index)shape->filter_strides[1] + channel * (index)shape->filter_strides[2])
                         : 0.0f;
  }
  f->left -= TILE_DEPTH;
  f->from += TILE_DEPTH * (index)shape->filter_strides[2];
}

DEVICE void filter_fetch_by_table(const Shape* shape, GLOBAL const element* origin, LOCAL const Int4* table, int thread,
                                  Filter* f) {
  UNROLL
  for (int i = 0; i < FILTER_VALUES; ++i) {
    const int v = thread + i * THREADS, row = v / TILE_DEPTH, k = table[v % TILE_DEPTH].w;
    const int exists = (FILTER_DIVIDES || row < TILE_ROWS) && row < f->rows && k >= 0;
    f->value[i] = exists ? LOAD(origin, row * (index)shape->filter_strides[1] + k) : 0.0f;
  }
}

DEVICE void filter_put(const Filter* f, int thread, LOCAL float* tile) {
  UNROLL
  for (int i = 0; i < FILTER_VALUES; ++i) {
    const int v = thread + i * THREADS;
    if (FILTER_DIVIDES || v / TILE_DEPTH < TILE_ROWS) tile[v % TILE_DEPTH * FILTER_PITCH + v / TILE_DEPTH] = f->value[i];
  }
}

#endif
