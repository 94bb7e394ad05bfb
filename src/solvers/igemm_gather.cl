// Forward and backward data: see igemm_shape.cl for the product, igemm_tile.cl for tiles, igemm_source.cl and igemm_filter.cl for
// what brings them to local memory, igemm_store.cl for the way out.
//
// Groups of threads: x: tile of rows (fastest, so that those who read the same source run together), then of points; y: group of
// channels; z: phase, then part of k. Two tiles of each factor stand in local memory: one is multiplied while the next is on its
// way through registers, so one barrier per tile is enough.
KERNEL_RESIDENT(THREADS, RESIDENT)
void igemm_gather(GLOBAL const element* RESTRICT source_data, GLOBAL const filter_element* RESTRICT filter_data,
                  GLOBAL const result* RESTRICT bias, GLOBAL result* RESTRICT target, GLOBAL float* RESTRICT workspace,
                  const Shape given) {
  LOCAL_ARRAY(float, filter_tiles, 2 * TILE_DEPTH * FILTER_PITCH);
#if !OWN_SOURCE
  LOCAL_ARRAY(float, source_tiles, 2 * TILE_DEPTH * SOURCE_PITCH);
#endif
#if LOADER == TABLE
  LOCAL_ARRAY(Int4, table, TABLE_ROWS);
  LOCAL_ARRAY(int, deep, DEEP ? TABLE_ROWS : 1);
#elif LOADER == ALONG || LOADER == ALONG4
  LOCAL_ARRAY(index, origins, TILE_POINTS);
  LOCAL_ARRAY(Int4, positions, TILE_POINTS);
#endif
  SHAPE_IN_USE(given);
  const int thread = THREAD;
  Tile tile;
  tile.group = GROUP_Y;
  tile.part = GROUP_Z % shape.splits;
  tile.row0 = GROUP_X % shape.row_tiles * TILE_ROWS;
  tile.point0 = GROUP_X / shape.row_tiles * (index)TILE_POINTS;
  tile.thread_row = thread_row(thread);
  tile.thread_point = thread_point(thread);
  Phase phase;
  enter_phase(&shape, GROUP_Z / shape.splits, &phase);

  float sums[THREAD_ROWS][THREAD_POINTS];
  UNROLL
  for (int i = 0; i < THREAD_ROWS; ++i) {
    UNROLL
    for (int j = 0; j < THREAD_POINTS; ++j) sums[i][j] = 0.0f;
  }

  const int taps = phase.taps[0] * phase.taps[1] * phase.taps[2];
#if LOADER == TABLE
  const int tiles = (taps * shape.depth + TILE_DEPTH - 1) / TILE_DEPTH;
#else
  const int tiles_per_tap = shape.depth_padded / TILE_DEPTH;
  const int tiles = taps * tiles_per_tap;
#endif
  const int tiles_per_part = (tiles + shape.splits - 1) / shape.splits;
  const int first = tile.part * tiles_per_part;  // a part may be empty: its sums are zeros
  const int end = first + tiles_per_part < tiles ? first + tiles_per_part : tiles;

  Source source;
  Filter filter;
  GLOBAL const element* group_source =
      source_data + tile.group * (index)shape.depth * (index)shape.source_strides[1];
  GLOBAL const filter_element* filter_start = filter_origin(&shape, filter_data, tile.group, tile.row0);
#if !PACKED
  filter.rows = shape.rows - tile.row0;
#endif
#if LOADER == ALONG || LOADER == ALONG4
  source_begin(&shape, &phase, tile.point0, thread, origins, positions);
  BARRIER;
#elif LOADER == POINT4
  source_begin(&shape, group_source, &phase, tile.point0, first, thread, &source);
#else
  source_begin(&shape, &phase, tile.point0, thread, &source);
#endif
#if LOADER == TABLE
  table_fill(&shape, &phase, thread, table, deep);
  BARRIER;
#define FETCH(t)                                                                                              \
  {                                                                                                           \
    filter_fetch_by_table(&shape, filter_start, table + (t) * TILE_DEPTH, thread, &filter);                    \
    source_fetch(&shape, group_source, table + (t) * TILE_DEPTH + OWN_ROW(thread),                            \
                 deep + (DEEP ? (t) * TILE_DEPTH + OWN_ROW(thread) : 0), &source);                            \
  }
#else
  Walk walk;
  walk_to(&phase, tiles_per_tap, first, &walk);
#if LOADER == ALONG || LOADER == ALONG4
#define ENTER_TAP() source_tap(&shape, group_source, &walk, thread, origins, positions, &source)
#elif LOADER == POINT4
#define ENTER_TAP()
#else
#define ENTER_TAP() source_tap(&shape, group_source, &walk, thread, &source)
#endif
  ENTER_TAP();
  filter_tap(&shape, &phase, &walk, filter_start, thread, &filter);
#define FETCH(t)                                                        \
  {                                                                     \
    if (walk.tile == tiles_per_tap) {                                   \
      next_tap(&phase, &walk);                                          \
      ENTER_TAP();                                                      \
      filter_tap(&shape, &phase, &walk, filter_start, thread, &filter);         \
    }                                                                   \
    filter_fetch(&shape, thread, &filter);                              \
    source_fetch(&shape, walk.tile, thread, &source);                   \
    ++walk.tile;                                                        \
  }
#endif
#if OWN_SOURCE
  float points[THREAD_POINTS][TILE_DEPTH];
#define PUT_SOURCE(buffer) source_put(&shape, &source, points)
#define MULTIPLY() MULTIPLY_OWN(rows_tile, FILTER_PITCH, points, sums)
#else
#define PUT_SOURCE(buffer) \
  source_put(&shape, &source, thread, source_tiles + (buffer) * (TILE_DEPTH * SOURCE_PITCH))
#define MULTIPLY()                                                                                                \
  LOCAL const float* points_tile = source_tiles + buffer * (TILE_DEPTH * SOURCE_PITCH) + tile.thread_point * 4;   \
  MULTIPLY_TILES(rows_tile, FILTER_PITCH, points_tile, SOURCE_PITCH, sums)
#endif
#define PUT(buffer)                                                                       \
  {                                                                                       \
    filter_put(&filter, thread, filter_tiles + (buffer) * (TILE_DEPTH * FILTER_PITCH));   \
    PUT_SOURCE(buffer);                                                                   \
  }

  if (first < end) {
    FETCH(first)
    PUT(0)
  }
  BARRIER;
  int buffer = 0;
  for (int t = first; t < end; ++t) {
    if (t + 1 < end) FETCH(t + 1)
    LOCAL const float* rows_tile = filter_tiles + buffer * (TILE_DEPTH * FILTER_PITCH) + tile.thread_row * 4;
    MULTIPLY()
    buffer ^= 1;
    if (t + 1 < end) PUT(buffer)
    BARRIER;
  }
  store_tile(&shape, &phase, &tile, sums, bias, target, workspace + shape.partials_at);
}
