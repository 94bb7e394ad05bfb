// Backward weights as one product: filter gradient[row][column] = sum over k of y[k][row] * x[k][column], where k counts positions
// of y in all images and a column is a (channel, tap) pair in the order in which the filter lies in memory: x is read where that
// tap lands. The sum is long and the result small, so k is nearly always split.
//
// Shape as in forward: source x, target y. Groups of threads: x: tile of rows (fastest), then of columns; y: group of channels;
// z: part of k. Partial sums lie as the filter does.

#define COLUMNS_TILE TILE_POINTS
#define ROWS_PITCH (TILE_ROWS + 4)
#define COLUMNS_PITCH (COLUMNS_TILE + 4)

// A position of y, by its digits, and what adding TILE_DEPTH to it means: no divisions in the loop.
typedef struct {
  int image, d, h, w;
} Position;

DEVICE void split_position(const Shape* shape, index point, Position* p) {
  int digits[3];
  p->image = (int)split_point(shape, point, digits);
  p->d = digits[0], p->h = digits[1], p->w = digits[2];
}

DEVICE void advance(const Shape* shape, const Position* step, Position* p) {
  p->w += step->w;
  int carry = p->w >= shape->target[2];
  p->w -= carry ? shape->target[2] : 0;
  p->h += step->h + carry;
  carry = p->h >= shape->target[1];
  p->h -= carry ? shape->target[1] : 0;
#if DEEP
  p->d += step->d + carry;
  carry = p->d >= shape->target[0];
  p->d -= carry ? shape->target[0] : 0;
#endif
  p->image += step->image + carry;
}

// Where a position of y begins to read x, and where it lies in y itself; both within the group of channels.
typedef struct {
  index x, y;
  int d, h, w;  // of x under tap (0, 0, 0); w is OUTSIDE past the last position
} Pixel;

DEVICE void enter_pixel(const Shape* shape, const Position* p, Pixel* pixel) {
  pixel->d = shape->start[0] + p->d * shape->step[0];
  pixel->h = shape->start[1] + p->h * shape->step[1];
  pixel->w = shape->start[2] + p->w * shape->step[2];
  pixel->x = (index)p->image * (index)shape->source_strides[0] +
             place(shape->source_strides, pixel->d, pixel->h, pixel->w);
  pixel->y = (index)p->image * (index)shape->target_strides[0] + place(shape->target_strides, p->d, p->h, p->w);
  if (p->image >= shape->images) {
    pixel->w = OUTSIDE;
    pixel->y = -1;
  }
}

typedef struct {
  index offset;
  int d, h, w;
} Column;

DEVICE void enter_column(const Shape* shape, int number, Column* column) {
  const int taps = shape->taps[0] * shape->taps[1] * shape->taps[2];
  const int channel = shape->filter_order == 1 ? number % shape->depth : number / taps;
  int tap[3];
  split_triple(shape->filter_order == 1 ? number / shape->depth : number % taps, shape->taps, tap);
  column->d = tap[0] * shape->along[0];
  column->h = tap[1] * shape->along[1];
  column->w = tap[2] * shape->along[2];
  column->offset = channel * (index)shape->source_strides[1] +
                   place(shape->source_strides, column->d, column->h, column->w);
  if (number >= shape->depth * taps) column->w = OUTSIDE;
}

// An element of x: its value, and whether the position lies in x at all (READ puts zeros where it does not).
typedef struct {
  float value;
  int inside;
} Element;

DEVICE Element fetch_x(const Shape* shape, GLOBAL const element* x, const Pixel* pixel, const Column* column) {
  Element e;
  // Twice OUTSIDE is far outside, too.
  e.inside = is_inside(shape, pixel->d + column->d, pixel->h + column->h, pixel->w + column->w);
#if PREDICATED_LOADS
  e.value = e.inside ? LOAD(x, pixel->x + column->offset) : 0.0f;
#else
  e.value = LOAD(x, e.inside ? pixel->x + column->offset : 0);
#endif
  return e;
}
#if PREDICATED_LOADS
#define READ(element) (element).value
#else
#define READ(element) ((element).inside ? (element).value : 0.0f)
#endif

#if LOADER == ACROSS  // neighbours take neighbouring positions: channels first

#define LINE_STEP (THREADS / TILE_DEPTH)
#define OWN_ROWS (TILE_ROWS / LINE_STEP)
#define OWN_COLUMNS (COLUMNS_TILE / LINE_STEP)
#define OWN_COLUMN(thread, i) ((thread) / TILE_DEPTH + (i) * LINE_STEP)

#else  // ALONG: neighbours take neighbouring channels: channels last

#define OWN_ROWS (TILE_ROWS * TILE_DEPTH / THREADS)
#define OWN_COLUMNS (COLUMNS_TILE > THREADS ? COLUMNS_TILE / THREADS : 1)
#define OWN_COLUMN(thread, i) ((thread) % COLUMNS_TILE + (i) * THREADS)
#define OWN_PIXELS (COLUMNS_TILE > THREADS ? TILE_DEPTH : COLUMNS_TILE * TILE_DEPTH / THREADS)
#define PIXEL_STEP (COLUMNS_TILE > THREADS ? 1 : THREADS / COLUMNS_TILE)
#define OWN_PIXEL(thread) (COLUMNS_TILE >= THREADS ? 0 : (thread) / COLUMNS_TILE)

#endif

KERNEL_RESIDENT(THREADS, RESIDENT)
void igemm_weights(GLOBAL const element* RESTRICT x_data, GLOBAL const element* RESTRICT y_data,
                   GLOBAL result* RESTRICT filter, GLOBAL float* RESTRICT workspace, const Shape given) {
  LOCAL_ARRAY(float, rows_tiles, 2 * TILE_DEPTH * ROWS_PITCH);
  LOCAL_ARRAY(float, columns_tiles, 2 * TILE_DEPTH * COLUMNS_PITCH);
#if LOADER != ACROSS
  LOCAL_ARRAY(Pixel, pixels, 2 * TILE_DEPTH);
#endif
  SHAPE_IN_USE(given);
  const int thread = THREAD, group = GROUP_Y, part = GROUP_Z;
  const int row0 = GROUP_X % shape.row_tiles * TILE_ROWS, column0 = GROUP_X / shape.row_tiles * COLUMNS_TILE;
  const int lane_row = thread_row(thread), lane_column = thread_point(thread);
  const index positions = (index)shape.images * shape.points[0] * shape.points[1] * shape.points[2];
  const index tiles = (positions + TILE_DEPTH - 1) / TILE_DEPTH;
  const index tiles_per_part = (tiles + shape.splits - 1) / shape.splits;
  const index first = part * tiles_per_part;  // a part may be empty: its sums are zeros
  const index end = first + tiles_per_part < tiles ? first + tiles_per_part : tiles;
  GLOBAL const element* x = x_data + group * (index)shape.depth * (index)shape.source_strides[1];
  GLOBAL const element* y = y_data + (group * (index)shape.rows + row0) * (index)shape.target_strides[1];
  const index y_row = (index)shape.target_strides[1];
  const int rows_left = shape.rows - row0, rows_whole = shape.rows % TILE_ROWS == 0;

  float sums[THREAD_ROWS][COLUMNS_TILE / THREADS_POINTS];
  UNROLL
  for (int i = 0; i < THREAD_ROWS; ++i) {
    UNROLL
    for (int j = 0; j < THREAD_POINTS; ++j) sums[i][j] = 0.0f;
  }
  Column columns[OWN_COLUMNS];
  UNROLL
  for (int i = 0; i < OWN_COLUMNS; ++i) enter_column(&shape, column0 + OWN_COLUMN(thread, i), &columns[i]);

  // The position that this thread follows: of its own loads (ACROSS), or to write it down for all (ALONG).
  Position position, step;
  split_position(&shape, first * TILE_DEPTH + thread % TILE_DEPTH, &position);
  split_position(&shape, TILE_DEPTH, &step);

#if LOADER == ACROSS
  float row_values[OWN_ROWS];
  Element column_values[OWN_COLUMNS];
  int is_position;  // what is fetched; rows past the last are never stored, so anything may stand there
#define FETCH()                                                                                              \
  {                                                                                                          \
    Pixel pixel;                                                                                             \
    enter_pixel(&shape, &position, &pixel);                                                                  \
    is_position = pixel.y >= 0;                                                                              \
    GLOBAL const element* y_line = y + (is_position ? pixel.y : 0);                                          \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_ROWS; ++i) {                                                                     \
      const int row = thread / TILE_DEPTH + i * LINE_STEP;                                                   \
      row_values[i] = LOAD(y_line, (rows_whole || row < rows_left ? row : 0) * y_row);                       \
    }                                                                                                        \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_COLUMNS; ++i) column_values[i] = fetch_x(&shape, x, &pixel, &columns[i]);        \
    advance(&shape, &step, &position);                                                                       \
  }
#define PUT(buffer)                                                                                          \
  {                                                                                                          \
    LOCAL float* rows_line = rows_tiles + ((buffer) * TILE_DEPTH + thread % TILE_DEPTH) * ROWS_PITCH;        \
    LOCAL float* columns_line = columns_tiles + ((buffer) * TILE_DEPTH + thread % TILE_DEPTH) * COLUMNS_PITCH; \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_ROWS; ++i) rows_line[thread / TILE_DEPTH + i * LINE_STEP] = is_position ? row_values[i] : 0.0f; \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_COLUMNS; ++i) columns_line[OWN_COLUMN(thread, i)] = READ(column_values[i]);      \
  }
#else
  Element row_values[OWN_ROWS], column_values[OWN_COLUMNS][OWN_PIXELS];
// Pixels of a tile are written down one tile before it is fetched, so that the barrier in between serves them, too.
#define WRITE_PIXELS(buffer)                                                                                 \
  {                                                                                                          \
    if (thread < TILE_DEPTH) {                                                                               \
      Pixel pixel;                                                                                           \
      enter_pixel(&shape, &position, &pixel);                                                                \
      pixels[(buffer) * TILE_DEPTH + thread] = pixel;                                                        \
    }                                                                                                        \
    advance(&shape, &step, &position);                                                                       \
  }
#define FETCH(buffer)                                                                                        \
  {                                                                                                          \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_ROWS; ++i) {                                                                     \
      const int v = thread + i * THREADS, row = v % TILE_ROWS;                                               \
      const index at = pixels[(buffer) * TILE_DEPTH + v / TILE_ROWS].y;                                      \
      row_values[i].inside = at >= 0;                                                                        \
      row_values[i].value = LOAD(y, (at >= 0 ? at : 0) + (rows_whole || row < rows_left ? row : 0) * y_row); \
    }                                                                                                        \
    UNROLL                                                                                                   \
    for (int p = 0; p < OWN_PIXELS; ++p) {                                                                   \
      const Pixel pixel = pixels[(buffer) * TILE_DEPTH + OWN_PIXEL(thread) + p * PIXEL_STEP];                \
      UNROLL                                                                                                 \
      for (int i = 0; i < OWN_COLUMNS; ++i) column_values[i][p] = fetch_x(&shape, x, &pixel, &columns[i]);   \
    }                                                                                                        \
  }
#define PUT(buffer)                                                                                          \
  {                                                                                                          \
    UNROLL                                                                                                   \
    for (int i = 0; i < OWN_ROWS; ++i) {                                                                     \
      const int v = thread + i * THREADS;                                                                    \
      rows_tiles[((buffer) * TILE_DEPTH + v / TILE_ROWS) * ROWS_PITCH + v % TILE_ROWS] =                     \
          row_values[i].inside ? row_values[i].value : 0.0f;                                                 \
    }                                                                                                        \
    UNROLL                                                                                                   \
    for (int p = 0; p < OWN_PIXELS; ++p) {                                                                   \
      const int line = (buffer) * TILE_DEPTH + OWN_PIXEL(thread) + p * PIXEL_STEP;                           \
      UNROLL                                                                                                 \
      for (int i = 0; i < OWN_COLUMNS; ++i)                                                                  \
        columns_tiles[line * COLUMNS_PITCH + OWN_COLUMN(thread, i)] = READ(column_values[i][p]);             \
    }                                                                                                        \
  }
#endif

  int buffer = 0;
#if LOADER == ACROSS
  if (first < end) {
    FETCH()
    PUT(0)
  }
  BARRIER;
#else
  WRITE_PIXELS(0)
  WRITE_PIXELS(1)
  BARRIER;
  if (first < end) {
    FETCH(0)
    PUT(0)
  }
  BARRIER;
#endif
  for (index t = first; t < end; ++t) {
#if LOADER == ACROSS
    if (t + 1 < end) FETCH()
#else
    if (t + 1 < end) FETCH(buffer ^ 1)
#endif
    LOCAL const float* rows_tile = rows_tiles + buffer * (TILE_DEPTH * ROWS_PITCH) + lane_row * 4;
    LOCAL const float* columns_tile = columns_tiles + buffer * (TILE_DEPTH * COLUMNS_PITCH) + lane_column * 4;
    MULTIPLY_TILES(rows_tile, ROWS_PITCH, columns_tile, COLUMNS_PITCH, sums)
#if LOADER != ACROSS
    WRITE_PIXELS(buffer)
#endif
    buffer ^= 1;
    if (t + 1 < end) PUT(buffer)
    BARRIER;
  }

  const int all_columns = shape.depth * shape.taps[0] * shape.taps[1] * shape.taps[2];
  UNROLL
  for (int i = 0; i < THREAD_ROWS; ++i) {
    const int row = ROW_OF(lane_row, i);
    if (row >= rows_left) continue;
    UNROLL
    for (int j = 0; j < THREAD_POINTS; ++j) {
      const int column = column0 + POINT_OF(lane_column, j);
      if (column >= all_columns) continue;
      const index at = (group * (index)shape.rows + row0 + row) * all_columns + column;
      if (shape.splits > 1)
        workspace[shape.partials_at + part * (index)shape.target_size + at] = sums[i][j];
      else
        STORE_RESULT(filter, at, sums[i][j]);
    }
  }
}
